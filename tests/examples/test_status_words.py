"""The hosts that the documentation shows have a word for every state: whoever loses the tables waits, and is seated."""

from __future__ import annotations

import datetime as dt
import re
import sqlite3
import uuid
from pathlib import Path

import pytest

from assignment_pipeline import Coordinator, Mode
from assignment_pipeline.rollout.flags import FixedFlags

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/how-to/bring-your-own-store.md"
TOMORROW = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).replace(hour=19, minute=0, second=0, microsecond=0)
WAITS, SEATED, OVER = "open", "booked", "cancelled"


class Backend:
    """A host's coordinator over its own tables; *statements* are its SQL, by what they do."""

    def __init__(self, store, statements, execute):
        self.coordinator = Coordinator(store, flags=FixedFlags(Mode.ACTIVE))
        self.statements, self.execute = statements, execute

    def book(self, covers):
        key = uuid.uuid4()
        booking_id = self.execute(self.statements["book"], key, covers)[0][0]
        self.coordinator.assign_id(booking_id, "tasca")
        return booking_id

    def row(self, booking_id):
        return self.execute(self.statements["row"], booking_id)[0]


@pytest.fixture
def page(tmp_path):
    """The page's own blocks: tables, host, coordinator."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names = {}
    for block in blocks[:3]:
        exec(block, names)  # noqa: S102 - the documentation's code is what is tested
    names["coordinator"].close()

    def execute(statement, *values):
        with sqlite3.connect(names["path"], isolation_level=None) as connection:
            return connection.execute(statement, [at(value) for value in values]).fetchall()

    def at(value):
        return uuid_to_number.setdefault(value, len(uuid_to_number) + 1) if isinstance(value, uuid.UUID) else value

    uuid_to_number = {}
    statements = {
        "book": "INSERT INTO reservations (id, house, covers, arrives_at) VALUES (?, 'tasca', ?, "
        f"'{TOMORROW.isoformat()}') RETURNING CAST(id AS TEXT)",
        "row": "SELECT state, covers, sits_at FROM reservations WHERE id = ?",
    }
    backend = Backend(names["store"], statements, execute)
    yield backend
    backend.coordinator.close()
    names["store"].close()
    names["folder"].cleanup()
