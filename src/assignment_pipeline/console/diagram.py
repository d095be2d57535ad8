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
    _S.ASSIGNMENT_IN_PROGRESS: (2, 1),
    _S.ASSIGNED: (1, 1),
    _S.CONFIRMED: (0, 1),
    _S.MANUAL_REVIEW: (2, 2),
    _S.FAILED: (1, 2),
    _S.CANCELLED: (0, 2),
}
"""Column and line of each state: there and back, so that all of it fits on a phone."""

BOX, STRIDE = (104, 34), (126, 76)


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
    """The picture: its size and that of a box, its boxes, and its lines, those that were taken last."""

    width: int
    height: int
    box: tuple[int, int]
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
    shown = {pair for pair in _pairs() if pair in taken or _are_neighbours(*pair)}
    edges = sorted((Edge(_line(*pair), pair in taken) for pair in shown), key=lambda edge: (edge.taken, edge.path))
    width = max(x for x, _ in PLACES.values()) * STRIDE[0] + BOX[0] + 8
    height = max(y for _, y in PLACES.values()) * STRIDE[1] + BOX[1] + 32
    return Diagram(width, height, BOX, boxes, tuple(edges))


def _pairs() -> Iterator[tuple[AssignmentState, AssignmentState]]:
    for row in TRANSITIONS:
        yield from ((source, row.dest) for source in row.sources if row.dest is not None)


def _are_neighbours(source: AssignmentState, dest: AssignmentState) -> bool:
    """Whether one stands beside or below the other. Lines between others are drawn only where they were taken."""
    (column, line), (other, below) = PLACES[source], PLACES[dest]
    return abs(column - other) + abs(line - below) == 1


def _corner(state: AssignmentState) -> tuple[int, int]:
    column, line = PLACES[state]
    return 4 + column * STRIDE[0], 28 + line * STRIDE[1]


def _line(source: AssignmentState, dest: AssignmentState) -> str:
    """From box to box: beside each other, straight; in a line, over the one between; else between the lines."""
    (x, y), (u, v) = _corner(source), _corner(dest)
    width, height = BOX
    if y == v and abs(x - u) == STRIDE[0]:
        return f"M{x + width},{y + 12} L{u},{v + 12}" if x < u else f"M{x},{y + 22} L{u + width},{v + 22}"
    if y == v:
        top = y - 24
        return f"M{x + width // 2},{y} C{x + width // 2},{top} {u + width // 2},{top} {u + width // 2},{v}"
    start, end = (y + height, v) if y < v else (y, v + height)
    if abs(y - v) == STRIDE[1]:
        middle = (start + end) // 2
        return f"M{x + width // 2},{start} C{x + width // 2},{middle} {u + width // 2},{middle} {u + width // 2},{end}"
    # Past the line between: beside its boxes.
    side = max(x, u) - (STRIDE[0] - width) // 2 if x != u else x + width + (STRIDE[0] - width) // 2
    above, below = sorted((start, end))
    bends = above + 20, below - 20
    first, second = bends if start < end else bends[::-1]
    return f"M{x + width // 2},{start} L{side},{first} L{side},{second} L{u + width // 2},{end}"
