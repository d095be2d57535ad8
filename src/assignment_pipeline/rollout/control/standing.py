"""Where a rollout stands."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Mapping, Sequence

import attrs

from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.errors import InvalidValueError
from assignment_pipeline.rollout.control.exposure import EXPOSURE, Part
from assignment_pipeline.rollout.control.ladder import LADDER
from assignment_pipeline.rollout.control.phases import OWN_DAYS, TIME_IN_PHASE, Criterion, Phase, SignOff, is_own_day
from assignment_pipeline.rollout.control.sample_ratio import SAMPLE_RATIO
from assignment_pipeline.rollout.control.verdicts import Answer, Verdict

SIGN_OFF = "sign_off"

_HOUR = 3600.0


@attrs.frozen(kw_only=True)
class Standing:
    """
    Where the rollout stands, and what is between it and the next phase.

    Attributes:
        revision: The revision in force.

        phase: The phase that it is in; None before the first.

        since: Since when; None before the first.

        now: When this was found.

        next: The phase that `Rollout.advance` would go on to; None at the end, before the first and after a rollback.

        below: Where one step back leads; None where nothing is on.

        verdicts: What its criteria say, the time in the phase, the service days and the sign-offs included.

        overridden: Whether the environment rolls back whatever the database says.

        attempt: For which time the rollout is in this phase: entering it again until a gate passes is no proof.

        parts: What came of each cohort, where it was changed in this phase.
    """

    revision: RolloutRevision
    phase: Phase | None
    since: dt.datetime | None
    now: dt.datetime
    next: Phase | None
    below: Phase | None
    verdicts: tuple[Verdict, ...]
    overridden: bool
    attempt: int = 1
    parts: tuple[Part, ...] = ()

    @property
    def passes(self) -> bool:
        """Whether `Rollout.advance` would go on: nothing holds it, and there is something to go on to."""
        return self.next is not None and not self.overridden and not self.blocking

    @property
    def blocking(self) -> tuple[str, ...]:
        """What holds it, in words, for each criterion that does not pass."""
        return tuple(
            f"{verdict.metric} says {verdict.answer}: {verdict.missing or 'it is not met'}"
            for verdict in self.verdicts
            if verdict.answer is not Answer.PASS
        )

    @property
    def unhealthy(self) -> tuple[str, ...]:
        """Why the numbers cannot be trusted, in words; none where they can."""
        return tuple(
            f"{verdict.metric}: {verdict.missing}" for verdict in self.verdicts if verdict.answer is Answer.UNHEALTHY
        )

    @property
    def passes_at(self) -> dt.datetime | None:
        """When everything can pass at the earliest, as far as anything tells; None if nothing does, or it is past."""
        known = [verdict.passes_at for verdict in self.verdicts if verdict.passes_at is not None]
        last = max(known, default=None)
        return last if last is not None and last > self.now else None

    @property
    def untold(self) -> tuple[str, ...]:
        """The criteria that say HOLD, and for which no time is known at which they can pass. Sign-offs are left out."""
        return tuple(
            verdict.metric
            for verdict in self.verdicts
            if verdict.answer is Answer.HOLD
            and (verdict.passes_at is None or verdict.passes_at <= self.now)
            and not verdict.metric.startswith(SIGN_OFF)
        )


def judge_phase(
    phase: Phase,
    since: dt.datetime,
    now: dt.datetime,
    measured: Sequence[Verdict],
    signed_off: Mapping[str, str],
) -> tuple[Verdict, ...]:
    """
    What all that a phase asks for says: its time, its service days, its criteria as measured, and its sign-offs.

    Raises:
        ValueError: It asks for no sign-off of such a role.
    """
    roles = {sign_off.role for sign_off in phase.sign_offs}
    strangers = sorted(set(signed_off) - roles)
    if strangers:
        asked = f"roles among {', '.join(sorted(roles))}" if roles else "none"
        raise InvalidValueError("signed_off", f"{asked} in phase {phase.name}", f"{', '.join(strangers)}")
    by_metric = {verdict.metric: verdict for verdict in measured}
    return (
        *(verdict for verdict in measured if verdict.metric in (EXPOSURE, SAMPLE_RATIO)),
        *([time_verdict(phase, since, now)] if phase.min_time else []),
        *([by_metric.get(OWN_DAYS) or own_days_verdict(phase, None)] if phase.own_days else []),
        *(
            believed(criterion, by_metric.get(criterion.metric))
            for criterion in phase.criteria
            if criterion.metric in by_metric or not criterion.optional
        ),
        *(sign_off_verdict(sign_off, signed_off.get(sign_off.role)) for sign_off in phase.sign_offs),
    )


def time_verdict(phase: Phase, since: dt.datetime, now: dt.datetime) -> Verdict:
    """Whether the rollout has been in a phase for long enough; to the second is."""
    spent, asked = (now - since).total_seconds(), phase.min_time.total_seconds()
    done = spent >= asked
    return Verdict(
        metric=TIME_IN_PHASE,
        answer=Answer.PASS if done else Answer.HOLD,
        value=round(spent / _HOUR, 4),
        threshold=asked / _HOUR,
        missing=None if done else f"{(asked - spent) / _HOUR:.1f} h more",
        passes_at=since + phase.min_time,
        numbers={"seconds": spent},
    )


def own_days_verdict(phase: Phase, book: Mapping[dt.date, tuple[int, int]] | None) -> Verdict:
    """
    Whether enough service days were the pipeline's.

    Args:
        phase: The phase.

        book: Of each service day that is over, how many bookings the pipeline seated, of how many; None if nobody
            looked.
    """
    own = sum(is_own_day(*found) for found in (book or {}).values())
    done = own >= phase.own_days
    missing = None if done else f"{phase.own_days - own} more of {phase.own_days} service days"
    if book is None:
        missing = "nothing measures it here"
    elif book and not done:
        last = max(book)
        missing = f"{missing}: {book[last][0]:,} of {book[last][1]:,} bookings of {last} are the pipeline's"
    return Verdict(
        metric=OWN_DAYS,
        answer=Answer.PASS if done else Answer.HOLD,
        value=None if book is None else float(own),
        threshold=float(phase.own_days),
        missing=missing,
        numbers={"days": {day.isoformat(): list(found) for day, found in (book or {}).items()}},
    )


def believed(criterion: Criterion, verdict: Verdict | None) -> Verdict:
    """That verdict, unless it lets pass what was not measured, too few, or not good enough: that only holds."""
    if verdict is None:
        return Verdict.of(criterion, Answer.HOLD, missing="nothing measures it here")
    if verdict.answer is not Answer.PASS:
        return verdict
    if verdict.value is None or not criterion.is_met(verdict.value):
        missing = "there is no value that is good enough"
    elif (verdict.sample or 0) < criterion.min_sample:
        missing = f"{criterion.min_sample - (verdict.sample or 0)} more to measure"
    else:
        return verdict
    return attrs.evolve(verdict, answer=Answer.HOLD, missing=missing)


def sign_off_verdict(sign_off: SignOff, name: str | None) -> Verdict:
    """Whether somebody has signed off."""
    missing = None if name else f"{sign_off.role} has to state that {sign_off.states}"
    return Verdict(metric=f"{SIGN_OFF}:{sign_off.role}", answer=Answer.PASS if name else Answer.HOLD, missing=missing)


def left_phases(history: Sequence[RolloutRevision]) -> dict[str | None, bool]:
    """
    The phases that the rollout was in, and whether all that each asked for passed when it last left it.

    Args:
        history: The changes of the rollout, newest first.
    """
    left: dict[str | None, bool] = {}
    for later, earlier in itertools.pairwise(history):
        if later.phase != earlier.phase:
            on = LADDER.rung(_phase(later.phase)) > LADDER.rung(_phase(earlier.phase)) >= 0
            answers = [verdict.get("answer") for verdict in later.evidence.get("verdicts", [{}])]
            left.setdefault(earlier.phase, on and all(answer == Answer.PASS for answer in answers))
    return left


def _phase(name: str | None) -> Phase | None:
    return next((phase for phase in LADDER.phases if phase.name == name), None)
