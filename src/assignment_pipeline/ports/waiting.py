"""Bookings of the host's that nobody enqueued: what a store says of them."""

from __future__ import annotations

import datetime as dt

import attrs


@attrs.frozen(kw_only=True)
class Waiting:
    """
    Where bookings wait that nobody enqueued.

    Attributes:
        now: The store's time.

        restaurants: The restaurants that have pending bookings without a record; None where the host does not say: see
            `Host`. A host that does not know which bookings have a record may name more: that costs the sweep a look.
    """

    now: dt.datetime
    restaurants: tuple[str, ...] | None


@attrs.frozen(kw_only=True)
class UnreadableBooking:
    """
    A row of the host's that is no booking, in a list of bookings.

    Attributes:
        id: The booking's id.

        restaurant_id: Its restaurant.

        problem: What is wrong with the row, in one line.
    """

    id: str
    restaurant_id: str
    problem: str


UNREADABLE = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError)
"""
What code raises that reads a row which makes no sense, or a row whose restaurant is gone.

An error of a driver is none of these.
"""
