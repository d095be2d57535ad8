"""Tables out of service: who is told, who is kept away, and who gets them back."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest

from assignment_pipeline import (
    Coordinator,
    FloorPlan,
    Outcome,
    PlacementRefusedError,
    Reason,
    TableConflictError,
    TimeWindow,
    Venue,
)
from assignment_pipeline.errors import (
    BlockNotFoundError,
    CommitUnknownError,
    StoreUnavailableError,
    TableNotFoundError,
    VenueNotFoundError,
    ZoneNotFoundError,
)

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


@pytest.fixture
def evening(house):
    """The time of the bookings."""
    start = house.clock.now().replace(second=0, microsecond=0) + DAY
    return TimeWindow(start - HOUR, start + 3 * HOUR)


def test_nobody_is_seated_at_a_table_out_of_service(house, coordinator, evening):
    """Not by the engine and not by a person, until it is back."""
    blocked = coordinator.block("R1", "T3", evening, actor="anna", reason="maintenance")
    assert (blocked.block.table_id, blocked.block.actor, blocked.bookings) == ("T3", "anna", ())
    assert coordinator.blocks("R1") == (blocked.block,)
    waits = coordinator.assign(house.booking("F1", 3, accessible=False))
    assert waits.tables == ("T1", "T2")
    with pytest.raises(TableConflictError):
        coordinator.place(house.booking("F2", 4), ["T3"], actor="anna")
    refused = coordinator.assign(house.booking("F2", 4))
    assert (refused.outcome, refused.reason) == (Outcome.RETRY, Reason.NO_FIT)
    assert coordinator.unblock("R1", blocked.block.id, actor="ben") == blocked.block
    (result,) = coordinator.sweep().results
    assert (result.booking_id, result.tables) == ("F2", ("T3",))
    assert coordinator.blocks("R1") == ()


def test_who_has_the_table_is_named_and_stays(house, coordinator, evening):
    """Maintenance happens: moving the party is for a person."""
    seat = coordinator.assign(house.booking("F1", 4)).record
    coordinator.assign(house.booking("F2", 4, start_at=evening.end))
    blocked = coordinator.block("R1", "T3", evening, actor="anna", reason="leak")
    assert blocked.bookings == ("F1",)
    assert house.record("F1") == seat
    moved = coordinator.place(house.booking("F1", 4), ["T1", "T2"], actor="anna")
    assert moved.tables == ("T1", "T2")


def test_a_block_is_told_of(house, coordinator, evening):
    """To the sinks and to the store, with who did it, and nothing about a booking."""
    blocked = coordinator.block("R1", "T1", evening, actor="anna", reason="leak")
    coordinator.unblock("R1", blocked.block.id, actor="ben")
    assert house.told() == ["coordinator.blocked", "coordinator.unblocked"]
    assert list(house.store.events) == house.sink.events
    made, ended = house.sink.events
    assert (made.restaurant_id, made.booking_id, made.context["actor"], ended.context["actor"]) == (
        "R1",
        None,
        "anna",
        "ben",
    )
    assert (made.context["table"], made.context["reason"]) == ("T1", "leak")
    assert made.context["start_at"] == evening.start.isoformat()


def test_what_cannot_be_blocked_is_an_error(house, coordinator, evening):
    """An unknown table or restaurant, a reason that is a sentence, a block that is not there."""
    with pytest.raises(TableNotFoundError, match="Restaurant 'R1' has no table 'T9'"):
        coordinator.block("R1", "T9", evening, actor="anna", reason="leak")
    with pytest.raises(VenueNotFoundError):
        coordinator.block("R9", "T1", evening, actor="anna", reason="leak")
    with pytest.raises(ValueError, match="reason: expected a short code"):
        coordinator.block("R1", "T1", evening, actor="anna", reason="Guest 12 broke it")
    with pytest.raises(BlockNotFoundError, match="Restaurant 'R1' has no block 'k'"):
        coordinator.unblock("R1", "k", actor="anna")
    with pytest.raises(VenueNotFoundError):
        coordinator.blocks("R9")
    assert house.told() == []


def test_blocks_that_are_over_are_not_listed(house, coordinator, evening):
    """By the store's clock; they can still be ended."""
    past = coordinator.block("R1", "T1", evening, actor="anna", reason="leak").block
    house.clock.advance(2 * DAY)
    assert coordinator.blocks("R1") == ()
    assert coordinator.unblock("R1", past.id, actor="anna") == past


@pytest.fixture
def rooms(house):
    """The house with two of its tables on the terrace."""
    tables = [attrs.evolve(table, zone=None if table.id == "T3" else "terrace") for table in house.venue.floor.tables]
    venue = Venue(house.venue.id, house.venue.timezone, FloorPlan(tables, [("T1", "T2")]), house.venue.policy)
    house.host.put_venue(venue)
    return venue


def test_a_zone_is_closed_in_one_act(house, coordinator, evening, rooms):
    """All its tables or none, and no others; twice is once, and it opens in one act."""
    seat = coordinator.assign(house.booking("F1", 2, accessible=False))
    house.sink.events.clear()
    closed = coordinator.block("R1", zone="terrace", window=evening, actor="anna", reason="rain")
    assert [block.table_id for block in closed.blocks] == ["T1", "T2"]
    assert closed.bookings == ("F1",) == (seat.booking_id,)
    assert coordinator.block("R1", zone="terrace", window=evening, actor="ben", reason="storm") == closed
    assert sorted(coordinator.blocks("R1"), key=lambda block: block.table_id) == [*closed.blocks]
    assert house.told() == ["coordinator.blocked"] * 2
    later = TimeWindow(evening.end, evening.end + HOUR)
    other = coordinator.block("R1", "T1", later, actor="anna", reason="leak").block
    assert coordinator.unblock("R1", zone="terrace", window=evening, actor="ben") == tuple(coordinator_order(closed))
    assert coordinator.blocks("R1") == (other,)
    assert coordinator.unblock("R1", zone="terrace", actor="ben") == (other,)
    assert coordinator.unblock("R1", zone="terrace", actor="ben") == ()
    assert house.told() == ["coordinator.blocked"] * 3 + ["coordinator.unblocked"] * 3


def coordinator_order(result):
    """Blocks as they are listed."""
    return sorted(result.blocks, key=lambda block: (block.window.start, block.id))


def test_a_zone_is_closed_whole_or_not_at_all(house, coordinator, evening, rooms):
    """An error in the middle of it, here of the host, leaves every table in service, and nothing is told."""
    with pytest.raises(ZoneNotFoundError, match="Restaurant 'R1' has no table in a zone 'attic'"):
        coordinator.block("R1", zone="attic", window=evening, actor="anna", reason="rain")
    for wrong in ({"zone": "terrace", "table_id": "T1"}, {}):
        with pytest.raises(ValueError, match="table_id: expected a text, or else a zone"):
            coordinator.block("R1", window=evening, actor="anna", reason="rain", **wrong)
    with pytest.raises(ValueError, match="window: expected a TimeWindow"):
        coordinator.block("R1", zone="terrace", actor="anna", reason="rain")
    with pytest.raises(ValueError, match="block_id: expected a text, or else a zone"):
        coordinator.unblock("R1", actor="anna")
    with pytest.raises(ZoneNotFoundError):
        coordinator.unblock("R1", zone="attic", actor="anna")
    assert coordinator.blocks("R1") == ()
    assert house.told() == []


class LossyBlocks:
    """A store whose answers about blocks get lost, before or behind the work."""

    def __init__(self, store, losses):
        self.store = store
        self.losses = losses

    def __getattr__(self, name):
        method = getattr(self.store, name)
        if name not in {"block", "unblock"}:
            return method

        def asked(*args):
            loss = self.losses.pop(0) if self.losses else None
            if loss == "before":
                raise CommitUnknownError("gone")
            answer = method(*args)
            if loss == "behind":
                raise CommitUnknownError("gone")
            return answer

        return asked


@pytest.mark.parametrize("loss", ["before", "behind"])
def test_a_lost_answer_is_asked_for_again(house, evening, loss):
    """Whether it has landed or not, one block comes of it, and one event."""
    house.coordinator().assign(house.booking("F1", 4))
    losses = [loss]
    coordinator = Coordinator(LossyBlocks(house.store, losses), **house.options)
    house.sink.events.clear()
    blocked = coordinator.block("R1", "T3", evening, actor="anna", reason="leak")
    assert blocked.bookings == ("F1",)
    losses.append(loss)
    coordinator.unblock("R1", blocked.block.id, actor="anna")
    assert house.store.blocked("R1", evening.start) == ()
    assert house.told() == ["coordinator.blocked", "coordinator.unblocked"]
    losses += ["behind", "before"]
    with pytest.raises(CommitUnknownError):
        coordinator.block("R1", "T3", evening, actor="anna", reason="leak")


def test_a_store_that_is_down_raises(house, coordinator, evening):
    """There is no outcome that could say it."""
    house.store.before["load"] = [StoreUnavailableError("gone")]
    with pytest.raises(StoreUnavailableError):
        coordinator.block("R1", "T1", evening, actor="anna", reason="leak")


def test_a_person_cannot_allow_it_away(house, coordinator, evening):
    """A table that is out of service is one that is taken."""
    coordinator.block("R1", "T1", evening, actor="anna", reason="leak")
    with pytest.raises(TableConflictError):
        coordinator.place(house.booking(), ["T1"], actor="anna", allow=["size", "inactive"])
    with pytest.raises(PlacementRefusedError):
        coordinator.place(house.booking(), ["T1", "T9"], actor="anna")
