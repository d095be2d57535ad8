"""Feature flags from the environment."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from assignment_pipeline.errors import FlagError
from assignment_pipeline.ports import Clock, FlagDecision
from assignment_pipeline.redaction import redacted
from assignment_pipeline.rollout.flags.cohorts import BUCKETS, basis_points, bucket, percentage
from assignment_pipeline.rollout.flags.settings import (
    DEFAULT_PARALLEL,
    DEFAULT_SALT,
    MAX_PARALLEL,
    Deciding,
    Explanation,
    FlagSettings,
)

log = logging.getLogger(__name__)

_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


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


def _switch(value: bool) -> str:  # noqa: FBT001 - one value, as of the others
    return "true" if value else "false"


def _list(ids: frozenset[str]) -> str:
    return ",".join(sorted(ids))


@attrs.frozen
class Variable:
    """
    An environment variable.

    Attributes:
        name: Its name.

        takes: What it may hold, for people to read.

        default: What it counts as holding when it is not set.

        parse: Its value from its text, without blanks around it. Raises `ValueError`.

        write: A text that stands for a value.
    """

    name: str
    takes: str
    default: str
    parse: Callable[[str], Any]
    write: Callable[[Any], str]

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
    "enabled": Variable(_PREFIX, _BOOLEAN, "false", _boolean, _switch),
    "shadow": Variable(f"{_PREFIX}_SHADOW", _BOOLEAN, "false", _boolean, _switch),
    "max_parallel": Variable(
        f"{_PREFIX}_MAX_PARALLEL", f"a whole number from 1 to {MAX_PARALLEL}", str(DEFAULT_PARALLEL), _parallel, str
    ),
    "percent": Variable(f"{_PREFIX}_PERCENT", _PERCENTAGE, "100", basis_points, percentage),
    "restaurants": Variable(f"{_PREFIX}_RESTAURANTS", _IDS, "", _ids, _list),
    "exclude": Variable(f"{_PREFIX}_EXCLUDE", _IDS, "", _ids, _list),
    "shadow_percent": Variable(f"{_PREFIX}_SHADOW_PERCENT", _PERCENTAGE, "100", basis_points, percentage),
    "shadow_restaurants": Variable(f"{_PREFIX}_SHADOW_RESTAURANTS", _IDS, "", _ids, _list),
}
"""The environment variable behind each field of `FlagSettings`."""


def is_unset() -> bool:
    """Whether the environment of this process says nothing about the flags."""
    return not any(variable.name in os.environ for variable in VARIABLES.values())


_SWITCHES = ("enabled", "shadow")


def variables_of(settings: FlagSettings) -> dict[str, str]:
    """
    What to set in the environment for those flags, by the variables' names.

    Always the two switches and the limit; a percentage where what it covers is switched on, so that none is left over
    from before; and the lists that name anybody.
    """
    wanted = [*_SWITCHES, "max_parallel"]
    wanted += ["percent"] if settings.enabled else []
    wanted += ["shadow_percent"] if settings.shadow and settings.shadow_percent < BUCKETS else []
    wanted += [field for field in ("restaurants", "exclude", "shadow_restaurants") if getattr(settings, field)]
    return {VARIABLES[field].name: VARIABLES[field].write(getattr(settings, field)) for field in wanted}


@attrs.frozen(eq=False)
class _Reading:
    """What was read at one moment."""

    texts: Mapping[str, str | None]
    deciding: Deciding
    is_rollback: bool = attrs.field(init=False)

    @is_rollback.default
    def _says_off(self) -> bool:
        settings = self.deciding.settings
        explicit = all(self.texts[field] is not None for field in _SWITCHES)
        return explicit and not settings.enabled and not settings.shadow


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
        self.salt = salt
        self._on_error = on_error
        self._refresh = refresh
        self._monotonic = time.monotonic if clock is None else clock.monotonic
        self._told: dict[tuple[str, str], object] = {}
        self._look_again_at = self._monotonic() + refresh

        texts = self._texts()
        settings = FlagSettings(**{field: _value(field, text) for field, text in texts.items()})
        self._reading = _Reading(texts, Deciding(settings, self.source, salt))

    @property
    def settings(self) -> FlagSettings:
        """The flags as they stand."""
        self._keep_up()
        return self._reading.deciding.settings

    @property
    def is_rollback(self) -> bool:
        """Whether both switches are set, and say off: the row that rolls back whatever else is in charge."""
        if self._monotonic() >= self._look_again_at:  # Asked on the way of every booking: not even a call.
            self._keep_up()
        return self._reading.is_rollback

    def resolve(self, restaurant_id: str) -> FlagDecision:
        """What the flags say about a restaurant, now."""
        if self._monotonic() >= self._look_again_at:
            self._keep_up()
        return self._reading.deciding.decide(restaurant_id)

    def explain(self, restaurant_id: str) -> Explanation:
        """The same, and why."""
        self._keep_up()
        return self._reading.deciding.explain(restaurant_id)

    def _texts(self) -> dict[str, str | None]:
        return {field: self._environ.get(variable.name) for field, variable in VARIABLES.items()}

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
                    changed[field] = _value(field, text)
                except FlagError as error:
                    self._tell(error)
        settings = attrs.evolve(before.deciding.settings, **changed)
        self._reading = _Reading(texts, Deciding(settings, self.source, self.salt))

    def _tell(self, error: FlagError) -> None:
        mine = object()
        if self._told.setdefault((error.variable, error.got), mine) is not mine:
            return
        try:
            if self._on_error is None:
                log.error("%s The last good value stays.", error)
            else:
                self._on_error(error)
        except Exception as failure:  # noqa: BLE001 - a host's code may raise anything, and the flags go on
            log.error("on_error failed with %s, for: %s", redacted(failure), error)


def _value(field: str, text: str | None) -> Any:
    variable = VARIABLES[field]
    return variable.read(variable.default if text is None else text)
