"""The lifecycle as a picture, with the way that one booking has taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from assignment_pipeline.domain.record import StateChange
from assignment_pipeline.lifecycle import TRANSITIONS, AssignmentState

_S = AssignmentState
PLACES = {
    _S.CREATED: (0, 0),
    _S.CAPACITY_VERIFIED: (1, 0),
    _S.ASSIGNMENT_PENDING: (2, 0),
    _S.ASSIGNMENT_IN_PROGRESS: (3, 0),
    _S.ASSIGNED: (4, 0),
    _S.CONFIRMED: (5, 0),
    _S.MANUAL_REVIEW: (3, 1),
    _S.FAILED: (1, 2),
    _S.CANCELLED: (5, 2),
}
"""Column and line of each state."""

BOX, STRIDE = (116, 34), (138, 72)


@attrs.frozen
class Box:
    """A state."""

    x: int
    y: int
    words: str
    is_here: bool
    was_here: bool


@attrs.frozen
class Edge:
    """A transition, from box to box."""

    path: str
    taken: bool


@attrs.frozen
class Diagram:
    """The picture: its size, its boxes and its lines, those that were taken last."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]


def diagram_of(state: AssignmentState | None, history: Iterable[StateChange]) -> Diagram:
    """The lifecycle, with the state that a booking is in and the way that its history took."""
    taken = {(step.from_state, step.to_state) for step in history}
    passed = {place for pair in taken for place in pair}
    boxes = tuple(
        Box(*_corner(place), place.value.removeprefix("assignment_").replace("_", " "), place is state, place in passed)
        for place in AssignmentState
    )
    edges = sorted(
        (Edge(_line(*pair), pair in taken) for pair in set(_pairs())), key=lambda edge: (edge.taken, edge.path)
    )
    width = max(x for x, _ in PLACES.values()) * STRIDE[0] + BOX[0] + 8
    height = max(y for _, y in PLACES.values()) * STRIDE[1] + BOX[1] + 40
    return Diagram(width, height, boxes, tuple(edges))


def _pairs() -> Iterator[tuple[AssignmentState, AssignmentState]]:
    for row in TRANSITIONS:
        yield from ((source, row.dest) for source in row.sources if row.dest is not None)


def _corner(state: AssignmentState) -> tuple[int, int]:
    column, line = PLACES[state]
    return 4 + column * STRIDE[0], 34 + line * STRIDE[1]


def _line(source: AssignmentState, dest: AssignmentState) -> str:
    """From the middle of one box's side to another's; beside each other, straight; else in a curve."""
    (x, y), (u, v) = _corner(source), _corner(dest)
    width, height = BOX
    if y == v and abs(x - u) == STRIDE[0]:
        return f"M{x + width},{y + 17} L{u},{v + 17}" if x < u else f"M{x},{y + 25} L{u + width},{v + 25}"
    if y == v:
        top = y - 30
        return f"M{x + width // 2},{y} C{x + width // 2},{top} {u + width // 2},{top} {u + width // 2},{v}"
    start, end = (y + height, v) if y < v else (y, v + height)
    middle = (start + end) // 2
    return f"M{x + width // 2},{start} C{x + width // 2},{middle} {u + width // 2},{middle} {u + width // 2},{end}"
