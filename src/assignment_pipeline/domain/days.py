"""A service day as two planners have it: what the shadow is judged by."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs

from assignment_pipeline.domain.events import Event, EventType, Source
from assignment_pipeline.domain.record import Owner

MOST = 25
"""How much a single day counts at most, for or against the pipeline: by a quarter of what was seated, in percent."""


@attrs.frozen(kw_only=True)
class Side:
    """
    A day as one of the two planners has it.

    Attributes:
        seated: Bookings with tables.

        covers: Their guests.

        moves: How often a booking was given other tables to make room.
    """

    seated: int = 0
    covers: int = 0
    moves: int = 0

    def __add__(self, other: Side) -> Side:
        return Side(
            seated=self.seated + other.seated, covers=self.covers + other.covers, moves=self.moves + other.moves
        )


@attrs.frozen(kw_only=True)
class ComparedDay:
    """
    A service day of a restaurant: the same bookings, in the same order, on two floors.

    Attributes:
        restaurant_id: The restaurant.

        date: The service day: the local date on which its service began.

        bookings: Bookings that both planners were asked about.

        legacy: What legacy seated of them.

        pipeline: What the pipeline seated, or would have seated if it had been in charge from the first of them on.

        candidate: Which of the two was not in charge, and played the day on a floor of its own.
    """

    restaurant_id: str
    date: dt.date
    bookings: int
    legacy: Side
    pipeline: Side
    candidate: Owner = Owner.PIPELINE

    @property
    def covers(self) -> int | None:
        """By how many percent the pipeline seats more guests, from -`MOST` to `MOST`; None where neither seats any."""
        return _difference(self.pipeline.covers, self.legacy.covers)

    @property
    def parties(self) -> int | None:
        """By how many percent the pipeline seats more parties, likewise."""
        return _difference(self.pipeline.seated, self.legacy.seated)

    @property
    def facts(self) -> dict[str, str | int]:
        """All but the restaurant, as an event carries it."""
        other = {} if self.candidate is Owner.PIPELINE else {"candidate": self.candidate.value}
        return {
            **other,
            "date": self.date.isoformat(),
            "bookings": self.bookings,
            "seated": self.pipeline.seated,
            "covers": self.pipeline.covers,
            "moves": self.pipeline.moves,
            "legacy_seated": self.legacy.seated,
            "legacy_covers": self.legacy.covers,
        }

    def event(self, event_id: str, now: dt.datetime) -> Event:
        """The event that keeps it."""
        kind = EventType.DAY_COMPARED
        return Event(event_id, now, Source.ROLLOUT, kind, restaurant_id=self.restaurant_id, context=self.facts)

    @classmethod
    def of(cls, event: Event) -> ComparedDay:
        """What `event` made *event* of."""
        facts: Any = event.context
        return cls(
            restaurant_id=event.restaurant_id or "",
            date=dt.date.fromisoformat(facts["date"]),
            bookings=facts["bookings"],
            candidate=Owner(facts.get("candidate", Owner.PIPELINE)),
            legacy=Side(seated=facts["legacy_seated"], covers=facts["legacy_covers"]),
            pipeline=Side(seated=facts["seated"], covers=facts["covers"], moves=facts["moves"]),
        )


def _difference(ours: int, theirs: int) -> int | None:
    most = max(ours, theirs)
    return min(max(round(100 * (ours - theirs) / most), -MOST), MOST) if most else None
