"""The host's staff, who give tables away beside the pipeline: behind the guard, in transactions that take a while."""

from __future__ import annotations

from typing import Any

from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.record import AssignmentChange
from assignment_pipeline.flow.effects import BlockTables, Commit, LookUpChange, RunLegacy, UnblockTables
from assignment_pipeline.testing.simulator.world import World


class Staff:
    """
    Transactions of the staff that are open: they have looked behind the guard, and not written yet.

    Until they have, others that write at that restaurant wait, as for `Joined.guard`.

    Attributes:
        looked: The table that is about to be given away, by restaurant.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.looked: dict[str, Occupied] = {}

    def begin(self, restaurant_id: str, seat: Occupied) -> str:
        """Take the guard, and look whether the table is free."""
        self.looked[restaurant_id] = seat
        return f"they have the guard of {restaurant_id}, and {_words(seat)} is free"

    def commit(self, restaurant_id: str) -> str:
        """Write what they have decided on, and give the guard back."""
        seat = self.looked.pop(restaurant_id)
        if not self._world.is_free(restaurant_id, seat):
            self._world.offend("two at one table", f"{_words(seat)} was given away behind the guard of {restaurant_id}")
        self._world.take(restaurant_id, seat)
        self._world.touched = True
        return f"they write {_words(seat)}"

    def keep_out(self, effect: Any) -> bool:
        """Whether an effect has to wait for them."""
        if isinstance(effect, Commit):
            return self.keep_out_changes(effect.changes)
        if isinstance(effect, BlockTables | UnblockTables):
            return effect.blocks[0].restaurant_id in self.looked
        if isinstance(effect, RunLegacy):  # It writes beside the pipeline, too, and takes the guard.
            return effect.booking.restaurant_id in self.looked
        return isinstance(effect, LookUpChange) and effect.change.record.restaurant_id in self.looked

    def keep_out_changes(self, changes: tuple[AssignmentChange, ...]) -> bool:
        """Whether a commit has to."""
        return any(change.record.restaurant_id in self.looked for change in changes)


def _words(seat: Occupied) -> str:
    return f"{seat.table_id} from {seat.window.start:%H:%M} to {seat.window.end:%H:%M}"
