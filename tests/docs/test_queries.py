"""The queries in the documentation run, and find what they say."""

import contextlib
import datetime as dt
import re
import sqlite3
from pathlib import Path

import pytest

from assignment_pipeline import Booking, Coordinator, FloorPlan, Mode, Table, Venue, VenuePolicy
from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost, init
from assignment_pipeline.rollout.flags import FixedFlags

DOCS = Path(__file__).parents[2] / "docs"
BLOCKS = {
    (page.stem, block.partition("\n")[0]): block
    for page in sorted(DOCS.rglob("*.md"))
    for block in re.findall(r"```sql\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
}


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """An evening: two confirmed, one that waits for tables, one for a person, one cancelled."""
    path = tmp_path_factory.mktemp("queries") / "bookings.db"
    init(path, standalone=True)
    host = StandaloneHost()
    floor, policy = FloorPlan([Table("T1", 4), Table("T2", 4)]), VenuePolicy(reseat="off")
    venue = Venue("chez-nous", "Europe/Paris", floor, policy)
    start_at = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).replace(second=0, microsecond=0)
    with (
        SQLiteStore(path, host=host) as store,
        Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=()) as coordinator,
    ):
        store.write(lambda connection: host.put_venue(connection, venue))
        for name, size in {"b-0": 2, "b-1": 4, "b-2": 4, "b-3": 4, "b-4": 9}.items():
            coordinator.assign(Booking(name, "chez-nous", size, start_at))
            if name == "b-0":
                coordinator.cancel(name)
    return path


@pytest.fixture
def rows(database):
    """What a block finds."""

    def find(block):
        with contextlib.closing(sqlite3.connect(database)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(block)]

    return find


@pytest.mark.parametrize("block", BLOCKS.values(), ids=[f"{page}: {title}" for page, title in BLOCKS])
def test_every_query_runs(rows, block):
    """On the tables as they are."""
    rows(block)
