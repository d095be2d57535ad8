"""What the tiers that move parties work with: where a party could sit, and who would have to go where."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence

import attrs

from assignment_pipeline.domain.floor import Seating
from assignment_pipeline.plain import Printed
from assignment_pipeline.planning.base import SeatingRequest, Sitting


@attrs.frozen(eq=False, repr=False)
class Option(Printed):
    """
    A place that a party may get if movable parties that sit there now give way.

    Attributes:
        seating: The tables.

        cost: What they cost, in wasted seats, but for the gaps that depend on the neighbours in time.
    """

    seating: Seating
    cost: float


Options = Callable[[SeatingRequest], Sequence[Option]]
"""
Where a party may sit: the cheapest first.

Size, wishes, rules and strategies allow it there, and nobody who cannot be moved has one of the tables at the time.
Parties of one kind may be handed the same sequence; it stays as it is.
"""


@attrs.frozen(eq=False, repr=False)
class Arrangement(Printed):
    """
    A place for one more party, and how room is made for it.

    Attributes:
        option: Its place.

        moves: Who moves, and where to: each party once.
    """

    option: Option
    moves: tuple[tuple[Sitting, Option], ...]


class NotPossible(enum.Enum):
    """The refusal that no move makes room."""

    PROVED = "proved"
