"""Feature flags: what they say about a restaurant, and why."""

from __future__ import annotations

import enum
import functools
from collections.abc import Callable
from typing import Protocol

import attrs

from assignment_pipeline.domain.checks import enum_fields, whole
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.plain import Printed
from assignment_pipeline.ports import FlagDecision, FlagResolver
from assignment_pipeline.rollout.flags.cohorts import BUCKETS, bucket, percentage

MAX_PARALLEL = 20
DEFAULT_PARALLEL = 3
DEFAULT_SALT = "assignment-pipeline-v3"

_KEPT_DECISIONS = 10_000


class FlagRule(enum.StrEnum):
    """What decided about a restaurant: the first of these that applies."""

    DISABLED = "disabled"
    EXCLUDED = "excluded"
    LISTED = "listed"
    PERCENT = "percent"
    FIXED = "fixed"


@attrs.frozen(kw_only=True, repr=False)
class Explanation(Printed):
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

        generation: The rollout's generation that they were read under; None where no store was asked.
    """

    restaurant_id: str
    mode: Mode
    rule: FlagRule
    bucket: int
    threshold: int | None
    lists: tuple[str, ...]
    source: str
    salt: str
    generation: int | None = None

    @property
    def sentence(self) -> str:
        """The same for people to read."""
        stands = "in shadow" if self.mode is Mode.SHADOW else self.mode.value
        return f"Restaurant {self.restaurant_id!r} is {stands}: {self._because}."

    @property
    def _because(self) -> str:
        if self.rule is FlagRule.DISABLED:
            return "the pipeline is neither enabled nor in shadow"
        if self.threshold is None:
            return f"it is {self.rule}"
        compares = "not below" if self.mode is Mode.OFF else "below"
        return f"its bucket, {self.bucket}, is {compares} {self.threshold} ({percentage(self.threshold)} %)"


@attrs.frozen(kw_only=True, repr=False)
class FlagSettings(Printed):
    """
    The flags as they stand, from any source.

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

    def explain(self, restaurant_id: str, *, source: str, salt: str, generation: int | None = None) -> Explanation:
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
            generation=generation,
        )

    def _decide(self, restaurant_id: str, place: int) -> tuple[Mode, FlagRule, int | None]:
        cohorts = [
            (mode, listed, threshold)
            for switch, mode, listed, threshold in (
                (self.enabled, Mode.ACTIVE, self.restaurants, self.percent),
                (self.shadow, Mode.SHADOW, self.shadow_restaurants, self.shadow_percent),
            )
            if switch
        ]
        if not cohorts:
            return Mode.OFF, FlagRule.DISABLED, None
        if restaurant_id in self.exclude:
            return Mode.OFF, FlagRule.EXCLUDED, None
        for mode, listed, threshold in cohorts:
            if restaurant_id in listed:
                return mode, FlagRule.LISTED, None
            if place < threshold:
                return mode, FlagRule.PERCENT, threshold
        return Mode.OFF, FlagRule.PERCENT, max(threshold for _, _, threshold in cohorts)

    def with_lists_of(self, other: FlagSettings) -> FlagSettings:
        """These, with the lists and the limit of *other*; a list for the shadow switches it on, for those alone."""
        kept = attrs.evolve(
            self,
            restaurants=other.restaurants,
            exclude=other.exclude,
            shadow_restaurants=other.shadow_restaurants,
            max_parallel=other.max_parallel,
        )
        if kept.shadow_restaurants and kept.enabled and not kept.shadow:
            return attrs.evolve(kept, shadow=True, shadow_percent=0)
        return kept


@attrs.frozen(eq=False, repr=False)
class Deciding(Printed):
    """
    Settings, and what they decide. Replaced as a whole, so that threads never see half of it.

    Attributes:
        settings: The flags as they stand.

        source: Where they came from, such as ``environment``.

        salt: Names the rollout, in at most 64 bytes.

        generation: The rollout's generation that they were read under; None where no store was asked.

        fresh: Whether the pipeline is known never to have been in charge under them.

        decide: What they say about a restaurant: worked out once for each, then looked up.
    """

    settings: FlagSettings
    source: str
    salt: str
    generation: int | None = None
    fresh: bool = False
    decide: Callable[[str], FlagDecision] = attrs.field(init=False, repr=False)

    @decide.default
    def _once_each(self) -> Callable[[str], FlagDecision]:
        return functools.lru_cache(maxsize=_KEPT_DECISIONS)(self._decide)

    def _decide(self, restaurant_id: str) -> FlagDecision:
        found = self.explain(restaurant_id)
        return FlagDecision(
            mode=found.mode,
            max_parallel=self.settings.max_parallel,
            reason=found.rule.value,
            source=self.source,
            bucket=found.bucket if found.rule is FlagRule.PERCENT else None,
            generation=self.generation,
            fresh=self.fresh,
        )

    def explain(self, restaurant_id: str) -> Explanation:
        """The same, and why."""
        return self.settings.explain(restaurant_id, source=self.source, salt=self.salt, generation=self.generation)


class ExplainedFlags(FlagResolver, Protocol):
    """A `FlagResolver` that can say why."""

    def explain(self, restaurant_id: str) -> Explanation:
        """What the flags say about that restaurant, now, and why."""
        ...


@attrs.frozen(field_transformer=enum_fields, repr=False)
class FixedFlags(Printed):
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
            mode=self.mode, max_parallel=self.max_parallel, reason=FlagRule.FIXED.value, source=FlagRule.FIXED.value
        )

    def resolve(self, restaurant_id: str) -> FlagDecision:  # noqa: ARG002 - it does not matter which
        """What was fixed."""
        return self._decision
