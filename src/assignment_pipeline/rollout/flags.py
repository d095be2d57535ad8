"""Feature flags: from the environment, or fixed."""

from __future__ import annotations

import enum
import functools
import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from assignment_pipeline.clock import SystemClock
from assignment_pipeline.domain.checks import whole
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.errors import FlagError
from assignment_pipeline.ports import Clock, FlagDecision
from assignment_pipeline.rollout.cohorts import BUCKETS, basis_points, bucket, percentage

log = logging.getLogger(__name__)

MAX_PARALLEL = 20
DEFAULT_PARALLEL = 3
DEFAULT_SALT = "assignment-pipeline-v3"

_KEPT_DECISIONS = 10_000
_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


class Rule(enum.StrEnum):
    """What decided about a restaurant: the first of these that applies."""

    DISABLED = "disabled"
    EXCLUDED = "excluded"
    LISTED = "listed"
    PERCENT = "percent"
    FIXED = "fixed"


@attrs.frozen(kw_only=True)
class Explanation:
    """
    What the flags say about a restaurant, and how they come to it.

    Attributes:
        restaurant_id: The restaurant.

        mode: What the pipeline does there.

        rule: The rule that decided.

        bucket: Where the restaurant stands in the cohorts, from 0 to 9,999.

        threshold: What the bucket was compared with, in basis points; None where no percentage was asked.

        lists: The lists that name it, among ``restaurants``, ``exclude`` and ``shadow_restaurants``.

        source: Where the flags came from, such as ``environment``.

        salt: What the bucket was drawn with.
    """

    restaurant_id: str
    mode: Mode
    rule: Rule
    bucket: int
    threshold: int | None
    lists: tuple[str, ...]
    source: str
    salt: str

    @property
    def sentence(self) -> str:
        """The same for people to read."""
        stands = "in shadow" if self.mode is Mode.SHADOW else self.mode.value
        return f"Restaurant {self.restaurant_id!r} is {stands}: {self._because}."

    @property
    def _because(self) -> str:
        if self.rule is Rule.DISABLED:
            return "the pipeline is neither enabled nor in shadow"
        if self.threshold is None:
            return f"it is {self.rule}"
        compares = "not below" if self.mode is Mode.OFF else "below"
        return f"its bucket, {self.bucket}, is {compares} {self.threshold} ({percentage(self.threshold)} %)"


@attrs.frozen(kw_only=True)
class FlagSettings:
    """
    The flags as they stand, wherever they came from.

    Attributes:
        enabled: Whether the pipeline is in charge of its cohort.

        shadow: Whether it runs in shadow in the shadow cohort, where it is not in charge.

        max_parallel: Assignments at one time at a restaurant, at most.

        percent: How many of the restaurants are in the cohort, in basis points.

        restaurants: Those that are in it anyway.

        exclude: Those that are off, whatever else names them.

        shadow_percent: How many are in the shadow cohort, in basis points.

        shadow_restaurants: Those that are in it anyway.
    """

    enabled: bool = False
    shadow: bool = False
    max_parallel: int = attrs.field(default=DEFAULT_PARALLEL, validator=whole(1, MAX_PARALLEL))
    percent: int = attrs.field(default=BUCKETS, validator=whole(0, BUCKETS))
    restaurants: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()
    shadow_percent: int = attrs.field(default=BUCKETS, validator=whole(0, BUCKETS))
    shadow_restaurants: frozenset[str] = frozenset()

    def explain(self, restaurant_id: str, *, source: str, salt: str) -> Explanation:
        """What they say about a restaurant, and why."""
        place = bucket(restaurant_id, salt)
        mode, rule, threshold = self._decide(restaurant_id, place)
        lists = {
            "restaurants": self.restaurants,
            "exclude": self.exclude,
            "shadow_restaurants": self.shadow_restaurants,
        }
        return Explanation(
            restaurant_id=restaurant_id,
            mode=mode,
            rule=rule,
            bucket=place,
            threshold=threshold,
            lists=tuple(name for name, listed in lists.items() if restaurant_id in listed),
            source=source,
            salt=salt,
        )

    def _decide(self, restaurant_id: str, place: int) -> tuple[Mode, Rule, int | None]:
        cohorts = [
            (mode, listed, threshold)
            for switch, mode, listed, threshold in (
                (self.enabled, Mode.ACTIVE, self.restaurants, self.percent),
                (self.shadow, Mode.SHADOW, self.shadow_restaurants, self.shadow_percent),
            )
            if switch
        ]
        if not cohorts:
            return Mode.OFF, Rule.DISABLED, None
        if restaurant_id in self.exclude:
            return Mode.OFF, Rule.EXCLUDED, None
        for mode, listed, threshold in cohorts:
            if restaurant_id in listed:
                return mode, Rule.LISTED, None
            if place < threshold:
                return mode, Rule.PERCENT, threshold
        return Mode.OFF, Rule.PERCENT, max(threshold for _, _, threshold in cohorts)


def _boolean(text: str) -> bool:
    try:
        return _BOOLEANS[text.lower()]
    except KeyError:
        raise ValueError(text) from None


def _parallel(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_PARALLEL):
        raise ValueError(text)
    return int(text)


def _ids(text: str) -> frozenset[str]:
    ids = frozenset(part.strip() for part in text.split(",")) if text else frozenset()
    if "" in ids:
        raise ValueError(text)
    return ids


@attrs.frozen
class Variable:
    """
    An environment variable.

    Attributes:
        name: Its name.

        takes: What it may hold, for people to read.

        default: What it counts as holding when it is not set.

        parse: Its value from its text, without blanks around it. Raises `ValueError`.
    """

    name: str
    takes: str
    default: str
    parse: Callable[[str], Any]

    def read(self, text: str) -> Any:
        """
        The value that *text* stands for.

        Raises:
            FlagError: It stands for none.
        """
        try:
            return self.parse(text.strip())
        except ValueError:
            raise FlagError(self.name, text, self.takes) from None


_PREFIX = "FEATURE_ASSIGNMENT_PIPELINE_V3"
_BOOLEAN = "true, false, yes, no, on, off, 1 or 0"
_PERCENTAGE = "a percentage from 0 to 100 with at most two decimals"
_IDS = "ids of restaurants, separated by commas"

VARIABLES: Mapping[str, Variable] = {
    "enabled": Variable(_PREFIX, _BOOLEAN, "false", _boolean),
    "shadow": Variable(f"{_PREFIX}_SHADOW", _BOOLEAN, "false", _boolean),
    "max_parallel": Variable(
        f"{_PREFIX}_MAX_PARALLEL", f"a whole number from 1 to {MAX_PARALLEL}", str(DEFAULT_PARALLEL), _parallel
    ),
    "percent": Variable(f"{_PREFIX}_PERCENT", _PERCENTAGE, "100", basis_points),
    "restaurants": Variable(f"{_PREFIX}_RESTAURANTS", _IDS, "", _ids),
    "exclude": Variable(f"{_PREFIX}_EXCLUDE", _IDS, "", _ids),
    "shadow_percent": Variable(f"{_PREFIX}_SHADOW_PERCENT", _PERCENTAGE, "100", basis_points),
    "shadow_restaurants": Variable(f"{_PREFIX}_SHADOW_RESTAURANTS", _IDS, "", _ids),
}
"""The environment variable behind each field of `FlagSettings`."""


@attrs.frozen(eq=False)
class _Reading:
    """What was read at one moment. Replaced as a whole, so that threads never see half of one."""

    texts: Mapping[str, str]
    settings: FlagSettings
    decide: Callable[[str], FlagDecision]


class EnvFlags:
    """
    The feature flags of the environment.

    The environment is looked at again when it is asked at least *refresh* seconds
    after the last look. A variable that has become unreadable keeps its last good
    value; the others are followed all the same, so that no typo stops a rollback.

    Args:
        environ: The environment; by default that of the process.

        salt: Names the rollout, in at most 64 bytes. With another one, a percentage covers other restaurants.

        on_error: Told once of each unreadable value; by default it is logged. What it raises is logged too.

        refresh: Seconds for which what was read holds.

        clock: What measures them.

    Raises:
        FlagError: A variable is unreadable from the start.

        ValueError: The salt is too long.
    """

    source = "environment"

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        *,
        salt: str = DEFAULT_SALT,
        on_error: Callable[[FlagError], None] | None = None,
        refresh: float = 1.0,
        clock: Clock | None = None,
    ) -> None:
        bucket("", salt)
        self._environ = os.environ if environ is None else environ
        self._salt = salt
        self._on_error = on_error
        self._refresh = refresh
        self._monotonic = (clock or SystemClock()).monotonic
        self._told: dict[tuple[str, str], object] = {}
        self._look_again_at = self._monotonic() + refresh

        texts = self._texts()
        settings = FlagSettings(**{field: VARIABLES[field].read(text) for field, text in texts.items()})
        self._reading = self._read(texts, settings)

    @property
    def settings(self) -> FlagSettings:
        """The flags as they stand."""
        self._keep_up()
        return self._reading.settings

    def resolve(self, restaurant_id: str) -> FlagDecision:
        """What the flags say about a restaurant, now."""
        self._keep_up()
        return self._reading.decide(restaurant_id)

    def explain(self, restaurant_id: str) -> Explanation:
        """The same, and why."""
        return self.settings.explain(restaurant_id, source=self.source, salt=self._salt)

    def _texts(self) -> dict[str, str]:
        return {field: self._environ.get(variable.name, variable.default) for field, variable in VARIABLES.items()}

    def _read(self, texts: Mapping[str, str], settings: FlagSettings) -> _Reading:
        @functools.lru_cache(maxsize=_KEPT_DECISIONS)
        def decide(restaurant_id: str) -> FlagDecision:
            found = settings.explain(restaurant_id, source=self.source, salt=self._salt)
            return FlagDecision(
                mode=found.mode,
                max_parallel=settings.max_parallel,
                reason=found.rule.value,
                source=self.source,
                bucket=found.bucket if found.rule is Rule.PERCENT else None,
            )

        return _Reading(texts, settings, decide)

    def _keep_up(self) -> None:
        # Without a lock: one held by another thread during a fork would leave the child with old flags for ever.
        now = self._monotonic()
        if now < self._look_again_at:
            return
        self._look_again_at = now + self._refresh
        before, texts = self._reading, self._texts()
        if texts == before.texts:
            return
        changed = {}
        for field, text in texts.items():
            if text != before.texts[field]:
                try:
                    changed[field] = VARIABLES[field].read(text)
                except FlagError as error:
                    self._tell(error)
        self._reading = self._read(texts, attrs.evolve(before.settings, **changed))

    def _tell(self, error: FlagError) -> None:
        mine = object()
        if self._told.setdefault((error.variable, error.got), mine) is not mine:
            return
        try:
            if self._on_error is None:
                log.error("%s The last good value stays.", error)
            else:
                self._on_error(error)
        except Exception:
            log.exception("on_error failed for: %s", error)


@attrs.frozen
class FixedFlags:
    """
    The same for every restaurant, for ever.

    Attributes:
        mode: What the pipeline does.

        max_parallel: Assignments at one time at a restaurant, at most, from 1 to 20.
    """

    mode: Mode = attrs.field(converter=Mode)
    max_parallel: int = attrs.field(default=DEFAULT_PARALLEL, validator=whole(1, MAX_PARALLEL))
    _decision: FlagDecision = attrs.field(init=False, repr=False, eq=False)

    @_decision.default
    def _always(self) -> FlagDecision:
        return FlagDecision(
            mode=self.mode, max_parallel=self.max_parallel, reason=Rule.FIXED.value, source=Rule.FIXED.value
        )

    def resolve(self, restaurant_id: str) -> FlagDecision:  # noqa: ARG002 - it does not matter which
        """What was fixed."""
        return self._decision
