"""What a gate says, with the numbers that it says it on."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from assignment_pipeline.domain.checks import as_dict, aware, enum_fields, identifier, number, to_utc, whole
from assignment_pipeline.rollout.control.phases import Criterion, Phase

_FINITE = 1e300


class Answer(enum.StrEnum):
    """Whether a criterion lets the rollout go on."""

    PASS = "pass"  # noqa: S105 - no password
    HOLD = "hold"
    FAIL = "fail"
    UNHEALTHY = "unhealthy"
    """What is measured cannot be trusted: something ran where it should not, or is not reported."""


_optional_number = attrs.validators.optional(number(-_FINITE, _FINITE))


@attrs.frozen(kw_only=True, field_transformer=enum_fields)
class Verdict:
    """
    What one criterion of a phase says.

    Attributes:
        metric: What was measured: the criterion's metric, `TIME_IN_PHASE`, or ``sign_off:ROLE``.

        answer: Whether the rollout may go on, is to wait, or must not; or that its numbers cannot be trusted.

        value: What was found; None where there was nothing to measure.

        sample: How many were measured; None where nothing was counted.

        low: Where the true value lies above, with 95 % confidence; None where that means nothing.

        high: Where it lies below, likewise.

        threshold: What the value was compared with.

        direction: ``at_least`` or ``at_most``: how.

        missing: What it waits for or fails for, in words; None when it passes.

        passes_at: When it can pass at the earliest; None where nothing tells.

        numbers: What was counted: all that the rest can be computed from again.
    """

    metric: str = attrs.field(validator=identifier)
    answer: Answer = attrs.field(converter=Answer)
    value: float | None = attrs.field(default=None, validator=_optional_number)
    sample: int | None = attrs.field(default=None, validator=attrs.validators.optional(whole(0, 2**53)))
    low: float | None = attrs.field(default=None, validator=_optional_number)
    high: float | None = attrs.field(default=None, validator=_optional_number)
    threshold: float | None = attrs.field(default=None, validator=_optional_number)
    direction: str = attrs.field(default="at_least", validator=attrs.validators.in_(("at_least", "at_most")))
    missing: str | None = None
    passes_at: dt.datetime | None = attrs.field(
        default=None, converter=attrs.converters.optional(to_utc), validator=attrs.validators.optional(aware)
    )
    numbers: Mapping[str, Any] = attrs.field(factory=dict, converter=as_dict, hash=False)

    @classmethod
    def of(cls, criterion: Criterion, answer: Answer, **fields: Any) -> Verdict:
        """What that criterion says: its metric, threshold and direction, and the rest as given."""
        given = {"threshold": criterion.threshold, "direction": criterion.direction, **fields}
        return cls(metric=criterion.metric, answer=answer, **given)

    def document(self) -> dict[str, Any]:
        """The same as JSON: what a revision keeps as its evidence."""
        facts = attrs.asdict(self)
        facts["answer"] = self.answer.value
        facts["passes_at"] = self.passes_at.isoformat() if self.passes_at else None
        return facts

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> Verdict:
        """
        What `document` made *facts* of.

        Raises:
            ValueError: It did not make them.
        """
        moment = facts.get("passes_at")
        try:
            return cls(**{**facts, "passes_at": dt.datetime.fromisoformat(moment) if moment else None})
        except TypeError as error:
            raise ValueError(str(error)) from error


Gates = Callable[[Phase, dt.datetime, dt.datetime], Sequence[Verdict]]
"""
What measures a phase's criteria: given the phase, since when the rollout has been in it, and the time now.

It answers with one verdict for each of `Phase.criteria`, of the optional ones only if anything was counted for them.
The time in the phase and the sign-offs are not its business.
"""


def unmeasured(phase: Phase, since: dt.datetime, now: dt.datetime) -> tuple[Verdict, ...]:  # noqa: ARG001 - nobody looks
    """The gates where nothing measures: no data never promotes."""
    return tuple(
        Verdict.of(criterion, Answer.HOLD, missing="nothing measures it here")
        for criterion in phase.criteria
        if not criterion.optional
    )
