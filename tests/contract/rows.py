"""A host over tables of its own, in SQLite and in PostgreSQL, whose mistakes the tests choose."""

from __future__ import annotations

import datetime as dt

from assignment_pipeline import Booking, FloorPlan, Occupied, StatusMap, Table, TimeWindow, Venue, VenueNotFoundError

HOUSE = "tasca"
WORDS = StatusMap(
    waiting="open", review="asked", held="held", confirmed="booked", failed="declined", cancelled="cancelled"
)
AT = (dt.datetime.now(dt.UTC) + dt.timedelta(days=2)).replace(hour=19, minute=0, second=0, microsecond=0)
TABLES = """
CREATE TABLE IF NOT EXISTS reservations (
    id text PRIMARY KEY, house text, covers integer, starts text, state text DEFAULT 'open', sits_at text
);
CREATE TABLE IF NOT EXISTS dining_tables (house text, label text, seats integer);
CREATE TABLE IF NOT EXISTS legacy_seats (house text, label text, from_time text, to_time text, reservation text)
"""
NO_ROWS = "DELETE FROM reservations; DELETE FROM dining_tables; DELETE FROM legacy_seats"
ROWS = "INSERT INTO dining_tables VALUES ('tasca', 'A1', 2), ('tasca', 'B1', 4), ('tasca', 'B2', 4)"


class RowHost:
    """Reads its tables, and writes the word for each state."""

    mark = "?"
    prefix = ""
    words = WORDS

    def rows(self, connection, text, *values):
        """What a statement answers; ``?`` and ``@`` stand for the dialect's mark and the tables' schema."""
        cursor = connection.execute(text.replace("?", self.mark).replace("@", self.prefix), values)
        return cursor.fetchall() if cursor.description else cursor.rowcount

    def booking_of(self, row):
        key, house, covers, starts, state = row
        return Booking(str(key), house, covers, dt.datetime.fromisoformat(starts), status=self.words.status(state))

    def booking(self, connection, booking_id):
        found = self.rows(
            connection, "SELECT id, house, covers, starts, state FROM @reservations WHERE id = ?", booking_id
        )
        return self.booking_of(found[0]) if found else None

    def venue(self, connection, restaurant_id, known_version):
        rows = self.rows(
            connection, "SELECT label, seats FROM @dining_tables WHERE house = ? ORDER BY label", restaurant_id
        )
        if not rows:
            raise VenueNotFoundError(restaurant_id)
        made = Venue(restaurant_id, "Europe/Lisbon", FloorPlan([Table(label, seats) for label, seats in rows]))
        return None if made.version == known_version else made

    def occupied(self, connection, restaurant_id, window):
        rows = self.rows(
            connection,
            "SELECT label, from_time, to_time, reservation FROM @legacy_seats WHERE house = ?",
            restaurant_id,
        )
        for label, start, end, reservation in rows:
            seated = TimeWindow(dt.datetime.fromisoformat(start), dt.datetime.fromisoformat(end))
            if seated.overlaps(window):
                yield Occupied(table_id=label, window=seated, booking_id=reservation)

    def unassigned(self, connection, since, limit):
        rows = self.rows(
            connection,
            "SELECT id, house, covers, starts, state FROM @reservations"
            " WHERE state = 'open' AND starts > ? ORDER BY starts, id LIMIT ?",
            since.isoformat(),
            limit,
        )
        return [self.booking_of(row) for row in rows]

    def on_commit(self, connection, changes):
        for change in changes:
            self.write(connection, change.record)

    def write(self, connection, record):
        self.rows(
            connection,
            "UPDATE @reservations SET state = ?, sits_at = ? WHERE id = ?",
            self.words.word(record),
            ", ".join(record.tables) or None,
            record.booking_id,
        )
        if record.booking is not None:
            self.write_request(connection, record.booking)

    def write_request(self, connection, booking):
        """Party and time, as the booking asks for them from now on."""
        self.rows(
            connection,
            "UPDATE @reservations SET covers = ?, starts = ? WHERE id = ?",
            booking.party_size,
            booking.start_at.isoformat(),
            booking.id,
        )


class ForgetsWaiting(RowHost):
    """Knows words for how it ends, and none for who waits again: the row stays as it was."""

    def write(self, connection, record):
        word = {"confirmed": "booked", "cancelled": "cancelled", "failed": "declined"}.get(record.state)
        self.rows(
            connection,
            "UPDATE @reservations SET sits_at = ?, state = coalesce(?, state) WHERE id = ?",
            ", ".join(record.tables) or None,
            word,
            record.booking_id,
        )
        if record.booking is not None:
            self.write_request(connection, record.booking)


def book(host, connection, booking_id, *, covers=2, starts=AT, state="open", house=HOUSE):
    """Have a reservation."""
    host.rows(
        connection,
        "INSERT INTO @reservations (id, house, covers, starts, state) VALUES (?, ?, ?, ?, ?)",
        booking_id,
        house,
        covers,
        starts.isoformat(),
        state,
    )


def state_of(host, connection, booking_id):
    """What the row says, and where the party sits."""
    return tuple(host.rows(connection, "SELECT state, sits_at FROM @reservations WHERE id = ?", booking_id)[0])


def awaiting(kind):  # noqa: C901 - one class of short methods
    """The same host for asyncio: each method is a coroutine on an async connection."""

    class Asking(kind):
        async def ask(self, connection, method, *arguments):
            """Run the sync method, whose statements are put first: it is a generator of them in disguise."""
            answers = []
            while True:
                try:
                    return self.replayed(answers, method, *arguments)
                except _Wanted as wanted:
                    cursor = await connection.execute(wanted.text, wanted.values)
                    answers.append(await cursor.fetchall() if cursor.description else cursor.rowcount)

        def replayed(self, answers, method, *arguments):
            given = iter(answers)
            found = getattr(kind, method)(_Replayed(self, given), None, *arguments)
            return list(found) if hasattr(found, "__next__") else found

        async def booking(self, connection, booking_id):
            return await self.ask(connection, "booking", booking_id)

        async def venue(self, connection, restaurant_id, known_version):
            return await self.ask(connection, "venue", restaurant_id, known_version)

        async def occupied(self, connection, restaurant_id, window):
            return await self.ask(connection, "occupied", restaurant_id, window)

        async def unassigned(self, connection, since, limit):
            return await self.ask(connection, "unassigned", since, limit)

        async def on_commit(self, connection, changes):
            return await self.ask(connection, "on_commit", changes)

    class _Replayed(kind):
        def __init__(self, host, given):
            self.__dict__ |= host.__dict__
            self.mark, self.prefix, self.given = host.mark, host.prefix, given

        def rows(self, _, text, *values):
            for answer in self.given:
                return answer
            raise _Wanted(text.replace("?", self.mark).replace("@", self.prefix), values)

    Asking.__name__ = kind.__name__
    return Asking


class _Wanted(Exception):  # noqa: N818 - it is no error, but what is to be asked next
    def __init__(self, text, values):
        super().__init__(text)
        self.text, self.values = text, values
