"""Which restaurants the doctor looks at: all, the named ones, or some of many."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import attrs

MOST_RESTAURANTS = 50
MOST_BUNDLES = 200


@attrs.frozen
class Restaurants:
    """
    The restaurants that are looked at.

    Attributes:
        ids: Their ids, sorted.

        known: How many there are.

        named: Whether somebody has asked for these.
    """

    ids: tuple[str, ...]
    known: int
    named: bool = False

    @classmethod
    def of(cls, store: Any, named: Iterable[str] = ()) -> Restaurants:
        """Those that are *named*, else all that the store knows; 50 at most, which each run draws anew."""
        known = sorted({*store.restaurants(), *_shadowed(store)})
        ids = sorted(set(named))
        if ids:
            return cls(tuple(ids), len(known), named=True)
        if len(known) > MOST_RESTAURANTS:
            return cls(tuple(sorted(random.sample(known, MOST_RESTAURANTS))), len(known))
        return cls(tuple(known), len(known))

    def __str__(self) -> str:
        if self.named:
            return "the restaurant named" if len(self.ids) == 1 else f"the {len(self.ids)} restaurants named"
        drawn = ", which each run draws anew" if len(self.ids) < self.known else ""
        return f"{len(self.ids)} of {self.known} restaurants{drawn}"


def _shadowed(store: Any) -> set[str]:
    """Those where the shadow has seen something: there, no booking has a record yet."""
    if not hasattr(store, "bundles"):
        return set()
    return {bundle.restaurant_id for bundle in store.bundles(limit=MOST_BUNDLES)}
