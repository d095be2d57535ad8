"""The states of an assignment and the triggers between them."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import attrs

from assignment_pipeline.errors import ENDED, IllegalTransitionError
from assignment_pipeline.plain import Printed

if TYPE_CHECKING:
    from transitions import Machine


class AssignmentState(enum.StrEnum):
    """Where an assignment stands."""

    CREATED = "created"
    CAPACITY_VERIFIED = "capacity_verified"
    ASSIGNMENT_PENDING = "assignment_pending"
    ASSIGNMENT_IN_PROGRESS = "assignment_in_progress"
    ASSIGNED = "assigned"
    CONFIRMED = "confirmed"
    MANUAL_REVIEW = "manual_review"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Trigger(enum.StrEnum):
    """What moves an assignment on."""

    VERIFY = "verify"
    ENQUEUE = "enqueue"
    BEGIN = "begin"
    SEAT = "seat"
    CONFIRM = "confirm"
    MOVE = "move"
    RETRY = "retry"
    ESCALATE = "escalate"
    REQUEUE = "requeue"
    FAIL = "fail"
    CANCEL = "cancel"
    REINSTATE = "reinstate"


@attrs.frozen(repr=False)
class Transition(Printed):
    """
    A row of the transition table.

    Attributes:
        trigger: What is fired.

        sources: The states in which it may be.

        dest: The state that follows; None means the same again.
    """

    trigger: Trigger
    sources: tuple[AssignmentState, ...]
    dest: AssignmentState | None


_S, _T = AssignmentState, Trigger
_OPEN = (_S.CREATED, _S.CAPACITY_VERIFIED, _S.ASSIGNMENT_PENDING, _S.ASSIGNMENT_IN_PROGRESS, _S.ASSIGNED)

TRANSITIONS: tuple[Transition, ...] = (
    Transition(_T.VERIFY, (_S.CREATED,), _S.CAPACITY_VERIFIED),
    Transition(_T.ENQUEUE, (_S.CAPACITY_VERIFIED,), _S.ASSIGNMENT_PENDING),
    Transition(_T.BEGIN, (_S.ASSIGNMENT_PENDING,), _S.ASSIGNMENT_IN_PROGRESS),
    Transition(_T.SEAT, (_S.ASSIGNMENT_IN_PROGRESS, _S.MANUAL_REVIEW), _S.ASSIGNED),
    Transition(_T.CONFIRM, (_S.ASSIGNED,), _S.CONFIRMED),
    Transition(_T.MOVE, (_S.ASSIGNED, _S.CONFIRMED), None),
    Transition(_T.RETRY, (_S.ASSIGNMENT_IN_PROGRESS, _S.ASSIGNED), _S.ASSIGNMENT_PENDING),
    Transition(_T.ESCALATE, _OPEN, _S.MANUAL_REVIEW),
    Transition(_T.REQUEUE, (_S.MANUAL_REVIEW, _S.CONFIRMED), _S.ASSIGNMENT_PENDING),
    Transition(_T.FAIL, (*_OPEN, _S.MANUAL_REVIEW), _S.FAILED),
    Transition(_T.CANCEL, (*_OPEN, _S.CONFIRMED, _S.MANUAL_REVIEW), _S.CANCELLED),
    Transition(_T.REINSTATE, (_S.FAILED, _S.CANCELLED), _S.ASSIGNMENT_PENDING),
)
"""The lifecycle, as data: the Machine, `step`, the diagram and the docs are all made of it."""

TO_PENDING = (Trigger.VERIFY, Trigger.ENQUEUE)
"""What brings a new assignment to where it can begin."""

WITH_TABLES = frozenset({AssignmentState.ASSIGNED, AssignmentState.CONFIRMED})
"""The states in which an assignment has tables; in no other has it any."""

FINAL = frozenset(map(AssignmentState, ENDED))
"""The states that only `Trigger.REINSTATE` leaves: a person, or a late payment. No automatic call does."""

SETTLED = FINAL | {AssignmentState.CONFIRMED, AssignmentState.MANUAL_REVIEW}
"""The states that ``assign()`` leaves alone."""

UNSETTLED = frozenset(AssignmentState) - SETTLED - WITH_TABLES
"""The states in which it still has to be seated."""

WAKEABLE = frozenset({AssignmentState.ASSIGNMENT_PENDING, AssignmentState.MANUAL_REVIEW})
"""The states in which freed tables may be news to it."""


def build_machine(
    model: object | None = None, *, initial: AssignmentState | str | None = None, **options: Any
) -> Machine:
    """
    A fresh `transitions.Machine` of the table, for hosts that attach models or callbacks, or draw it.

    Real assignments do not run through it: hook into those with events and ``on_commit``.

    Args:
        model: What gets the triggers as methods; None builds a Machine without a model. A method of its own that is
            called like a trigger stays as it is: fire that one with ``model.trigger("cancel")``.

        initial: Where it starts; by default where the model is, as its attribute ``state`` says, else ``created``.

        options: Handed to the Machine, such as ``after_state_change``.

    Raises:
        ValueError: *initial*, or the model's ``state``, is no state.
    """
    from transitions import Machine  # noqa: PLC0415 - 30 ms that a process which only imports us need not pay

    if initial is None:
        initial = getattr(model, "state", None) or AssignmentState.CREATED
    rows = [
        {
            "trigger": row.trigger.value,
            "source": [state.value for state in row.sources],
            "dest": "=" if row.dest is None else row.dest.value,
        }
        for row in TRANSITIONS
    ]
    return Machine(
        model=model,
        states=[state.value for state in AssignmentState],
        transitions=rows,
        initial=AssignmentState(initial).value,
        auto_transitions=False,
        **options,
    )


@cache
def _steps() -> Mapping[tuple[AssignmentState, Trigger], AssignmentState]:
    machine = build_machine()
    return {
        (AssignmentState(source), Trigger(name)): AssignmentState(transition.dest or source)
        for name, event in machine.events.items()
        for source, rows in event.transitions.items()
        for transition in rows
    }


def step(state: AssignmentState, trigger: Trigger) -> AssignmentState:
    """
    The state that follows, looked up in a table that was compiled from the Machine.

    Raises:
        IllegalTransitionError: *trigger* does not leave *state*.
    """
    try:
        return _steps()[state, trigger]
    except KeyError:
        raise IllegalTransitionError(state.value, trigger.value) from None


@cache  # Flows fire a few dozen rows of triggers, over and over.
def walk(state: AssignmentState, triggers: tuple[Trigger, ...]) -> tuple[AssignmentState, ...]:
    """
    The states that *triggers* lead through from *state*, one a trigger.

    Raises:
        IllegalTransitionError: One of them does not leave the state that it was fired in.
    """
    table, states = _steps(), []
    for trigger in triggers:
        try:
            state = table[state, trigger]
        except KeyError:
            raise IllegalTransitionError(state.value, trigger.value) from None
        states.append(state)
    return tuple(states)


def diagram() -> str:
    """The lifecycle as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {AssignmentState.CREATED}"]
    for row in TRANSITIONS:
        lines += [f"    {source} --> {row.dest or source}: {row.trigger}" for source in row.sources]
    lines += [f"    {state} --> [*]" for state in AssignmentState if state in FINAL]
    return "\n".join(lines) + "\n"
