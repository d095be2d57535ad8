"""Tables out of service: what the store reads and writes of them."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Sequence

import attrs

from assignment_pipeline.adapters.columns import with_columns
from assignment_pipeline.adapters.sqlite.codec import BLOCKS, event_row, text_of
from assignment_pipeline.adapters.sqlite.commits import WRITE_EVENT, Commits
from assignment_pipeline.adapters.sqlite.opening import cursor_of
from assignment_pipeline.adapters.sqlite.reads import seats_in, sitting
from assignment_pipeline.domain.blocks import TableBlock
from assignment_pipeline.domain.events import Event

# What comes again, because its answer was lost, has the same id.
WRITE_BLOCK = with_columns("""
INSERT INTO table_blocks ({BLOCK}, created_at) VALUES ({?BLOCK}, ?)
ON CONFLICT (id) DO NOTHING
""")

END_BLOCK = "DELETE FROM table_blocks WHERE id = ? AND restaurant_id = ?"


@attrs.frozen(eq=False)
class Blocks:
    """
    The part of the store that takes tables out of service.

    Attributes:
        commits: The part that writes everything else.
    """

    commits: Commits

    def block(
        self, connection: sqlite3.Connection, blocks: Sequence[TableBlock], events: Sequence[Event]
    ) -> tuple[str, ...]:
        rows, now = cursor_of(connection), self.commits.reads.clock.now()
        rows.executemany(WRITE_BLOCK, [(*BLOCKS.row(block), text_of(now)) for block in blocks])
        rows.executemany(WRITE_EVENT, map(event_row, events))
        return tuple(sorted({name for block in blocks for name in self._there(connection, block, now)}))

    def _there(self, connection: sqlite3.Connection, block: TableBlock, now: dt.datetime) -> set[str]:
        """The bookings that have a table for part of its block."""
        rows, window = cursor_of(connection), block.window
        there = (
            *seats_in(rows, block.restaurant_id, window, {block.table_id}),
            *sitting(rows, block.restaurant_id, now),
            *self.commits.reads.host.occupied(connection, block.restaurant_id, window),
        )
        return {
            seat.booking_id
            for seat in there
            if seat.booking_id and seat.table_id == block.table_id and seat.window.overlaps(window)
        }

    def unblock(self, connection: sqlite3.Connection, blocks: Sequence[TableBlock], events: Sequence[Event]) -> bool:
        rows = cursor_of(connection)
        ended = [block for block in blocks if rows.execute(END_BLOCK, (block.id, block.restaurant_id)).rowcount]
        if not ended:
            return False
        rows.executemany(WRITE_EVENT, map(event_row, events))
        freed = {ended[0].restaurant_id: {block.window for block in ended}}
        self.commits.wake(connection, freed, self.commits.reads.clock.now())
        return True
