"""The audit of a venue where the time zone database has changed since parties were seated; and with asyncio."""

from __future__ import annotations

import asyncio
import datetime as dt
import importlib.resources
import zoneinfo

import pytest

from assignment_pipeline import (
    AsyncCoordinator,
    Booking,
    Coordinator,
    FixedFlags,
    FloorPlan,
    Mode,
    Table,
    Venue,
)
from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore
from assignment_pipeline.testing import FakeClock

NINE = dt.datetime(2031, 5, 17, 21, tzinfo=zoneinfo.ZoneInfo("Europe/London")).astimezone(dt.UTC)


def house():
    return Venue("r-1", "Europe/London", FloorPlan([Table("T1", 4), Table("T2", 4)]))


@pytest.fixture
def new_rules(tmp_path):
    """A time zone database in which London has left summer time: it is at UTC for good."""
    utc = importlib.resources.files("tzdata").joinpath("zoneinfo", "Etc", "UTC").read_bytes()
    (tmp_path / "Europe").mkdir()
    (tmp_path / "Europe" / "London").write_bytes(utc)
    before = zoneinfo.TZPATH

    def enter():
        zoneinfo.reset_tzpath([tmp_path])
        zoneinfo.ZoneInfo.clear_cache()

    yield enter
    zoneinfo.reset_tzpath(before)
    zoneinfo.ZoneInfo.clear_cache()


def test_a_newer_time_zone_database_is_noticed(new_rules):
    """A party that booked nine by the clock on the wall now comes at eight, and is named. A new booking is not."""
    coordinator = Coordinator.in_memory(house(), clock=FakeClock(), sinks=())
    coordinator.assign(Booking("before", "r-1", 2, NINE))
    assert coordinator.audit("r-1").findings == ()
    new_rules()
    coordinator.store.host.put_venue(house())
    coordinator.assign(Booking("after", "r-1", 2, NINE + dt.timedelta(hours=1)))
    assert [(one.booking_id, one.rules) for one in coordinator.audit("r-1").findings] == [("before", ("timezone",))]
    (table,) = coordinator.record("before").tables
    coordinator.place(Booking("before", "r-1", 2, NINE), [table], actor="anna")
    assert coordinator.audit("r-1").findings == ()


def test_asyncio_answers_the_same():
    """The same findings."""

    async def ask():
        coordinator = AsyncCoordinator.in_memory(house(), clock=FakeClock(), sinks=())
        await coordinator.assign(Booking("b-1", "r-1", 2, NINE))
        return await coordinator.audit("r-1")

    found = asyncio.run(ask())
    assert (found.checked, found.findings) == (1, ())


def test_a_changed_restaurant_is_answered_with_whom_it_concerns():
    """Kept and audited in one call, with asyncio as without."""
    smaller = Venue("r-1", "Europe/London", FloorPlan([Table("T1", 1), Table("T2", 1)]))

    async def ask():
        coordinator = AsyncCoordinator.in_memory(house(), clock=FakeClock(), sinks=())
        await coordinator.assign(Booking("b-1", "r-1", 2, NINE))
        return await coordinator.put_venue(smaller)

    coordinator = Coordinator.in_memory(house(), clock=FakeClock(), sinks=())
    coordinator.assign(Booking("b-1", "r-1", 2, NINE))
    (found,) = coordinator.put_venue(smaller).findings
    assert (found.booking_id, found.rules) == ("b-1", ("size",))
    assert asyncio.run(ask()).findings == (found,)


class OwnHost:
    """A host that keeps its restaurants itself."""

    def __init__(self):
        kept = MemoryHost(house())
        self.booking, self.venue, self.occupied = kept.booking, kept.venue, kept.occupied
        self.unassigned, self.on_commit = kept.unassigned, kept.on_commit


def test_a_host_of_its_own_keeps_its_restaurants_itself():
    """One sentence says so, and nothing changes."""
    store = MemoryStore(OwnHost(), clock=FakeClock())
    coordinator = Coordinator(store, flags=FixedFlags(Mode.ACTIVE), clock=FakeClock(), sinks=())
    with pytest.raises(ValueError, match=r"host: expected one of ours, .* got .*OwnHost.* its own"):
        coordinator.put_venue(house())
