"""Tables that a restaurant joins as it knows best."""

from __future__ import annotations

from typing import Any

import attrs

from assignment_pipeline.domain.booking import MAX_PARTY
from assignment_pipeline.domain.checks import identifier, sorted_ids, whole
from assignment_pipeline.errors import InvalidValueError
from assignment_pipeline.plain import Printed

PRIORITY = whole(-1_000_000, 1_000_000)
"""What an operator's priority may be."""


@attrs.frozen(repr=False)
class Combination(Printed):
    """
    Tables that a restaurant joins as it knows best: "four twos make a ten".

    They need not be adjacent, and may be more than the policy's ``max_tables``. Where all of them could be joined
    anyway, this is what holds.

    Attributes:
        id: What the restaurant calls it.

        tables: The ids of its tables, sorted; two or more.

        capacity: The seats that they make together, from 1 to 500.

        min_party_size: The smallest party it is for; None means those that fewer of its tables would not do for.

        max_party_size: The largest party it is for; the capacity unless told otherwise.

        priority: Decides between seatings of equal cost, added to that of its tables.
    """

    id: str = attrs.field(validator=identifier)
    tables: tuple[str, ...] = attrs.field(converter=sorted_ids)
    capacity: int = attrs.field(validator=whole(1, MAX_PARTY))
    min_party_size: int | None = attrs.field(default=None, kw_only=True)
    max_party_size: int = attrs.field(kw_only=True)
    priority: int = attrs.field(default=0, validator=PRIORITY, kw_only=True)

    @tables.validator
    def _are_joined(self, attribute: Any, tables: tuple[str, ...]) -> None:
        if len(tables) < 2 or len(set(tables)) != len(tables):  # noqa: PLR2004 - a single one is joined with none
            raise InvalidValueError(attribute.name, "two tables or more, each once", f"{list(tables)!r}")

    @max_party_size.default
    def _fits_its_seats(self) -> int:
        return self.capacity

    @min_party_size.validator
    def _min_fits(self, attribute: Any, value: Any) -> None:
        if value is not None:
            whole(1, self.capacity)(self, attribute, value)

    @max_party_size.validator
    def _max_fits(self, attribute: Any, value: Any) -> None:
        whole(self.min_party_size or 1, self.capacity)(self, attribute, value)


@attrs.frozen(repr=False)
class Group(Printed):
    """
    Tables that may be joined, each with each other.

    Attributes:
        name: What the restaurant calls them.

        tables: The ids of its tables, sorted; two or more.
    """

    name: str = attrs.field(validator=identifier)
    tables: tuple[str, ...] = attrs.field(converter=sorted_ids)

    @tables.validator
    def _are_several(self, attribute: Any, tables: tuple[str, ...]) -> None:
        if len(tables) < 2 or len(set(tables)) != len(tables):  # noqa: PLR2004 - a single one is joined with none
            raise InvalidValueError(attribute.name, "two tables or more, each once", f"{list(tables)!r}")
