"""On a new database of the PostgreSQL server that ``TEST_DATABASE_URL`` names."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import os
import re
import secrets
import uuid

import attrs
import httpx
import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

import pages
from app import app
from assignment_pipeline.rollout.control import Rollout
from database import open_restaurant, prepare
from login import STAFF_TOKENS
from services import opened

pytestmark = pytest.mark.anyio

AT_EIGHT = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).replace(hour=20, minute=0, second=0, microsecond=0)
LATER = AT_EIGHT + dt.timedelta(hours=5)
TOKEN = secrets.token_urlsafe()
ANA = {"Authorization": f"Bearer {TOKEN}"}
TABLES = ["restaurants", "assignment_pipeline.assignment_records", "assignment_pipeline.observability_events"]
TABLES += ["assignment_pipeline.booking_table_assignments"]


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="session")
def conninfo():
    """A database with all tables, dropped after the tests."""
    server, name = os.environ["TEST_DATABASE_URL"], f"test_{secrets.token_hex(4)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    made = make_conninfo(server, dbname=name)
    try:
        prepare(made)
        yield made
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


class Guest:
    """What a guest does, over HTTP."""

    def __init__(self, conninfo, restaurant_id, client):
        self.conninfo, self.restaurant_id, self.client = conninfo, restaurant_id, client

    async def book(self, party_size, start_at=AT_EIGHT, **facts):
        asked = {"restaurant_id": self.restaurant_id, "guest": "Guest 12", "party_size": party_size}
        answer = await self.client.post("/bookings", json=asked | {"start_at": start_at.isoformat()} | facts)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def look(self, booking):
        shown = (await self.client.get(f"/bookings/{booking['id']}")).json()
        return shown["status"], shown["tables"]

    async def enter(self, phase, mode):
        """Begin a phase of the rollout, as the command line does, and wait until the server follows."""
        coordinator = app.state.services.coordinator
        await asyncio.to_thread(Rollout(coordinator.store).enter, phase, actor="ana", reason="a test", force=True)

        async def followed():
            found = await asyncio.to_thread(coordinator.flags.resolve, self.restaurant_id)
            return found.mode == mode

        await until(followed)

    def rows(self, query):
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            cursor = connection.execute(query)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture
async def guest(conninfo, monkeypatch):
    """The application as its server runs it, with a restaurant of its own, and with the pipeline in charge."""
    monkeypatch.setenv(STAFF_TOKENS, f"bob=another ana={TOKEN}")
    restaurant_id = str(open_restaurant(conninfo))
    async with (
        opened(conninfo, sweep_every=0.05) as app.state.services,
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
    ):
        guest = Guest(conninfo, restaurant_id, client)
        await guest.enter("local", "active")
        yield guest
    guest.rows(f"TRUNCATE {', '.join(TABLES)} CASCADE")


async def until(condition, seconds=10):
    """Wait for what the sweep or the shadow does."""
    for _ in range(int(seconds * 50)):
        if await condition():
            return
        await asyncio.sleep(0.02)
    pytest.fail("it never came true")


async def test_a_booking_gets_its_tables(guest):
    """At once; the answer has them."""
    booking = await guest.book(2)
    assert (booking["status"], booking["tables"]) == ("confirmed", ["T1"])
    assert await guest.look(booking) == ("confirmed", ["T1"])
    assert (await guest.book(6, LATER))["tables"] == ["T1", "T2"]


async def test_the_pages_are_behind_the_login(guest):
    """Who brings a token of the staff's sees the floor and does something there, in their own name."""
    booking = await guest.book(2)
    pages.mount(app, app.state.services.coordinator)
    try:
        path = f"/tables/floor?restaurant={guest.restaurant_id}&date={AT_EIGHT:%Y-%m-%d}"
        stranger = await guest.client.get(path)
        assert (stranger.status_code, stranger.headers["location"]) == (303, "/login")
        assert (await guest.client.post("/login", data={"token": "guess"})).status_code == 401
        assert (await guest.client.post("/login", data={"token": TOKEN})).status_code == 303
        assert booking["id"] in (await guest.client.get(path)).text
        shown = await guest.client.get(f"/tables/act?do=pin&id={booking['id']}")
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', shown.text))
        done = await guest.client.post("/tables/act", data=fields, headers={"Sec-Fetch-Site": "same-origin"})
        assert done.status_code == 200
        trail = await app.state.services.coordinator.show(booking["id"])
        assert (trail.record.pinned, trail.history[-1].actor) == (True, "ana")
    finally:
        app.router.routes.pop()


async def test_bad_requests_are_refused(guest):
    """Before anything is written."""
    asked = {"restaurant_id": guest.restaurant_id, "guest": "Guest 12", "party_size": 2}
    times = ("soon", "9999-05-17T20:00Z", "1900-05-17T20:00Z", AT_EIGHT.replace(second=3).isoformat())
    for wrong in ({"party_size": 0}, *({"start_at": time} for time in times)):
        answer = await guest.client.post("/bookings", json=asked | {"start_at": AT_EIGHT.isoformat()} | wrong)
        assert answer.status_code == 422
    answer = await guest.client.post(
        "/bookings", json=asked | {"start_at": AT_EIGHT.isoformat(), "restaurant_id": str(uuid.uuid4())}
    )
    assert (answer.status_code, answer.json()["code"]) == (404, "venue_not_found")
    assert guest.rows("SELECT 1 FROM bookings") == []
    assert (await guest.client.get(f"/bookings/{uuid.uuid4()}")).json()["code"] == "booking_not_found"


async def test_the_sweep_finds_what_nobody_assigned(guest, monkeypatch):
    """As if the process had died after the commit."""
    used = app.state.services
    with monkeypatch.context() as patched:
        patched.setattr(type(used.coordinator), "assign", lambda *_: asyncio.sleep(0))
        booking = await guest.book(2)
    assert booking["status"] == "pending"
    guest.rows("UPDATE assignment_pipeline.assignment_records SET next_attempt_at = now()")  # A minute later.

    async def seated():
        return await guest.look(booking) == ("confirmed", ["T1"])

    await until(seated)


async def test_what_is_rolled_back_leaves_nothing(guest):
    """Neither a row nor a record."""
    used = app.state.services
    with contextlib.suppress(ZeroDivisionError):
        async with used.pool.connection() as connection:
            await connection.execute(
                "INSERT INTO bookings (restaurant_id, guest, party_size, start_at) VALUES (%s, 'Guest 12', 2, %s)",
                (guest.restaurant_id, AT_EIGHT),
            )
            rows = await connection.execute("SELECT id FROM bookings")
            [(key,)] = await rows.fetchall()
            await used.coordinator.joined(connection).enqueue(await used.host.booking(connection, str(key)))
            raise ZeroDivisionError
    assert guest.rows("SELECT 1 FROM bookings") == []
    assert guest.rows("SELECT 1 FROM assignment_pipeline.assignment_records") == []


async def test_a_change_moves_the_row_and_its_tables_together(guest):
    """Where there are tables for it; else both stay, and the nearest times are told."""
    booking = await guest.book(2)
    path = f"/bookings/{booking['id']}"
    answer = await guest.client.patch(path, json={"party_size": 4})
    assert (answer.status_code, answer.json()["party_size"], answer.json()["tables"]) == (200, 4, ["T3"])
    answer = await guest.client.patch(path, json={"party_size": 30})
    assert (answer.status_code, answer.json()["detail"]["code"]) == (409, "party_too_large")
    for size in (4, 2):
        assert (await guest.book(size))["status"] == "confirmed"
    late = await guest.book(4, LATER)
    answer = await guest.client.patch(f"/bookings/{late['id']}", json={"start_at": AT_EIGHT.isoformat()})
    assert answer.status_code == 409
    assert answer.json()["detail"]["nearest"]
    assert (await guest.client.get(f"/bookings/{late['id']}")).json() == late
    assert await guest.look(booking) == ("confirmed", ["T3"])


async def test_who_waits_gets_what_comes_free(guest):
    """A cancellation frees the tables in its transaction; the sweep gives them away."""
    bookings = [await guest.book(size) for size in (4, 4, 2)]
    waiting = await guest.book(4)
    assert (waiting["status"], waiting["tables"]) == ("pending", [])
    assert (await guest.client.delete(f"/bookings/{bookings[0]['id']}")).status_code == 204
    assert await guest.look(bookings[0]) == ("cancelled", [])

    async def seated():
        return (await guest.look(waiting))[0] == "confirmed"

    await until(seated)
    answer = await guest.client.patch(f"/bookings/{bookings[0]['id']}", json={"party_size": 3})
    assert answer.status_code == 409


async def test_the_staff_sees_to_the_review_queue(guest):
    """It lists, suggests, places and rejects; who was overtaken is told."""
    large, larger = await guest.book(11), await guest.book(12, LATER)
    asked = {"restaurant_id": guest.restaurant_id}
    page = (await guest.client.get("/review", params=asked, headers=ANA)).json()
    assert {one["booking_id"]: one["reason"] for one in page["waiting"]} == dict.fromkeys(
        (large["id"], larger["id"]), "party_too_large"
    )
    (version,) = (one["version"] for one in page["waiting"] if one["booking_id"] == large["id"])
    path = f"/review/{large['id']}"
    suggestion = (await guest.client.get(f"{path}/suggestion", headers=ANA)).json()
    assert suggestion["sentence"].startswith("11 guests at ")
    assert suggestion["tables"] == []
    asked = {"version": version, "tables": ["T1", "T2", "T3"]}
    answer = await guest.client.post(f"{path}/place", json=asked, headers=ANA)
    assert (answer.status_code, answer.json()["code"]) == (409, "placement_refused")
    guest.rows("UPDATE dining_tables SET seats = 11 WHERE label = 'T3'")
    answer = await guest.client.post(f"{path}/place", json={"version": version}, headers=ANA)
    assert answer.status_code in (200, 409)  # The sweep may have seen the larger table already.

    async def seated():
        return await guest.look(large) == ("confirmed", ["T3"])

    await until(seated)
    answer = await guest.client.post(f"{path}/place", json=asked, headers=ANA)
    assert (answer.status_code, answer.json()["code"]) == (409, "stale_record")
    answer = await guest.client.post(f"/review/{larger['id']}/reject", json={}, headers=ANA)
    assert answer.json() == {"outcome": "failed", "tables": []}
    assert await guest.look(larger) == ("declined", [])
    answer = await guest.client.patch(f"/bookings/{larger['id']}", json={"party_size": 2})
    assert answer.status_code == 409  # It is over.
    assert await guest.look(larger) == ("declined", [])
    history = await app.state.services.coordinator.history(larger["id"])
    assert history[-1].actor == "ana"


async def test_nobody_is_let_in_by_default(guest, monkeypatch):
    """Without a token, with a wrong one, or where nobody has one, the staff's part is shut."""
    booking = await guest.book(11)
    paths = [("GET", "/review"), ("GET", f"/review/{booking['id']}/suggestion")]
    paths += [("POST", f"/review/{booking['id']}/{what}") for what in ("place", "reject")]
    for tokens in (f"ana={TOKEN}", "ana=", "", None):
        monkeypatch.delenv(STAFF_TOKENS) if tokens is None else monkeypatch.setenv(STAFF_TOKENS, tokens)
        for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer wrong"}, {"X-Staff": "ana"}):
            for method, path in paths:
                answer = await guest.client.request(method, path, json={"version": 1}, headers=headers)
                assert (answer.status_code, answer.json()["detail"]) == (401, {"code": "no_login"}), (tokens, path)


async def test_who_is_requeued_waits_and_is_seated_again(guest):
    """The row says so: a booking without tables never looks confirmed."""
    booking = await guest.book(2)
    coordinator = app.state.services.coordinator
    await coordinator.requeue(booking["id"], actor="ana")

    async def seated():
        return await guest.look(booking) == ("confirmed", ["T1"])

    assert await guest.look(booking) in [("pending", []), ("confirmed", ["T1"])]  # The sweep may have come already.
    await until(seated)


async def test_who_changes_without_keeping_the_tables_waits_for_others(guest):
    """And gets them as soon as they come free, for the party that was asked for."""
    small, *large = [await guest.book(size) for size in (2, 4, 4)]
    used = app.state.services
    async with used.pool.connection() as connection:
        wanted = attrs.evolve(await used.host.booking(connection, small["id"]), party_size=4)
    await used.coordinator.reassign(wanted, keep=False)
    assert await guest.look(small) == ("pending", [])
    assert (await guest.client.delete(f"/bookings/{large[0]['id']}")).status_code == 204

    async def seated():
        return (await guest.look(small))[0] == "confirmed"

    await until(seated)
    assert (await guest.client.get(f"/bookings/{small['id']}")).json()["party_size"] == 4


async def test_others_seats_are_left_alone(guest):
    """What the old planner or the staff has given away is taken."""
    guest.rows(
        "INSERT INTO seats SELECT restaurant_id, label, "
        f"'{AT_EIGHT}', '{LATER}', NULL, 'staff' FROM dining_tables WHERE label = 'T1'"
    )
    assert (await guest.book(2))["tables"] == ["T3"]


async def test_the_old_planner_runs_where_the_pipeline_is_off(guest):
    """The pipeline keeps no record; and each plans around the other, once it is switched."""
    await guest.book(2)
    await guest.enter("rollback", "off")
    booking = await guest.book(2)
    assert (booking["status"], booking["tables"]) == ("confirmed", ["T2"])
    assert guest.rows("SELECT given_by FROM seats ORDER BY label") == [("pipeline",), ("legacy",)]
    assert len(guest.rows("SELECT 1 FROM assignment_pipeline.assignment_records")) == 1
    answer = await guest.client.patch(f"/bookings/{booking['id']}", json={"party_size": 4})
    assert (answer.status_code, answer.json()["party_size"]) == (200, 4)
    await guest.enter("local", "active")
    assert (await guest.book(4))["tables"] == ["T3"]


async def test_what_waits_is_handed_over(guest, monkeypatch):
    """Switched off under a booking that has no tables yet, the pipeline takes it to the old planner, with a sweep."""
    with monkeypatch.context() as patched:
        patched.setattr(type(app.state.services.coordinator), "assign", lambda *_: asyncio.sleep(0))
        booking = await guest.book(2)
    await guest.enter("rollback", "off")
    guest.rows("UPDATE assignment_pipeline.assignment_records SET next_attempt_at = now()")

    async def seated():
        return guest.rows("SELECT owner, state FROM assignment_pipeline.assignment_records") == [
            ("legacy", "confirmed")
        ]

    await until(seated)
    assert await guest.look(booking) == ("confirmed", ["T1"])
    assert guest.rows("SELECT given_by FROM seats") == [("legacy",)]


async def test_the_shadow_runs_beside_the_old_planner(guest):
    """It writes nothing but its verdict."""
    await guest.enter("staging-shadow", "shadow")
    assert (await guest.book(2))["tables"] == ["T1"]
    verdicts = "SELECT event_type FROM assignment_pipeline.observability_events WHERE source = 'assignment.shadow'"

    async def judged():
        return bool(guest.rows(verdicts))

    await until(judged)
    assert guest.rows(verdicts) == [("shadow.match",)]
    assert guest.rows("SELECT 1 FROM assignment_pipeline.assignment_records") == []


async def test_a_form_learns_which_times_are_left(guest):
    """What is said to be free is confirmed; feeds get the same in their form, and a calendar the days."""
    asked = {"restaurant_id": guest.restaurant_id, "date": AT_EIGHT.date().isoformat(), "party_size": [2, 6]}

    async def at_eight(size):
        slots = (await guest.client.get("/availability", params=asked)).json()["slots"]
        return next(one for one in slots if (one["start_at"], one["party_size"]) == (AT_EIGHT.isoformat(), size))

    for _ in range(9):
        slot = await at_eight(2)
        booking = await guest.book(2)
        assert (booking["status"] == "confirmed") == (slot["status"] in ("available", "with_moves"))
    assert (await at_eight(2))["status"] == "unavailable"
    google = (await guest.client.get("/availability", params=asked | {"form": "google"})).json()["slot_time"]
    (full,) = [
        one for one in google if one["start_sec"] == AT_EIGHT.timestamp() and one["resources"] == {"party_size": 2}
    ]
    assert (full["spots_open"], full["duration_sec"]) == (0, 90 * 60)
    assert any(one["spots_open"] for one in google)
    wix = (await guest.client.get("/availability", params=asked | {"form": "wix"})).json()["timeSlots"]
    assert {"UNAVAILABLE", "AVAILABLE"} == {one["status"] for one in wix}
    month = await guest.client.get("/availability/month", params=asked | {"party_size": 2})
    assert month.json()[AT_EIGHT.date().isoformat()] == "available"
    for wrong in ({"party_size": 0}, {"date": "1900-01-01"}, {"date": "9999-12-31"}):
        assert (await guest.client.get("/availability", params=asked | wrong)).status_code == 422
    unknown = await guest.client.get("/availability", params=asked | {"restaurant_id": str(uuid.uuid4())})
    assert unknown.json()["code"] == "venue_not_found"


async def test_health(guest):
    """It looks at the database."""
    answer = await guest.client.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "dropped_events": 0})
    guest.rows("UPDATE assignment_pipeline.assignment_schema SET version = version + 100")
    answer = await guest.client.get("/health")
    guest.rows("UPDATE assignment_pipeline.assignment_schema SET version = version - 100")
    assert answer.status_code == 503
    assert answer.json() == {"code": "schema_mismatch"}  # Neither host nor database.
