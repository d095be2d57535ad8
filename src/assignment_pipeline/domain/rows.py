"""Rows of seats that parties share: counters, where they sit side by side, and communal tables, where any seats do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from assignment_pipeline.plain import Printed

__all__ = ["MOST_SEATS", "RowOfSeats"]

MOST_SEATS = 60
"""Seats of a counter or a communal table at most."""


@attrs.frozen(eq=False, repr=False)
class RowOfSeats(Printed):
    """
    The seats of one counter or communal table.

    Attributes:
        name: What the restaurant calls it.

        bits: Its seats, in order, each as a mask of one bit.

        active: Those in use, as a mask. At a counter, one that is not parts the row.

        any_seats: Whether any of its seats do for a party, as at a communal table. Else they have to be side by side.

        mask: All its seats.
    """

    name: str
    bits: tuple[int, ...]
    active: int
    any_seats: bool
    mask: int = attrs.field(init=False)

    @mask.default
    def _all_of_them(self) -> int:
        return sum(self.bits)

    def runs(self) -> Iterator[int]:
        """Every two seats or more that are in use and side by side, as masks."""
        bits = [bit for bit in self.bits if bit & self.active] if self.any_seats else self.bits
        for first in range(len(bits)):
            run = 0
            for bit in bits[first:]:
                if not bit & self.active:
                    break
                run |= bit
                if run & (run - 1):
                    yield run

    def holds(self, mask: int) -> bool:
        """Whether those seats of it do for one party."""
        if self.any_seats:
            return True
        places = self._places(mask)
        return places[-1] - places[0] + 1 == len(places)

    def parties(self, busy: int, size: int) -> int:
        """How many parties of that size fit at once at the seats that are free."""
        if self.any_seats:
            return (self.active & ~busy).bit_count() // size
        fit = length = 0
        for bit in (*self.bits, 0):
            if bit & self.active & ~busy:
                length += 1
            else:
                fit += length // size
                length = 0
        return fit

    def beside(self, mask: int, busy: int) -> tuple[int, int]:
        """How many seats stay free on each side of a party that has those of *mask*, up to the next that is taken."""
        places, free = self._places(mask), self.active & ~busy
        return _free(self.bits[: places[0]][::-1], free), _free(self.bits[places[-1] + 1 :], free)

    def _places(self, mask: int) -> list[int]:
        return [place for place, bit in enumerate(self.bits) if bit & mask]


def _free(bits: Sequence[int], free: int) -> int:
    count = 0
    for bit in bits:
        if not bit & free:
            break
        count += 1
    return count
