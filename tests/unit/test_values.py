"""The domain's values refuse what cannot be: each says which field, what was expected, and what it got."""

from __future__ import annotations

import copy
import datetime as dt
import importlib
import pickle
import pkgutil
import sys
from enum import EnumType
from functools import partial

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import assignment_pipeline
from assignment_pipeline import Coordinator
from assignment_pipeline.domain.allocation import Allocation
from assignment_pipeline.domain.booking import Booking, SeatingPreference
from assignment_pipeline.domain.events import Event, EventType, Severity, Source
from assignment_pipeline.domain.floor import FloorPlan, Table
from assignment_pipeline.domain.periods import EndRule, PeriodTurn
from assignment_pipeline.domain.policy import (
    AdjacencyMode,
    Arrivals,
    Reseat,
    ServicePeriod,
    SpecialDay,
    TurnBand,
    VenuePolicy,
    Weights,
)
from assignment_pipeline.domain.record import (
    AssignmentChange,
    AssignmentRecord,
    Attempt,
    Owner,
    StateChange,
    in_order,
)
from assignment_pipeline.domain.result import LegacyOutcome, LegacyResult, Mode, Plan
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.domain.zones import TableOffer, Zone
from assignment_pipeline.errors import InvalidValueError
from assignment_pipeline.flow.settings import Confirmation, Settings
from assignment_pipeline.lifecycle import AssignmentState, Trigger
from assignment_pipeline.rollout.flags import FixedFlags
from assignment_pipeline.testing.store_harness import CONFIRM, make_block, make_booking, make_change, make_venue
from assignment_pipeline.testing.strategies import bookings, floors, policies, tables, venues, windows

NOON = dt.datetime(2031, 5, 1, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
MAY, DAY, SIX = dt.date(2031, 5, 1), dt.timedelta(days=1), dt.time(18)
CLOSED = SpecialDay(date=MAY, closed=True)
LATE = ServicePeriod("late", dt.time(22, 30), dt.time(2))
NIGHT = ServicePeriod("night", dt.time(1, 30), dt.time(4))
MINUTE = dt.timedelta(minutes=1)
LUNCH = TimeWindow(NOON, NOON + HOUR)

booking = partial(Booking, "b-1", "r-1", 2, NOON)
table = partial(Table, "T1", 4)
period = partial(ServicePeriod, "dinner", dt.time(18), dt.time(23))
record = partial(AssignmentRecord, booking_id="b-1", restaurant_id="r-1")
seats = partial(Allocation, tables=("T1",), turn=LUNCH, blocked=LUNCH)
venue = partial(Venue, "r-1", "Europe/London", FloorPlan([Table("T1", 4)]))

REFUSED = [
    # Identifiers
    (lambda: Booking("", "r-1", 2, NOON), "id", "non-empty text", "''"),
    (lambda: Booking(" \t", "r-1", 2, NOON), "id", "non-empty text", r"' \t'"),
    (lambda: Booking("b\n1", "r-1", 2, NOON), "id", "printable", r"'b\n1'"),
    (lambda: Booking("b\x00", "r-1", 2, NOON), "id", "printable", r"'b\x00'"),
    (lambda: Booking("x" * 201, "r-1", 2, NOON), "id", "200", "xxx"),
    (lambda: Booking(7, "r-1", 2, NOON), "id", "text", "7"),
    (lambda: Booking("b-1", None, 2, NOON), "restaurant_id", "text", "None"),
    # Bookings
    (lambda: Booking("b-1", "r-1", 0, NOON), "party_size", "from 1 to 500", "0"),
    (lambda: Booking("b-1", "r-1", 501, NOON), "party_size", "from 1 to 500", "501"),
    (lambda: Booking("b-1", "r-1", 2.0, NOON), "party_size", "whole number", "2.0"),
    (lambda: Booking("b-1", "r-1", party_size=True, start_at=NOON), "party_size", "whole number", "True"),
    (lambda: Booking("b-1", "r-1", "2", NOON), "party_size", "whole number", "'2'"),
    (lambda: Booking("b-1", "r-1", 2, NOON.replace(tzinfo=None)), "start_at", "offset from UTC", "2031-05-01"),
    (lambda: Booking("b-1", "r-1", 2, "19:00"), "start_at", "offset from UTC", "19:00"),
    (lambda: Booking("b-1", "r-1", 2, NOON.replace(second=1)), "start_at", "whole minute", "12:00:01"),
    (lambda: Booking("b-1", "r-1", 2, NOON.replace(year=9999)), "start_at", "1970 to 9998", "9999"),
    (lambda: Booking("b-1", "r-1", 2, dt.datetime.min.replace(tzinfo=dt.UTC)), "start_at", "1970 to 9998", "0001"),
    (lambda: booking(NOON), "end_at", "after start_at", "12:00:00"),
    (lambda: booking(NOON - HOUR), "end_at", "after start_at", "11:00:00"),
    (lambda: booking(NOON + 24 * HOUR + MINUTE), "end_at", "24 hours", "12:01:00"),
    (lambda: booking((NOON + HOUR).replace(tzinfo=None)), "end_at", "offset from UTC", "13:00:00"),
    (lambda: booking(NOON.replace(microsecond=1) + HOUR), "end_at", "whole minute", "13:00:00.000001"),
    (lambda: booking(zone=""), "zone", "non-empty text", "''"),
    (lambda: booking(accessible=1), "accessible", "true or false", "1"),
    (lambda: booking(status=None), "status", "text", "None"),
    (lambda: booking(attributes=[1]), "attributes", "mapping", "[1]"),
    # Windows
    (lambda: TimeWindow(NOON, NOON), "end", "after the start", "12:00:00"),
    (lambda: TimeWindow(NOON.replace(tzinfo=None), NOON), "start", "offset from UTC", "2031-05-01"),
    (lambda: TimeWindow(NOON.replace(second=30), NOON + HOUR), "start", "whole minute", "12:00:30"),
    # Tables and floors
    (lambda: Table("T1", 0), "capacity", "from 1 to 500", "0"),
    (lambda: table(min_party_size=5), "min_party_size", "from 1 to 4", "5"),
    (lambda: table(max_party_size=501), "max_party_size", "from 1 to 500", "501"),
    (lambda: table(min_party_size=3, max_party_size=2), "max_party_size", "from 3 to 500", "2"),
    (lambda: table(tags=["quiet", "a\nb"]), "tags", "printable characters", r"'a\nb'"),
    (lambda: table(tags=[7]), "tags", "non-empty text", "7"),
    (lambda: table(seating="any"), "seating", "indoor, outdoor or bar", "'any'"),
    (lambda: table(accessible=None), "accessible", "true or false", "None"),
    (lambda: table(active="yes"), "active", "true or false", "'yes'"),
    (lambda: table(priority=1.5), "priority", "whole number", "1.5"),
    (lambda: FloorPlan([]), "tables", "one table or more", "none"),
    (lambda: FloorPlan([table(), table()]), "tables", "each id once", "'T1' twice"),
    (lambda: FloorPlan([table()], [("T1", "T2")]), "adjacent", "tables of the floor", "['T1', 'T2']"),
    (lambda: FloorPlan([table()], [("T1", "T1")]), "adjacent", "two different tables", "['T1']"),
    # Policies and venues
    (lambda: ServicePeriod("x", dt.time(18, 0, 1), dt.time(23)), "start", "whole minutes", "18, 0, 1"),
    (lambda: ServicePeriod("x", dt.time(18), dt.time(23, tzinfo=dt.UTC)), "end", "local time", "23, 0"),
    (lambda: ServicePeriod("x", "18:00", dt.time(23)), "start", "time of day", "'18:00'"),
    (lambda: period(days=()), "days", "mon", "[]"),
    (lambda: period(days=("mon", "mon")), "days", "each once", "['mon', 'mon']"),
    (lambda: period(days=("monday",)), "days", "mon", "['monday']"),
    (lambda: period(valid_from="2031-04-01"), "valid_from", "a date", "'2031-04-01'"),
    (
        lambda: period(valid_from=MAY, valid_until=MAY - DAY),
        "valid_until",
        "not before valid_from, 2031-05-01",
        "04-30",
    ),
    (lambda: period(arrivals=[]), "arrivals", "one local time or more", "[]"),
    (lambda: period(arrivals=[SIX, SIX]), "arrivals", "each once", "['18:00', '18:00']"),
    (lambda: period(arrivals=["18:00"]), "arrivals", "local time of day", "'18:00'"),
    (lambda: period(arrivals=[dt.time(23)]), "arrivals", "from 18:00 on and before 23:00", "23:00"),
    (lambda: period(arrivals=Arrivals(every=15, first=dt.time(17, 45))), "arrivals", "from 18:00 on", "17:45"),
    (lambda: period(arrivals=Arrivals(every=15, last=dt.time(23, 15))), "arrivals", "before 23:00", "23:15"),
    (lambda: period(arrivals=Arrivals(every=15, first=dt.time(20), last=SIX)), "arrivals", "not before", "18:00"),
    (lambda: Arrivals(every=0), "every", "from 1 to 1440", "0"),
    (lambda: period(turn="to_end", turn_bands=[TurnBand(2, 60)]), "turn", "turn_bands or turn", "both"),
    (lambda: period(turn_bands=[]), "turn_bands", "ever larger parties", "[]"),
    (
        lambda: VenuePolicy(service_periods=[period(), LATE]),
        "service_periods",
        "not overlap on a day",
        "22:30-02:00 on",
    ),
    (
        lambda: VenuePolicy(service_periods=[LATE, NIGHT]),
        "service_periods",
        "not overlap on a day",
        "night 01:30-04:00",
    ),
    (lambda: VenuePolicy(service_periods=[period(), period()]), "service_periods", "not overlap", "on mon"),
    (lambda: SpecialDay(closed=True), "date", "a date, or from and until", "neither"),
    (lambda: SpecialDay(date=MAY, until=MAY, closed=True), "date", "not both", "both"),
    (lambda: SpecialDay(from_=MAY, closed=True), "until", "a date beside from", "none"),
    (lambda: SpecialDay(until=MAY, closed=True), "from_", "a date beside until", "none"),
    (lambda: SpecialDay(from_=MAY, until=MAY - DAY, closed=True), "until", "not before from", "2031-04-30"),
    (lambda: SpecialDay(date=MAY), "closed", "true, or service_periods", "neither"),
    (lambda: SpecialDay(date=MAY, closed=True, service_periods=[period()]), "service_periods", "none on a day", "1"),
    (lambda: SpecialDay(date=MAY, service_periods=[period(), LATE]), "service_periods", "not overlap", "late 22:30"),
    (lambda: SpecialDay(date=MAY, service_periods=[period(days=["thu"])]), "service_periods", "without days", "dinner"),
    (
        lambda: VenuePolicy(service_periods=[LATE], special_days=[SpecialDay(date=MAY, service_periods=[NIGHT])]),
        "special_days",
        "periods that do not overlap on a day",
        "late 22:30-02:00 on 2031-04-30 and night 01:30-04:00",
    ),
    (
        lambda: VenuePolicy(
            special_days=[
                SpecialDay(date=MAY + DAY, service_periods=[NIGHT]),
                SpecialDay(date=MAY, service_periods=[LATE]),
            ]
        ),
        "special_days",
        "periods that do not overlap on a day",
        "late 22:30-02:00 on 2031-05-01 and night 01:30-04:00",
    ),
    (lambda: VenuePolicy(special_days=[CLOSED, CLOSED]), "special_days", "each date in one entry", "2031-05-01 in two"),
    (lambda: VenuePolicy(offer_within_minutes=-1), "offer_within_minutes", "from 0 to 1440", "-1"),
    (lambda: TurnBand(2, 14), "minutes", "from 15 to 1440", "14"),
    (lambda: VenuePolicy(turn_bands=()), "turn_bands", "ever larger parties", "[]"),
    (lambda: VenuePolicy(turn_bands=(TurnBand(4, 90), TurnBand(2, 60))), "turn_bands", "ever larger", "[4, 2]"),
    (lambda: VenuePolicy(pre_buffer_minutes=361), "pre_buffer_minutes", "from 0 to 360", "361"),
    (lambda: VenuePolicy(max_tables=9), "max_tables", "from 1 to 8", "9"),
    (lambda: VenuePolicy(max_overage=-1), "max_overage", "from 0", "-1"),
    (lambda: Weights(gap=float("nan")), "gap", "from 0 to 1000", "nan"),
    (lambda: Weights(waste=-0.1), "waste", "from 0 to 1000", "-0.1"),
    (lambda: Weights(join=True), "join", "number", "True"),
    (lambda: Venue("r-1", "London", FloorPlan([table()])), "timezone", "Europe/London", "'London'"),
    (lambda: Venue("r-1", "../etc/passwd", FloorPlan([table()])), "timezone", "IANA", "passwd"),
    (lambda: Venue("r-1", None, FloorPlan([table()])), "timezone", "IANA", "None"),
    (lambda: make_block(reason="It leaks"), "reason", "short code", "'It leaks'"),
    (lambda: make_block(table_id=""), "table_id", "text", "''"),
    # Records
    (lambda: seats(tables=()), "tables", "one table or more", "()"),
    (lambda: seats(tables=("T1", "T1")), "tables", "each once", "('T1', 'T1')"),
    (lambda: seats(blocked=LUNCH.shifted(MINUTE)), "blocked", "covers the turn", "12, 1"),
    (lambda: record(version=-1), "version", "from 0", "-1"),
    (lambda: record(state="confirmed"), "allocation", "assigned and confirmed", "None while confirmed"),
    (lambda: record(state="cancelled", allocation=seats()), "allocation", "assigned and confirmed", "cancelled"),
    (lambda: AssignmentRecord(booking_id="", restaurant_id="r-1"), "booking_id", "text", "''"),
    (
        lambda: attrs.evolve(make_change(make_booking(), *CONFIRM, tables=("T1",)), expected_version=1),
        "steps",
        "versions from 2 to 5",
        "[1, 2, 3, 4, 5]",
    ),
    (lambda: in_order([make_change(make_booking())] * 2), "changes", "one a booking", "'b-1'"),
    (
        lambda: Event("e-1", NOON.replace(tzinfo=None), Source.COORDINATOR, EventType.START),
        "created_at",
        "offset from UTC",
        "2031-05-01",
    ),
]


@pytest.mark.parametrize(("make", "field", "expected", "got"), REFUSED)
def test_what_cannot_be_is_refused(make, field, expected, got):
    """The message names the field, what it takes, and what it was given."""
    with pytest.raises(ValueError, match=f"^{field}: expected ") as refused:
        make()
    said = str(refused.value)
    wanted, _, found = said.rpartition("got ")
    assert expected in wanted
    assert got in found


@pytest.mark.parametrize(
    ("make", "field", "words"),
    [
        (lambda word: booking(seating=word), "seating", SeatingPreference),
        (lambda word: table(seating=word), "seating", SeatingPreference),
        (lambda word: table(offer=word), "offer", TableOffer),
        (lambda word: Zone("hall", offer=word), "offer", TableOffer),
        (lambda word: VenuePolicy(adjacency=word), "adjacency", AdjacencyMode),
        (lambda word: VenuePolicy(reseat=word), "reseat", Reseat),
        (lambda word: period(end_rule=word), "end_rule", EndRule),
        (lambda word: period(turn=word), "turn", PeriodTurn),
        (lambda word: record(state=word), "state", AssignmentState),
        (lambda word: record(owner=word), "owner", Owner),
        (lambda word: LegacyResult(outcome=word), "outcome", LegacyOutcome),
        (lambda word: Event("e-1", NOON, word, EventType.START), "source", Source),
        (lambda word: Event("e-1", NOON, Source.COORDINATOR, word), "type", EventType),
        (lambda word: Event("e-1", NOON, Source.COORDINATOR, EventType.START, severity=word), "severity", Severity),
        (lambda word: Settings(confirmation=word), "confirmation", Confirmation),
        (lambda word: FixedFlags(mode=word), "mode", Mode),
    ],
)
@pytest.mark.parametrize("word", ["garden", 3, ["garden"]])
def test_unknown_words_are_refused(make, field, words, word):
    """What is no word of a field's is refused: which field, which words it takes, and what it was."""
    with pytest.raises(InvalidValueError) as refused:
        make(word)
    expected = f"one of {', '.join(each.value for each in words)}"
    assert (refused.value.field, refused.value.expected, refused.value.got) == (field, expected, repr(word))


def test_no_value_has_an_enum_for_a_converter():
    """An enum as a converter would say neither the field nor the words: `enum_fields` makes it say them."""
    parts = ("domain", "flow", "rollout")
    classes = [
        each
        for module in pkgutil.walk_packages(assignment_pipeline.__path__, "assignment_pipeline.")
        if module.name.count(".") > 1 and module.name.split(".")[1] in parts
        for each in vars(importlib.import_module(module.name)).values()
        if isinstance(each, type) and attrs.has(each)
    ]
    assert Booking in classes
    fields = [(each, field) for each in classes for field in attrs.fields(each)]
    assert not [(each, field.name) for each, field in fields if isinstance(field.converter, EnumType)]


def test_words_stand_for_their_members():
    """Text becomes the member that it names."""
    assert booking(seating="bar").seating is SeatingPreference.BAR
    assert record(owner="legacy", state="created").owner is Owner.LEGACY
    assert LegacyResult(outcome="succeeded").outcome is LegacyOutcome.SUCCEEDED


def test_limits_are_included():
    """The ends of what is allowed are allowed."""
    assert Booking("x" * 200, "r-1", 500, NOON, NOON + 24 * HOUR).party_size == 500
    assert Booking("b-1", "r-1", 1, NOON, NOON + MINUTE).party_size == 1
    assert Table("T1", 1, min_party_size=1, max_party_size=1).max_party_size == 1
    assert VenuePolicy(pre_buffer_minutes=360, max_tables=8, max_overage=0).max_tables == 8


def test_a_table_takes_as_many_as_it_has_seats():
    """Unless told otherwise, the largest party fills the table."""
    assert Table("T1", 6).max_party_size == 6


def test_times_are_kept_in_utc():
    """The same moment is the same value, whatever its offset was."""
    summer = dt.timezone(HOUR)
    local = Booking("b-1", "r-1", 2, (NOON).astimezone(summer), (NOON + HOUR).astimezone(summer))
    assert local == booking(NOON + HOUR)
    assert local.start_at.tzinfo is dt.UTC
    assert TimeWindow(NOON.astimezone(summer), NOON + HOUR) == LUNCH


def test_attributes_are_not_compared():
    """What a host hangs onto a booking neither makes it another one nor shows up in logs."""
    named = booking(attributes={"name": "Zoë"})
    assert named == booking()
    assert hash(named) == hash(booking())
    assert "Zoë" not in repr(named)


def test_attributes_are_a_copy():
    """Changing the host's dict changes no booking."""
    given = {"vip": True}
    made = booking(attributes=given)
    given["vip"] = False
    assert made.attributes == {"vip": True}


def test_the_status_is_no_part_of_the_request():
    """A booking that was cancelled asked for the same as before, one for more guests did not."""
    assert booking().same_request(booking(status="cancelled"))
    assert not booking().same_request(booking(NOON + HOUR))
    for field, value in {"seating": "bar", "zone": "window", "accessible": True}.items():
        assert not booking().same_request(booking(**{field: value}))
    assert not booking().same_request(attrs.evolve(booking(), party_size=3))


def test_only_pending_waits():
    """Only one status is waiting for tables."""
    assert booking().is_pending
    assert not booking(status="Pending").is_pending


def test_legacy_seated_whom_it_has_tables_for():
    """Whether legacy succeeded goes by its tables, unless it says."""
    assert LegacyResult(("T1",)).outcome is LegacyOutcome.SUCCEEDED
    assert LegacyResult().outcome is LegacyOutcome.EXHAUSTED
    assert LegacyResult((), LegacyOutcome.SUCCEEDED).outcome is LegacyOutcome.SUCCEEDED


def test_tables_are_sorted():
    """The same tables are the same plan and the same seats, in whatever order they were named."""
    assert seats(tables=["T2", "T1"]) == seats(tables=("T1", "T2"))
    assert Plan(("T2", "T1"), 1.0, {}, "x") == Plan(("T1", "T2"), 1.0, {}, "x")


def test_legacys_records_may_have_tables_in_any_state():
    """What legacy does with its tables is its own business."""
    assert record(owner="legacy", state="manual_review", allocation=seats()).tables == ("T1",)
    assert record().tables == ()


def test_changes_are_ordered_by_booking():
    """Every store makes a commit's changes in the same order."""
    changes = [make_change(make_booking(key), Trigger.VERIFY) for key in ("b-2", "Zoë", "b-10")]
    assert [one.record.booking_id for one in in_order(changes)] == ["Zoë", "b-10", "b-2"]
    assert in_order([]) == ()


VALUES = st.one_of(
    bookings(),
    windows(),
    tables(),
    floors(),
    policies(),
    venues(),
    st.builds(lambda of: make_change(of, *CONFIRM, tables=("T1",), change_id="c-1"), bookings()),
    st.just(Attempt(number=1, result="success", metadata={"waste": 1.0}, created_at=NOON)),
    st.just(StateChange(version=1, from_state="created", to_state="failed", trigger="fail", created_at=NOON)),
)


@given(value=VALUES)
def test_values_are_values(value):
    """A value is equal to its copies and survives pickling, by which queues and process pools send it."""
    assert pickle.loads(pickle.dumps(value)) == value
    assert copy.deepcopy(value) == value
    hash(value)


@given(value=VALUES)
def test_values_cannot_be_changed(value):
    """No field of a value can be set."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(value, attrs.fields(type(value))[0].name, None)


def test_a_venues_version_is_a_digest_of_the_rest():
    """Any change to floor, policy or timezone is another version; the same again is the same one."""
    base = make_venue()
    assert make_venue().version == base.version
    others = [
        make_venue(tables=5),
        make_venue("r-2"),
        make_venue(post_buffer_minutes=20),
        venue(),
        Venue("r-1", "Europe/London", FloorPlan([Table("T1", 4, tags={"quiet"})])),
        Venue("r-1", "Europe/London", FloorPlan([Table("T1", 4, priority=1)])),
        Venue("r-1", "Europe/Paris", FloorPlan([Table("T1", 4)])),
    ]
    assert len({one.version for one in (base, *others)}) == len(others) + 1
    assert Venue("r-1", "UTC", FloorPlan([table()]), version="7").version == "7"


@given(value=venues())
def test_the_same_venue_has_the_same_version(value):
    """The order in which tables' tags, adjacent pairs, combinations, zones and groups were named does not count."""
    floor = FloorPlan(
        [attrs.evolve(one, tags=sorted(one.tags)) for one in value.floor.tables],
        [sorted(pair, reverse=True) for pair in sorted(map(sorted, value.floor.adjacent), reverse=True)],
        value.floor.combinations[::-1],
        zones=value.floor.zones[::-1],
        groups=value.floor.groups[::-1],
        never_joined=value.floor.never_joined,
    )
    assert Venue(value.id, value.timezone, floor, value.policy).version == value.version


def test_the_states_that_hold_tables_are_the_seated_ones():
    """Each state either must have tables or must not."""
    for state in AssignmentState:
        made = []
        for allocation in (None, seats()):
            try:
                made.append(record(state=state, allocation=allocation))
            except ValueError:
                continue
        assert len(made) == 1


def test_a_change_without_a_transition_keeps_the_version():
    """What only pins or reschedules has no steps."""
    change = make_change(make_booking(), before=make_change(make_booking(), Trigger.VERIFY).record, pinned=True)
    assert isinstance(change, AssignmentChange)
    assert (change.steps, change.expected_version, change.record.version) == ((), 1, 1)


@pytest.mark.parametrize(
    "make",
    [
        lambda: LegacyResult("T12"),
        lambda: Table("T12", 2, tags="window"),
        lambda: Coordinator.in_memory().place(make_booking(), "T12", actor="anna"),
    ],
)
def test_one_text_is_not_several(make):
    """A table's id where a list of them belongs is not taken for the list of its letters."""
    with pytest.raises(ValueError, match="expected several texts"):
        make()


@pytest.mark.parametrize("step", range(4))
def test_events_may_be_read_by_another_thread_at_each_step(step):
    """Both get them, wherever the first one is when the second one reads."""
    record = AssignmentRecord(booking_id="b-1", restaurant_id="r-1")
    change = AssignmentChange(id="c-1", record=record, expected_version=None, events=lambda: ())
    reader = AssignmentChange.events.fget.__code__
    steps = []

    def read_at_that_step(frame, event, _):
        if frame.f_code is reader and event == "line":
            steps.append(event)
            if len(steps) == step + 1:
                assert change.events == ()
        return read_at_that_step

    before = sys.gettrace()
    sys.settrace(read_at_that_step)
    try:
        assert change.events == ()
    finally:
        sys.settrace(before)
    assert steps
