"""Tables that are out of service for a while."""

from __future__ import annotations

import hashlib

import attrs

from assignment_pipeline.domain.checks import as_tuple, identifier, kind, optional_code
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.windows import TimeWindow


@attrs.frozen(kw_only=True)
class TableBlock:
    """
    A table that is out of service for a while.

    Attributes:
        id: Its id, unique.

        restaurant_id: The restaurant.

        table_id: The table.

        window: For how long nobody is seated there.

        reason: A short code such as ``maintenance``.

        actor: Who blocked it.
    """

    id: str = attrs.field(validator=identifier)
    restaurant_id: str = attrs.field(validator=identifier)
    table_id: str = attrs.field(validator=identifier)
    window: TimeWindow = attrs.field(validator=kind(TimeWindow))
    reason: str | None = attrs.field(default=None, validator=optional_code)
    actor: str | None = None

    @property
    def occupied(self) -> Occupied:
        """The table, taken."""
        return Occupied(table_id=self.table_id, window=self.window, reason=self.reason)


def block_id(restaurant_id: str, table_id: str, window: TimeWindow) -> str:
    """The id of the block of a table for that time: the same block has the same id, however often it is made."""
    text = repr((restaurant_id, table_id, window.start.isoformat(), window.end.isoformat()))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@attrs.frozen(kw_only=True)
class BlockResult:
    """
    What came of blocking a table, or those of a zone.

    Attributes:
        blocks: The blocks, one for each table, in the floor's order.

        bookings: The ids of the bookings that have one of the tables for part of its time, sorted. They keep it until
            somebody moves them.
    """

    blocks: tuple[TableBlock, ...] = attrs.field(converter=as_tuple)
    bookings: tuple[str, ...] = attrs.field(default=(), converter=as_tuple)

    @property
    def block(self) -> TableBlock:
        """The first of them: the only one where one table was blocked."""
        return self.blocks[0]
