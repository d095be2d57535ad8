"""How numbers and lists read in a sentence."""

from __future__ import annotations

from collections.abc import Sequence


def count(number: int, what: str) -> str:
    """A number of something, such as ``1 booking`` or ``1,200 bookings``."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def first_few(items: Sequence[str], most: int, *, of: int | None = None, between: str = ", ") -> str:
    """
    The first *most* of *items*, and how many more there are: ``b-1, b-2, and 3 more``.

    Args:
        of: How many there are, where *items* are not all.

        between: What stands between two.
    """
    named = between.join(items[:most])
    more = (len(items) if of is None else of) - len(items[:most])
    return f"{named}{between}and {more} more" if more > 0 else named
