"""``review_cases`` and overdue reviews: what a person can do, and that nobody is forgotten."""

from __future__ import annotations

import asyncio
import datetime as dt

import attrs
import pytest

from assignment_pipeline import AsyncCoordinator, Outcome, Settings
from assignment_pipeline.domain.metrics import MetricsQuery
from assignment_pipeline.domain.result import Move

HOUR = dt.timedelta(hours=1)


def do(coordinator, house, way):
    """What a way out says, by the coordinator's method of that name."""
    given = dict(way.arguments)
    booking_id = given.pop("booking_id")
    booking = house.store.booking(booking_id)
    if way.method == "place":
        moves = [Move(**one) for one in given.pop("moves", ())]
        return coordinator.place(booking, actor="ann", moves=moves, **given)
    if way.method == "reassign":
        changed = attrs.evolve(booking, start_at=dt.datetime.fromisoformat(given["start_at"]))
        house.host.put_booking(changed)
        return coordinator.reassign(changed, actor="ann")
    return getattr(coordinator, way.method)(booking_id, actor="ann", **given)


def test_a_case_says_what_it_is_and_what_was_tried(house, coordinator):
    """In one sentence, since when, and with the plannings that were recorded."""
    start = house.booking("B1", 9).start_at.astimezone(house.venue.zone)
    coordinator.assign(house.booking("B1", 9))
    house.clock.advance(HOUR)
    page = coordinator.review_cases("R1")
    (case,) = page.cases
    assert case.sentence == f"9 guests, {start:%a %d %b %H:%M}: too large for any table or combination"
    assert (case.since, case.record.booking_id) == (page.now - HOUR, "B1")
    assert [attempt.reason for attempt in case.tried] == ["party_too_large"]
    assert [(way.method, way.arguments["booking_id"]) for way in case.ways_out] == [("reject", "B1")]
    assert do(coordinator, house, case.ways_out[0]).outcome is Outcome.FAILED
    assert coordinator.review_cases().cases == ()


@pytest.mark.parametrize("way", [0, 1, 2])
def test_each_way_out_does_what_it_says(house, coordinator, way):
    """At most three, the best first: elsewhere than it wished, then other times; each is a call that works."""
    coordinator.assign(house.booking("B1", 2, zone="terrace"))
    (case,) = coordinator.review_cases("R1").cases
    assert [one.method for one in case.ways_out] == ["place", "reject"]
    assert case.ways_out[0].arguments["allow"] == ["zone"]
    for name, size in (("F1", 2), ("F2", 2), ("F3", 4)):
        assert coordinator.assign(house.booking(name, size)).outcome is Outcome.CONFIRMED
    late = house.coordinator(settings=Settings(max_retries=0))
    late.assign(house.booking("B2", 2))
    case = next(one for one in coordinator.review_cases("R1").cases if one.record.booking_id == "B2")
    assert [one.method for one in case.ways_out] == ["reassign", "reassign", "reassign"]
    result = do(coordinator, house, case.ways_out[way])
    assert result.outcome is Outcome.CONFIRMED
    assert coordinator.history("B2")[-1].actor == "ann"
    assert result.record.booking.start_at == dt.datetime.fromisoformat(case.ways_out[way].arguments["start_at"])


def test_cases_come_in_pages_by_arrival(house, coordinator):
    """As in the queue; asyncio has the same."""
    start = house.booking().start_at
    for name, hours in (("B1", 2), ("B2", 0), ("B3", 1)):
        coordinator.assign(house.booking(name, 9, start_at=start + hours * HOUR))
    page = coordinator.review_cases("R1", limit=2)
    assert [case.record.booking_id for case in page.cases] == ["B2", "B3"]

    async def rest():
        async with AsyncCoordinator(house.store, **house.options) as asked:
            return await asked.review_cases("R1", after=page.next)

    assert [case.record.booking_id for case in asyncio.run(rest()).cases] == ["B1"]
    with pytest.raises(ValueError, match="after: expected"):
        coordinator.review_cases(after="B1")


def test_a_review_that_nobody_looks_at_escalates_once(house):
    """When it has waited for as long as the settings say; also in another process, with the same id. It counts then."""
    coordinator = house.coordinator(settings=Settings(review_within=HOUR))
    coordinator.assign(house.booking("B1", 9))
    coordinator.assign(house.booking("B2", 9))

    def overdue():
        return [event for event in house.sink.events if event.type == "coordinator.review_overdue"]

    def counted():
        return house.store.measure(MetricsQuery(since=house.clock.now() - HOUR)).backlog.review_overdue

    house.clock.advance(HOUR - dt.timedelta(seconds=1))
    coordinator.sweep()
    coordinator.reject("B2", actor="ann", reason="gone")
    coordinator.flush()
    assert (overdue(), counted()) == ([], 0)
    house.clock.advance(dt.timedelta(seconds=1))
    for _ in range(3):
        coordinator.sweep()
    coordinator.flush()
    (told,) = overdue()
    assert counted() == 1
    assert (told.booking_id, told.severity, told.context["reason"]) == ("B1", "warning", "party_too_large")
    assert told.context["since"] == (house.clock.now() - HOUR).isoformat()
    other = house.coordinator(settings=Settings(review_within=HOUR))
    other.sweep()
    other.flush()
    assert {event.id for event in overdue()} == {told.id}
    assert [event.id for event in house.store.events if event.type == "coordinator.review_overdue"] == [told.id]
    coordinator.reject("B1", actor="ann", reason="gone")
    assert counted() == 0


def test_who_finds_a_party_at_its_table_is_in_the_queue(house, coordinator):
    """With the ways out that `conflicts` has, on the first page, until one is taken; of one restaurant or of all."""
    start = house.clock.now().replace(second=0, microsecond=0) + HOUR
    early = house.booking("early", 4, start_at=start)
    late = house.booking("late", 4, start_at=start + 105 * HOUR / 60)
    assert coordinator.assign(early).tables == coordinator.assign(late).tables == ("T3",)
    house.clock.advance(start - house.clock.now())
    coordinator.seated("early", actor="ann")
    assert coordinator.review_cases("R1").conflicts == ()
    house.clock.advance(100 * HOUR / 60)
    coordinator.assign(house.booking("huge", 9))
    house.clock.advance(10 * HOUR / 60)
    for asked in ("R1", None):
        page = coordinator.review_cases(asked)
        (case,) = page.conflicts
        assert [one.record.booking_id for one in page.cases] == ["huge"]
        assert (case.record.booking_id, case.since) == ("late", early.start_at + 105 * HOUR / 60)
        assert case.sentence == "The party of 'early' still sits at T3, where 'late' is next"
        assert case.ways_out == coordinator.conflicts("R1")[0].ways_out
    assert coordinator.review_cases("R2").conflicts == ()
    left = next(way for way in case.ways_out if way.method == "left")
    assert do(coordinator, house, left).outcome is Outcome.CONFIRMED
    assert coordinator.review_cases("R1").conflicts == ()


def test_a_later_page_repeats_no_conflict(house, coordinator):
    """They are on the first one."""
    start = house.clock.now().replace(second=0, microsecond=0)
    coordinator.walk_in("R1", 4, actor="ann", tables=["T3"])
    coordinator.place(house.booking("late", 4, start_at=start + 105 * HOUR / 60), ["T3"], actor="ann")
    for name in ("h1", "h2"):
        coordinator.assign(house.booking(name, 9))
    house.clock.advance(104 * HOUR / 60)
    house.clock.advance(2 * HOUR / 60)
    first = coordinator.review_cases("R1", limit=1)
    assert [case.record.booking_id for case in first.conflicts] == ["late"]
    second = coordinator.review_cases("R1", limit=1, after=first.next)
    assert (len(second.cases), second.conflicts) == (1, ())
