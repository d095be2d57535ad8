"""
What the site's web handlers do, as commands.

It shows the one path for a reservation: *enqueue inside, assign after*. Row and note are one transaction, and the
message comes after it; where the message is lost, the sweep that beat sends finds the note.

In this folder, with ``DATABASE_URL`` and ``BROKER_URL`` as `tasca` says:

    python reservations.py init
    python reservations.py reserve tasca Anna 4 2031-05-02T20:00+01:00
    python reservations.py list
"""

from __future__ import annotations

import contextlib
import datetime as dt
import sys
from pathlib import Path

import psycopg
from tasca import DATABASE_URL, coordinator, tasks

from assignment_pipeline.adapters.postgres import init
from host import ReservationHost


def make_database() -> None:
    """The site's own tables, and the library's beside them."""
    with psycopg.connect(DATABASE_URL) as connection:
        connection.execute(Path(__file__).with_name("schema.sql").read_text(encoding="utf-8"))
    init(DATABASE_URL)


def reserve(house: str, guest: str, covers: int, starts_at: dt.datetime) -> str:
    """Take a reservation, and have its tables assigned; its id."""
    with coordinator() as site, psycopg.connect(DATABASE_URL) as connection:
        query = "INSERT INTO reservations (house, guest, covers, starts_at) VALUES (%s, %s, %s, %s) RETURNING id::text"
        [reservation_id] = connection.execute(query, (house, guest, covers, starts_at)).fetchone() or ()
        booking = ReservationHost().booking(connection, reservation_id)
        assert booking is not None
        site.joined(connection).enqueue(booking)
        connection.commit()
        tasks.assign_booking.delay(reservation_id, house)  # After the commit: a worker may be faster than we are.
    return str(reservation_id)


def read(covers: str, starts_at: str) -> tuple[int, dt.datetime]:
    """
    The guests and the time that were typed.

    Raises:
        ValueError: They are none.
    """
    if covers.isdecimal():
        with contextlib.suppress(ValueError):
            time = dt.datetime.fromisoformat(starts_at)
            if time.utcoffset() is not None:
                return int(covers), time
    msg = f"expected COVERS and TIME such as 4 2031-05-02T20:00+01:00, got {covers!r} {starts_at!r}"
    raise ValueError(msg)


def show() -> None:
    """Every reservation, and where it sits."""
    query = "SELECT house, guest, covers, status, coalesce(sits_at, '-') FROM reservations ORDER BY house, guest"
    with psycopg.connect(DATABASE_URL) as connection:
        for row in connection.execute(query):
            print(*row)


def main(*words: str) -> int:
    """One command; its exit code."""
    match words:
        case ["init"]:
            make_database()
        case ["reserve", house, guest, covers, starts_at]:
            try:
                print(reserve(house, guest, *read(covers, starts_at)))
            except psycopg.errors.ForeignKeyViolation:
                print(f"reservations.py: there is no house {house!r}", file=sys.stderr)
                return 2
            except (ValueError, psycopg.DataError) as error:
                print(f"reservations.py: {error}", file=sys.stderr)
                return 2
        case ["list"]:
            show()
        case _:
            print("usage: reservations.py init | reserve HOUSE GUEST COVERS TIME | list", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
