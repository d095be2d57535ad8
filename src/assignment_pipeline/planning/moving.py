"""What a plan costs for which others move."""

from __future__ import annotations

from assignment_pipeline.domain.floor import Occupied, Seating
from assignment_pipeline.domain.result import Move, Plan
from assignment_pipeline.planning.base import FloorSnapshot, Occupancy, SeatingRequest
from assignment_pipeline.planning.candidate_seatings import Candidate
from assignment_pipeline.planning.costs import weigh
from assignment_pipeline.planning.options import Arrangement
from assignment_pipeline.planning.question import Gaps, Question

MOVE_COST = 10.0
"""What it costs to move a party, in wasted seats."""


def plan_of(question: Question, arrangement: Arrangement, strategy: str) -> Plan:
    """
    The arrangement as a plan.

    The gaps are those that there are once everyone has moved. The part ``moves`` is ten seats for each party that
    moves, and by how much its new tables are dearer than those that it had.

    Raises:
        StrategyFaultError: A strategy raised, or answered what is no cost.
    """
    request, before = question.request, question.floor
    after = _after(before, arrangement)
    seating = arrangement.option.seating
    candidate = Candidate.of(request, before.venue, seating)
    parts = candidate.parts | {"gap": Gaps(request, after, question.reach).cost(candidate.places)}
    for weighing in question.strategies:
        parts[weighing.name] = weigh(weighing, request, seating, before) or 0.0
    parts["moves"] = MOVE_COST * len(arrangement.moves)
    for party, option in arrangement.moves:
        parts["moves"] += _cost(party.request, option.seating, after, question.reach)
        left = before.seating(*party.tables)
        if left is not None:
            parts["moves"] -= _cost(party.request, left, before, question.reach)
    moves = [
        Move(party.request.booking.id, party.tables, option.seating.table_ids) for party, option in arrangement.moves
    ]
    return Plan(seating.table_ids, round(sum(parts.values()), 9), parts, strategy, moves)


def _after(floor: FloorSnapshot, arrangement: Arrangement) -> FloorSnapshot:
    """The floor once all have moved."""
    moved = {party.request.booking.id for party, _ in arrangement.moves}
    rows = [row for row in floor.occupancy.rows if row.booking_id not in moved]
    rows += [
        Occupied(table_id=table, window=party.request.blocked, booking_id=party.request.booking.id, movable=True)
        for party, option in arrangement.moves
        for table in option.seating.table_ids
    ]
    return FloorSnapshot(floor.venue, Occupancy(floor.venue.floor.bits, rows))


def _cost(request: SeatingRequest, seating: Seating, floor: FloorSnapshot, reach: int) -> float:
    candidate = Candidate.of(request, floor.venue, seating)
    return candidate.cost + Gaps(request, floor, reach).cost(candidate.places)
