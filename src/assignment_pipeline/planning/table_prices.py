"""The proof by prices that nobody can make room: all parties together could not pay for tables at one time."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from assignment_pipeline.planning.base import FloorSnapshot
from assignment_pipeline.planning.candidate_seatings import Choice
from assignment_pipeline.planning.movable_parties import MovableParties, bits

LOOKS = 20_000
"""How many places are priced until it gives up."""

STEPS = 300
"""How many parties are seated, one after another, to see whether there is anything to prove."""

ROUNDED = 1e-6
"""More than what rounding could make of sums of prices."""

_Place = tuple[int, ...]

_Parties = tuple[Sequence[_Place], int]
"""The places of one kind of party, and how many of these parties there are."""


class TablePrices:
    """
    Prices of the tables at one time, which prove that not all parties can sit.

    If the cheapest places of all parties cost more together than all tables, they cannot all sit, whatever the prices
    are. So it looks for such prices. A table that several parties want gets dearer, one that none wants gets cheaper,
    by Polyak's rule for subgradients. The seats of a table are a price like others, which `SeatCount` looks at first.

    Args:
        floor: Who sits where.

        movable: The parties that may be moved, and where to.
    """

    def __init__(self, floor: FloorSnapshot, movable: MovableParties) -> None:
        self._floor = floor
        self._movable = movable
        self._known: dict[tuple[Choice, int], bool] = {}
        self._places: dict[tuple[int, int], list[_Place]] = {}

    def prove_no_room(self, choice: Choice, time: int) -> bool:
        """
        Whether it is proved that one more party finds no table at the minute *time*, wherever the others move.

        Args:
            choice: Where that party could sit.

            time: A minute, counted from 1970.
        """
        if self._floor.venue.floor.has_any_seats:  # Not all sets of seats at a communal table are listed.
            return False
        known = self._known.get((choice, time))
        if known is None:
            known = self._known[choice, time] = self._proves(choice, time)
        return known

    def _proves(self, choice: Choice, time: int) -> bool:
        held = self._floor.held.taken(time, time + 1)
        parties: dict[int, _Parties] = {}
        for party in bits(self._movable.meeting((time, time + 1))):
            places = self._places_of(party)
            _, number = parties.get(id(places), (places, 0))
            parties[id(places)] = places, number + 1
        mine = [tuple(bits(mask)) for mask in choice.option_masks if not mask & held]
        everybody = [*parties.values(), (mine, 1)]
        return bool(mine) and not _can_sit(everybody) and self._are_too_dear(everybody)

    def _places_of(self, party: int) -> list[_Place]:
        """The tables of each place that a party could have: where it is, or where it might go."""
        home, kind = self._movable.homes[party], self._movable.kind_for(self._movable.parties[party].request)
        key = id(kind), 0 if home in kind.of else home
        known = self._places.get(key)
        if known is None:
            masks = kind.masks if home in kind.of else [*kind.masks, home]
            known = self._places[key] = [tuple(bits(mask)) for mask in masks]
        return known

    def _are_too_dear(self, parties: Sequence[_Parties]) -> bool:
        """Whether prices are found at which so many parties with each of these choices cannot all pay for a place."""
        tables = self._floor.venue.floor.tables
        prices = {table: tables[table].capacity / 2 for places, _ in parties for place in places for table in place}
        for _ in range(LOOKS // sum(len(places) for places, _ in parties)):
            wanted = dict.fromkeys(prices, -1)
            lacking = -sum(prices.values())
            for places, number in parties:
                cost, cheapest = min([(sum([prices[table] for table in place]), place) for place in places])
                lacking += number * cost
                for table in cheapest:
                    wanted[table] += number
            if lacking > ROUNDED:
                return True
            apart = sum([number * number for number in wanted.values()])
            if not apart:  # Each has a table that nobody else wants.
                return False
            step = (1 - lacking) / apart
            prices = {table: max(price + step * wanted[table], 0.0) for table, price in prices.items()}
        return False


def _can_sit(parties: Sequence[_Parties]) -> bool:
    """Whether a few steps find a place for each: those with the fewest places first, at the fewest tables."""
    kinds = (
        (sorted((sum(1 << table for table in place) for place in places), key=int.bit_count), number)
        for places, number in parties
    )
    waiting = sorted(itertools.chain.from_iterable(itertools.repeat(masks, number) for masks, number in kinds), key=len)
    steps = itertools.repeat(None, STEPS)

    def seat(party: int, taken: int) -> bool:
        if party == len(waiting):
            return True
        if next(steps, steps) is steps:
            return False
        return any(not mask & taken and seat(party + 1, taken | mask) for mask in waiting[party])

    return seat(0, 0)
