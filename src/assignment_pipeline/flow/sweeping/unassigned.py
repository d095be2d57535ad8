"""Pending bookings that nobody enqueued, at the restaurants that the pipeline is in charge of."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator

import attrs

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.errors import STORE_DOWN, FlagsUnreadError
from assignment_pipeline.flow.assigning.enqueue import enqueue, enqueue_unreadable
from assignment_pipeline.flow.effects import FindUnassigned, FindWaiting, Flow, InCharge
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.flow.sweeping.floor_watch import FloorMemory
from assignment_pipeline.ports import UnreadableBooking
from assignment_pipeline.redaction import named

MOST_PAGES = 20
"""How often one sweep asks a host that does not know its restaurants."""

_SECOND = dt.timedelta(seconds=1)


@attrs.define
class SweepMemory:
    """
    What the sweeps of one process know of each other. Losing it costs work, and nobody is forgotten.

    Attributes:
        since: Where the last sweep stopped in the bookings of a host that does not know its restaurants; None at their
            end.

        most: How many it asked for there.

        raised: Bookings that could not be enqueued. They come after all others.

        looked_at: Up to which booking the last sweep looked at what is unfinished; None at their end.

        told: What the host raised last instead of its list, so that it is told once.

        floors: What they found where somebody waits for tables.

        in_use: The events of bookings whose tables are in use, by their ids.

        told_once: The ids of the events that are told once of a record: see `tell_once`.
    """

    since: dt.datetime | None = None
    most: int = 0
    raised: set[str] = attrs.field(factory=set)
    looked_at: str | None = None
    told: str = ""
    floors: FloorMemory = attrs.field(factory=FloorMemory)
    in_use: set[str] = attrs.field(factory=set)
    told_once: set[str] = attrs.field(factory=set)


@attrs.define
class UnassignedSearch:
    """
    One sweep's look for bookings that nobody enqueued.

    Attributes:
        settings: How the flows behave.

        limit: How many are enqueued at most.

        memory: What the sweeps of this process know of each other.

        errors: What was raised, by booking.

        enqueued: The bookings that are enqueued now.
    """

    settings: Settings
    limit: int
    memory: SweepMemory
    errors: list[tuple[str, str]]
    enqueued: list[str] = attrs.field(factory=list)
    _seen: set[str] = attrs.field(factory=set)

    def run(self) -> Flow[tuple[str, ...]]:
        """
        Enqueue those of the restaurants in charge, the soonest first; the bookings.

        A host that knows its restaurants is asked for these alone. Of any other, a part of all bookings is read: the
        soonest, and on from where the last sweep of this process stopped.

        Raises:
            StoreUnavailableError: The store could not be asked.
        """
        try:
            waiting = yield from FindWaiting()
            if waiting.restaurants is None:
                yield from self._read_on(waiting.now)
            else:
                in_charge = yield from InCharge(waiting.restaurants)
                yield from self._ask_for(waiting.now, in_charge)
        except FlagsUnreadError:
            pass  # What was not read decides nothing: the next sweep looks again.
        except STORE_DOWN:
            raise
        except Exception as error:  # noqa: BLE001 - what is due goes on without the host's list
            said = named(error, show=self.settings.show_errors)
            if said != self.memory.told:
                self.errors.append(("", said))
            self.memory.told = said
        else:
            self.memory.told = ""
        return tuple(self.enqueued)

    def _ask_for(self, now: dt.datetime, restaurants: tuple[str, ...]) -> Flow[None]:
        if not restaurants:
            return
        page = yield from FindUnassigned(now, self.limit + len(self.memory.raised), restaurants)
        self.memory.raised &= {booking.id for booking in page}
        yield from self._enqueue(page)

    def _read_on(self, now: dt.datetime) -> Flow[None]:
        """
        Read the soonest bookings, then on from where the last sweep stopped.

        Times alone lead from page to page: those of a page's last minute are read again with the next one, and where
        one minute fills a page, more of it are asked for.
        """
        since, most = now, self.limit
        for page_number in range(MOST_PAGES):
            page = yield from FindUnassigned(since, most)
            yield from self._enqueue(page)
            last = max((one.start_at for one in page if isinstance(one, Booking)), default=since)
            if len(page) < most:
                self.memory.since = None
                return
            if len(self.enqueued) >= self.limit:
                return
            if last - _SECOND > since:
                since, most = last - _SECOND, self.limit
            else:
                most *= 2
            if page_number == 0 and self.memory.since is not None and self.memory.since > since:
                since, most = self.memory.since, self.memory.most
        self.memory.since, self.memory.most = since, most

    def _enqueue(self, page: Iterable[Booking | UnreadableBooking]) -> Flow[None]:
        for booking in self._in_turn(page):
            self._seen.add(booking.id)
            try:
                if isinstance(booking, UnreadableBooking):
                    yield from enqueue_unreadable(booking)
                    continue
                record = yield from enqueue(booking, self.settings)
            except FlagsUnreadError:
                continue  # Nothing is decided there yet, and nothing is wrong: the next sweep finds it again.
            except Exception as error:  # noqa: BLE001 - one booking must not keep the sweep from the others
                self.errors.append((booking.id, named(error, show=self.settings.show_errors)))
                self.memory.raised.add(booking.id)
            else:
                self.memory.raised.discard(booking.id)
                self.enqueued += [] if record is None else [booking.id]

    def _in_turn(self, page: Iterable[Booking | UnreadableBooking]) -> Iterator[Booking | UnreadableBooking]:
        """Those that this sweep has not come to yet; behind them those that raised before."""
        new = [booking for booking in page if booking.id not in self._seen]
        return iter(sorted(new, key=lambda booking: booking.id in self.memory.raised))
