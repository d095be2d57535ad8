"""What the engine tries when no table is free: to move a few, and then to move whomever it takes."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from assignment_pipeline.domain.policy import Reseat
from assignment_pipeline.domain.result import Plan
from assignment_pipeline.planning import exact, repack, reseating
from assignment_pipeline.planning.base import Budget
from assignment_pipeline.planning.moving import plan_of
from assignment_pipeline.planning.options import Arrangement, NotPossible, Options
from assignment_pipeline.planning.question import Question

RESEATING = "reseating"

SHARE = 0.8
"""The share of the second tier's budget that it searches; the rest is for what has to be said about its answer."""


@attrs.frozen
class Room:
    """
    What came of the attempt to make room.

    Attributes:
        plan: The plan, with its moves, or None.

        proved: Whether it is certain that there is none.
    """

    plan: Plan | None = None
    proved: bool = False


def make_room(
    question: Question, options: Options, budget: Budget, began: float, monotonic: Callable[[], float]
) -> Room:
    """
    Look for tables that others would have to leave, as far as the policy and the floor let them.

    Raises:
        StrategyFaultError: A strategy raised, or answered what is no cost.
    """
    request, floor = question.request, question.floor
    # At a communal table any seats do, and not all sets of them are looked at.
    proves = not floor.venue.floor.has_any_seats
    if floor.venue.policy.reseat is Reseat.OFF or not floor.sitting:
        return Room()
    exactly = budget.total > budget.reseating and exact.available()
    total = budget.total.total_seconds()
    seconds = SHARE * min(budget.reseating.total_seconds(), total / 2 if exactly else total)
    few = reseating.make_room(request, floor, options, began + seconds, monotonic)
    if isinstance(few, Arrangement):
        return Room(plan_of(question, few, RESEATING))
    left = began + total - monotonic()
    if few is NotPossible.PROVED or not exactly or repack.least_seconds(floor) > left or not exact.is_at_hand(left):
        return Room(proved=proves and few is NotPossible.PROVED)
    many = repack.make_room(request, floor, options, left)
    if many.arrangement is None:
        return Room(proved=proves and many.proved)
    return Room(plan_of(question, many.arrangement, repack.REPACK))
