"""The phases of a rollout, as data: what each sets, for how long, and what has to hold before the next."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import attrs

from assignment_pipeline.domain.checks import identifier, number, whole
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.rollout.control.bounds import Bound
from assignment_pipeline.rollout.control.metrics import (
    CLOSED_LOOP_COVERS,
    CLOSED_LOOP_PARTIES,
    CONFIRMATION_RATE,
    ERROR_RATE,
    EVENT_VOLUME,
    INFEASIBLE_RISE,
    RELATIVE_CONFIRMATION,
    REVIEW_RATE,
)
from assignment_pipeline.rollout.flags import FlagSettings
from assignment_pipeline.rollout.flags.cohorts import basis_points
from assignment_pipeline.rollout.flags.environment import variables_of

TIME_IN_PHASE = "time_in_phase"
"""How long the rollout has been in its phase: hours."""

OWN_DAYS = "own_days"
"""How many service days of the phase were the pipeline's."""

OWN_SHARE = 0.8
"""Of a service day's bookings, as many have to be the pipeline's before the day is."""

SAMPLE = 200
"""How many have to be measured before a criterion passes, unless it says otherwise."""

ERROR = 0.05
"""How often a criterion may say something wrong, over all looks of a phase, unless it says otherwise."""


def is_own_day(own: int, bookings: int) -> bool:
    """Whether a service day is the pipeline's, with so many of its bookings."""
    return own >= OWN_SHARE * bookings > 0


@attrs.frozen(kw_only=True)
class Criterion:
    """
    What has to hold before a phase may be left for the next.

    Attributes:
        metric: What is measured.

        at_least: The value that it has to reach; None where it has a bound from above.

        at_most: The value that it must not exceed.

        min_sample: How many have to be measured before it passes.

        margin: By how much the true value may be worse than that. The value is better than it seems or worse, by
            chance; how much of that is accepted says how many bookings it takes. A point, for a rate of 95 %, takes a
            few hundred if nearly all goes well.

        error: The probability that it passes although the true value is worse than the margin allows; and that it fails
            although the true value is good enough. From 0 to 1; however often one looks.

        min_restaurants: At how many restaurants they have to be, on each side, where two planners are compared.

        optional: Whether it is asked for only once anything is counted for it.

        bound: The one of `at_least` and `at_most` that was given.

        acceptable: The bound, less the margin.
    """

    metric: str = attrs.field(validator=identifier)
    at_least: float | None = attrs.field(default=None, validator=attrs.validators.optional(number(-1e9, 1e9)))
    at_most: float | None = attrs.field(default=None, validator=attrs.validators.optional(number(-1e9, 1e9)))
    min_sample: int = attrs.field(default=SAMPLE, validator=whole(0, 10**9))
    margin: float = attrs.field(default=0.0, validator=number(0, 1e9))
    error: float = attrs.field(default=ERROR, validator=number(1e-9, 0.5))
    min_restaurants: int = attrs.field(default=1, validator=whole(1, 10**9))
    optional: bool = False
    bound: Bound = attrs.field(init=False, repr=False, eq=False)
    acceptable: Bound = attrs.field(init=False, repr=False, eq=False)

    @bound.default
    def _either(self) -> Bound:
        return Bound.of(self.metric, ("at_least", self.at_least), ("at_most", self.at_most))

    @acceptable.default
    def _less_the_margin(self) -> Bound:
        return self.bound.relaxed(self.margin)

    @property
    def threshold(self) -> float:
        """The bound's value."""
        return self.bound.value

    @property
    def direction(self) -> str:
        """``at_least`` or ``at_most``."""
        return "at_least" if self.bound.is_least else "at_most"

    @property
    def limit(self) -> float:
        """The value that is just acceptable: the threshold, less the margin."""
        return self.acceptable.value

    def is_met(self, value: float) -> bool:
        """Whether that value is acceptable; the limit itself is."""
        return not self.acceptable.is_beyond(value)


@attrs.frozen
class SignOff:
    """
    What no number shows, so that a person says it.

    Attributes:
        role: Who says so, such as ``qa``.

        states: What they state.
    """

    role: str = attrs.field(validator=identifier)
    states: str


@attrs.frozen(kw_only=True)
class Phase:
    """
    A phase of the rollout.

    Attributes:
        name: Its name.

        title: The same for people.

        settings: What the flags say in it, lists of restaurants apart.

        min_time: How long it takes at least.

        own_days: How many service days there have to be on which four of five bookings are the pipeline's. Before
            that, it plans around what legacy has seated.

        criteria: What has to hold before the next.

        sign_offs: What people have to state before the next.
    """

    name: str = attrs.field(validator=identifier)
    title: str
    settings: FlagSettings
    min_time: dt.timedelta = dt.timedelta()
    own_days: int = attrs.field(default=0, validator=whole(0, 10_000))
    criteria: tuple[Criterion, ...] = ()
    sign_offs: tuple[SignOff, ...] = ()

    @property
    def exposure(self) -> int:
        """How many of the restaurants the pipeline is in charge of, in basis points."""
        return self.settings.percent if self.settings.enabled else 0

    @property
    def mode(self) -> Mode:
        """How the flags have the pipeline work in it, where it covers a restaurant."""
        return Mode.ACTIVE if self.settings.enabled else Mode.SHADOW if self.settings.shadow else Mode.OFF

    @property
    def variables(self) -> dict[str, str]:
        """What to set in the environment for it, where that decides: see `variables_of`."""
        return variables_of(self.settings)


# The margins are what a few hundred bookings can show, where nearly all goes well: see docs/concepts/gates.md.
_NO_ERRORS = Criterion(metric=ERROR_RATE.name, at_most=0.0, margin=0.02)
_CONFIRMED = Criterion(metric=CONFIRMATION_RATE.name, at_least=0.95, margin=0.01)
_FEW_REVIEWS = Criterion(metric=REVIEW_RATE.name, at_most=0.10, margin=0.02)
_FEW_ERRORS = Criterion(metric=ERROR_RATE.name, at_most=0.01, margin=0.01)
_NO_WORSE = Criterion(metric=RELATIVE_CONFIRMATION.name, at_least=-0.01, margin=0.02, min_restaurants=2)
# A case that the shadow drops under load is reported as dropped. With more than one in a hundred, it is not shadowing.
_ALL_TOLD = Criterion(metric=EVENT_VOLUME.name, at_least=0.99, margin=0.01)
# How well the pipeline agrees, by its own cost, is information: a planner with another cost agrees with itself, too.
_SEATS_AS_MANY_GUESTS = Criterion(metric=CLOSED_LOOP_COVERS.name, at_least=-0.01, margin=0.04, min_sample=20)
_SEATS_AS_MANY_PARTIES = Criterion(metric=CLOSED_LOOP_PARTIES.name, at_least=-0.01, margin=0.04, min_sample=20)

# In charge, the pipeline has a control where legacy runs in reverse shadow.
_CONTROLLED = tuple(attrs.evolve(each, optional=True) for each in (_SEATS_AS_MANY_GUESTS, _SEATS_AS_MANY_PARTIES))

# A planner that fills the room badly proves the rest impossible. It has the restaurant's own past to be held against.
_NO_MORE_IMPOSSIBLE = Criterion(metric=INFEASIBLE_RISE.name, at_most=0.01, margin=0.04, min_sample=20)

_QA = SignOff("qa", "no bug of priority 0 or 1 is open")
_LEAD = SignOff("engineering-lead", "the next phase may begin")
_SUPPORT = SignOff("support", "no customer has complained")
_ON_CALL = SignOff("on-call", "there was no incident")

ROLLBACK = Phase(name="rollback", title="Rollback: off everywhere", settings=FlagSettings())
"""Off. Every phase may be rolled back to it; to go on, a phase is entered again."""

PHASES: Mapping[str, Phase] = {
    phase.name: phase
    for phase in (
        Phase(name="local", title="Local: in charge on a developer's machine", settings=FlagSettings(enabled=True)),
        Phase(
            name="staging-shadow",
            title="Staging, in shadow",
            settings=FlagSettings(shadow=True),
            min_time=dt.timedelta(hours=24),
            criteria=(_NO_ERRORS, _ALL_TOLD),
        ),
        Phase(
            name="staging-full",
            title="Staging, in charge",
            settings=FlagSettings(enabled=True),
            min_time=dt.timedelta(hours=48),
            criteria=(_CONFIRMED, _FEW_REVIEWS),
            sign_offs=(_QA, _LEAD),
        ),
        Phase(
            name="production-shadow",
            title="Production, in shadow",
            settings=FlagSettings(shadow=True),
            min_time=dt.timedelta(hours=24),
            criteria=(_SEATS_AS_MANY_GUESTS, _SEATS_AS_MANY_PARTIES, _NO_ERRORS, _ALL_TOLD),
        ),
        Phase(
            name="production-10",
            title="Production, in charge of 10 % of the restaurants",
            settings=FlagSettings(enabled=True, percent=basis_points("10")),
            min_time=dt.timedelta(hours=24),
            own_days=1,
            criteria=(_CONFIRMED, _FEW_REVIEWS, _FEW_ERRORS, _NO_WORSE, *_CONTROLLED),
            sign_offs=(_SUPPORT,),
        ),
        Phase(
            name="production-50",
            title="Production, in charge of 50 % of the restaurants",
            settings=FlagSettings(enabled=True, percent=basis_points("50")),
            min_time=dt.timedelta(hours=24),
            own_days=1,
            criteria=(_CONFIRMED, _FEW_REVIEWS, _FEW_ERRORS, _NO_WORSE, *_CONTROLLED),
            sign_offs=(_SUPPORT,),
        ),
        Phase(
            name="production-100",
            title="Production, in charge everywhere",
            settings=FlagSettings(enabled=True),
            min_time=dt.timedelta(days=7),
            own_days=3,
            criteria=(_CONFIRMED, _FEW_REVIEWS, _FEW_ERRORS, _NO_MORE_IMPOSSIBLE, *_CONTROLLED),
            sign_offs=(_ON_CALL,),
        ),
        ROLLBACK,
    )
}
"""
Every phase, by its name: from the first to the last, and the rollback.

What has to hold in the last is what legacy may be removed on.
"""
