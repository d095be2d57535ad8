"""
An evening as binaries: one for each booking and each seating that could take it.

A row is a set of binaries of which one at most is chosen: those of a booking, and at each table those of the bookings
that overlap. Parties that overlap pairwise all sit at one instant, so a row for each maximal set of them is as good as
one for each pair, and makes the relaxation far tighter.
"""

from __future__ import annotations

import collections
import datetime as dt
from collections.abc import Iterable, Iterator, Sequence

import attrs

from assignment_pipeline import Booking, Venue
from assignment_pipeline.domain.floor import Seating
from assignment_pipeline.planning.base import SeatingRequest
from benchmarks.evenings.checks import window


@attrs.frozen
class Model:
    """
    The binaries of an evening, and the rows over them.

    Attributes:
        bookings: Whose they are.

        columns: For each binary, the position of its booking and the seating.

        by_booking: For each booking, its binaries.

        cliques: Sets of binaries of which one at most may be chosen, besides those of a booking.
    """

    bookings: tuple[Booking, ...]
    columns: tuple[tuple[int, Seating], ...]
    by_booking: tuple[tuple[int, ...], ...]
    cliques: tuple[tuple[int, ...], ...]

    @property
    def covers(self) -> list[int]:
        """For each binary, the guests that it seats."""
        return [self.bookings[place].party_size for place, _ in self.columns]


def model(venue: Venue, bookings: Sequence[Booking]) -> Model:
    """The binaries and rows for *bookings* at *venue*."""
    columns: list[tuple[int, Seating]] = []
    by_booking: list[tuple[int, ...]] = []
    at_table: dict[str, dict[int, list[int]]] = collections.defaultdict(lambda: collections.defaultdict(list))
    for place, booking in enumerate(bookings):
        first = len(columns)
        if venue.serves(SeatingRequest.at(venue, booking).turn):
            for seating in venue.candidates(booking.party_size):
                if seating.grants(booking):
                    for table in seating.tables:
                        at_table[table.id][place].append(len(columns))
                    columns.append((place, seating))
        by_booking.append(tuple(range(first, len(columns))))
    spans = [window(venue, booking) for booking in bookings]
    cliques = [
        tuple(column for place in together for column in users[place])
        for users in at_table.values()
        for together in maximal_overlaps({place: spans[place] for place in users})
    ]
    return Model(tuple(bookings), tuple(columns), tuple(by_booking), tuple(cliques))


def maximal_overlaps(spans: dict[int, tuple[dt.datetime, dt.datetime]]) -> Iterator[list[int]]:
    """The sets of spans that share an instant and to which no other could be added."""
    starts = sorted({start for start, _ in spans.values()})
    for start, following in zip(starts, [*starts[1:], None], strict=True):
        together = [key for key, (begins, ends) in spans.items() if begins <= start < ends]
        # Whoever is still there when the next one comes is in the next set as well.
        if following is None or any(spans[key][1] <= following for key in together):
            yield together


def seated(found: Model, chosen: Iterable[int]) -> dict[str, tuple[str, ...]]:
    """The tables of the bookings whose binaries are *chosen*."""
    pairs = (found.columns[column] for column in chosen)
    return {found.bookings[place].id: seating.table_ids for place, seating in pairs}
