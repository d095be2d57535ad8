"""Parties that sit where others are booked next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from assignment_pipeline.domain.room import conflicts
from assignment_pipeline.domain.wording import first_few
from assignment_pipeline.flow.effects import Flow
from assignment_pipeline.flow.staff.room import Room, look, who_sits
from assignment_pipeline.rollout.doctor.diagnosis import Finding, wrong

MOST = 5
"""Conflicts that are named at most, of a restaurant."""


def examine_room(store: Any) -> tuple[Finding, ...]:
    """A finding for each restaurant where a party sits at tables at which another booking is next."""
    places = sorted({record.restaurant_id for record in _asked(who_sits(), store)})
    return tuple(finding for place in places for finding in _conflicts(store, place))


def _conflicts(store: Any, restaurant_id: str) -> Iterator[Finding]:
    try:
        here: Room = _asked(look(restaurant_id), store)
    except Exception:  # noqa: BLE001 - another check says what is wrong with the restaurant, or with the host's code
        return
    found = conflicts(here.loaded.venue, here.records, here.now)
    if not found:
        return
    named = first_few([one.sentence.removesuffix(".") for one in found], MOST, between="; ")
    yield wrong(
        "room",
        f"{restaurant_id}: {named}",
        "a party stays past its time, or nobody has said that it left",
        f"call left for parties that have gone; assignment-pipeline service conflicts {restaurant_id} has ways out",
    )


def _asked(flow: Flow[Any], store: Any) -> Any:
    """The answer of a flow that asks nothing but the store."""
    try:
        effect = next(flow)
        while True:
            effect = flow.send(effect.ask(store))
    except StopIteration as stop:
        return stop.value
