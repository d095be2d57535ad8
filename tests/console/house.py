"""A small restaurant, and a browser without a window to ask its console."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
from html import unescape

import httpx

from assignment_pipeline import Booking, Coordinator, FloorPlan, Table, Venue, VenuePolicy
from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore
from assignment_pipeline.console import Staff
from assignment_pipeline.domain.allocation import Allocation
from assignment_pipeline.domain.policy import ServicePeriod
from assignment_pipeline.domain.record import AssignmentChange, AssignmentRecord, StateChange
from assignment_pipeline.domain.result import LegacyResult, Mode
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.rollout.control import Rollout
from assignment_pipeline.rollout.flags import FixedFlags, StoreFlags
from assignment_pipeline.rollout.flags.document import read_settings
from assignment_pipeline.rollout.flags.settings import DEFAULT_SALT
from assignment_pipeline.testing import FakeClock

EVENING = dt.datetime(2031, 5, 17, 17, 30, tzinfo=dt.UTC)
"""Half past seven in Berlin."""

FLOOR = FloorPlan(
    [
        Table("T1", 2, zone="Window"),
        Table("T2", 2, zone="Window"),
        Table("T3", 4, zone="Garden"),
        Table("T4", 6, zone="Garden"),
    ],
    adjacent=[("T1", "T2")],
)
POLICY = VenuePolicy(service_periods=[ServicePeriod("dinner", dt.time(17), dt.time(23))], post_buffer_minutes=15)


def venue(restaurant_id="corner"):
    """The restaurant."""
    return Venue(restaurant_id, "Europe/Berlin", FLOOR, POLICY)


def booking(key, party=2, hour=18, minute=0, **facts):
    """A booking for that evening; the hour is in UTC."""
    facts = {"restaurant_id": "corner", **facts}
    start = EVENING.replace(hour=hour, minute=minute)
    return Booking(key, party_size=party, start_at=start, **facts)


class Counting:
    """A store that counts what it is asked."""

    def __init__(self, store):
        self.store = store
        self.asked = []

    def __getattr__(self, name):
        found = getattr(self.store, name)
        if not callable(found):
            return found

        def ask(*values, **options):
            self.asked.append(name)
            return found(*values, **options)

        return ask


class Page:
    """An answer, and what is in it."""

    def __init__(self, answer):
        self.answer = answer
        self.status = answer.status_code
        self.html = answer.text
        self.headers = answer.headers

    @property
    def text(self):
        """What a person reads, in one line."""
        bare = re.sub(r"<[^>]+>", " ", self.html.partition("<body>")[2])
        return re.sub(r" (?=[,.:])", "", " ".join(unescape(bare).split()))

    def fields(self):
        """The fields of the form that does something."""
        form = re.search(r'<form action="act" method="post".*?</form>', self.html, re.DOTALL)
        assert form, self.text
        found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form[0])
        return {name: unescape(value) for name, value in found}


class Browser:
    """Asks a console, keeps its cookies, and sends its forms as browsers do."""

    def __init__(self, app, run=asyncio.run, **headers):
        self.app = app
        self.run = run
        self.cookies = httpx.Cookies()
        self.headers = headers

    def ask(self, method, path, **options):
        """What comes of one request; redirects are not followed."""

        async def send():
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://127.0.0.1", cookies=self.cookies
            ) as client:
                answer = await client.request(method, path, **{"headers": self.headers, **options})
                self.cookies = client.cookies
                return answer

        return Page(self.run(send()))

    def get(self, path, **options):
        """A page."""
        return self.ask("GET", path, **options)

    def post(self, fields, **headers):
        """A form."""
        sent = {"Sec-Fetch-Site": "same-origin", **self.headers, **headers}
        return self.ask("POST", "/act", data=fields, headers={name: each for name, each in sent.items() if each})

    def do(self, path):
        """Look at what an act will do, and do it."""
        shown = self.get(path)
        assert shown.status == 200, shown.text
        return self.post(shown.fields())


ANNA = Staff("anna", restaurants=["corner"])


NOON = dt.datetime(2031, 5, 17, 10, tzinfo=dt.UTC)


def full_house(store, put_venue, tables=200, bookings=400, zones=8):
    """A large restaurant, two parties a table."""
    floor = FloorPlan([Table(f"T{number}", 4, zone=f"Zone {number % zones}") for number in range(tables)])
    put_venue(Venue("palace", "Europe/Berlin", floor))
    changes = []
    for number in range(bookings):
        start = NOON + dt.timedelta(hours=2 * (number // tables))
        made = Booking(f"Guest {number}", "palace", 2 + number % 3, start)
        turn = TimeWindow(start, start + dt.timedelta(hours=1))
        held = Allocation(
            tables=[f"T{number % tables}"], turn=turn, blocked=TimeWindow(start, turn.end + dt.timedelta(minutes=15))
        )
        record = AssignmentRecord(
            booking_id=made.id, restaurant_id="palace", state="assigned", version=1, booking=made, allocation=held
        )
        step = StateChange(
            version=1, from_state="created", to_state="assigned", trigger="seat", tables=held.tables, created_at=NOON
        )
        changes.append(AssignmentChange(id=f"c-{number}", record=record, expected_version=None, steps=[step]))
    store.commit(changes)


def rolled(hours=48, restaurants=16):
    """A store that has been in `production-10` for that long: half of the restaurants are the pipeline's."""
    clock = FakeClock(EVENING - dt.timedelta(hours=hours))
    host = MemoryHost()
    store = MemoryStore(host, clock=clock)
    Rollout.of(store, StoreFlags(store)).enter("production-10", actor="anna", reason="a test", force=True)
    settings = read_settings(store.rollout().settings)
    covered = {Mode.ACTIVE: [], Mode.OFF: []}
    for number in range(100 * restaurants):
        covered[settings.explain(f"r-{number}", source="store", salt=DEFAULT_SALT).mode].append(f"r-{number}")
    each = [name for pair in zip(covered[Mode.OFF], covered[Mode.ACTIVE], strict=False) for name in pair][:restaurants]
    for name in each:
        host.put_venue(venue(name))
    ours = Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=(), clock=clock)
    theirs = Coordinator(
        store, flags=FixedFlags(Mode.OFF), sinks=(), legacy=lambda _: LegacyResult(("T4",)), clock=clock
    )
    for hour in range(hours):
        clock.advance(dt.timedelta(hours=1))
        for number, name in enumerate(each):
            count = hour * restaurants + number
            start = EVENING.replace(hour=15 + 2 * (hour % 2), minute=0) + dt.timedelta(days=1 + hour // 2)
            party = 30 if count % 53 == 7 else 2 + count % 2
            made = Booking(f"g-{count}", name, party, start)
            host.put_booking(made)
            (ours if number % 2 else theirs).assign(made)
    clock.advance(dt.timedelta(hours=1))
    return store, ours
