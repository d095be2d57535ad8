"""How numbers read in a sentence."""

from __future__ import annotations


def count(number: int, what: str) -> str:
    """A number of something, such as ``1 booking`` or ``1,200 bookings``."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
