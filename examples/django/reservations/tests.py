"""On real PostgreSQL, in Django's own test database: ``python manage.py test``."""

from __future__ import annotations

import asyncio
import datetime as dt
import io
import logging
import os
from typing import Any
from unittest import mock

import attrs
import httpx
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection, transaction
from django.test import TransactionTestCase
from django.urls import reverse
from django.utils import timezone

from assignment_pipeline import Outcome, TableConflictError
from reservations import pipeline, services
from reservations.models import Booking, DiningTable, Restaurant, Seat

FLAG = "FEATURE_ASSIGNMENT_PIPELINE_V3"
OURS = ["assignment_pipeline.assignment_records", "assignment_pipeline.booking_table_assignments"]

logging.getLogger("assignment_pipeline").setLevel(logging.ERROR)


class PipelineTestCase(TransactionTestCase):
    """
    A restaurant, with the pipeline in charge.

    Not `TestCase`: that never commits, and the pipeline looks from connections of its own.
    """

    flag = "true"

    def setUp(self) -> None:
        """A table for two, one for four next to it, and another one for four."""
        environment = mock.patch.dict(os.environ, {FLAG: self.flag})
        environment.start()
        self.addCleanup(environment.stop)
        self.addCleanup(pipeline.close)
        with connection.cursor() as cursor:  # Django empties its own tables, and leaves these alone.
            cursor.execute(f"TRUNCATE {', '.join(OURS)}")
        self.restaurant = Restaurant.objects.create(name="Tasca", timezone="Europe/Lisbon")
        small = DiningTable.objects.create(restaurant=self.restaurant, label="T1", seats=2)
        DiningTable.objects.create(restaurant=self.restaurant, label="T2", seats=4, next_to=small)
        DiningTable.objects.create(restaurant=self.restaurant, label="T3", seats=4)
        self.at_eight = (timezone.now() + dt.timedelta(days=1)).replace(hour=20, minute=0, second=0, microsecond=0)

    def book(self, party_size: int, **facts: object) -> Booking:
        """Take a booking."""
        return services.create(self.restaurant, "Guest 12", party_size, facts.pop("start_at", self.at_eight))


class PipelineTests(PipelineTestCase):
    """Where the pipeline is in charge."""

    def test_a_booking_gets_its_tables(self) -> None:
        """The row says so, and so do the seats."""
        row = self.book(2)
        assert (row.status, row.tables) == ("confirmed", ("T1",))
        assert [change.to_state for change in pipeline.coordinator().history(str(row.id))][-1] == "confirmed"
        assert self.book(6, start_at=self.at_eight + dt.timedelta(hours=3)).tables == ("T1", "T2")

    def test_what_is_rolled_back_leaves_nothing(self) -> None:
        """Neither a row nor a record, and nobody is assigned."""
        with transaction.atomic():
            row = self.book(2)
            transaction.set_rollback(True)
        assert not Booking.objects.exists()
        assert pipeline.coordinator().record(str(row.id)) is None
        assert not Seat.objects.exists()

    def test_the_sweep_finds_what_nobody_assigned(self) -> None:
        """As if the process had died after the commit."""
        with mock.patch("django.db.transaction.on_commit"):
            row = self.book(2)
        assert (row.status, row.tables) == ("pending", ())
        with connection.cursor() as cursor:  # A minute later.
            cursor.execute("UPDATE assignment_pipeline.assignment_records SET next_attempt_at = now()")
        out = io.StringIO()
        call_command("sweep", stdout=out)
        assert out.getvalue() == f"{row.id} confirmed\n"
        row.refresh_from_db()
        assert (row.status, row.tables) == ("confirmed", ("T1",))

    def test_a_change_moves_the_row_and_its_tables_together(self) -> None:
        """Where there are tables for it; else both stay, and the nearest times are told."""
        row = self.book(2)
        assert services.change(row, party_size=4).outcome == Outcome.CONFIRMED
        assert (row.party_size, row.tables) == (4, ("T3",))
        result = services.change(row, party_size=30)
        assert result.outcome == Outcome.KEPT
        assert (row.party_size, row.tables) == (4, ("T3",))
        others = [self.book(4), self.book(2)]
        assert [other.status for other in others] == ["confirmed", "confirmed"]
        late = self.book(4, start_at=self.at_eight + dt.timedelta(hours=4))
        result = services.change(late, start_at=self.at_eight)
        assert result.outcome == Outcome.KEPT
        assert result.decision.nearest
        assert late.start_at == self.at_eight + dt.timedelta(hours=4)

    def test_who_waits_gets_what_comes_free(self) -> None:
        """A cancellation frees the tables in the transaction that it is in; the next sweep gives them away."""
        rows = [self.book(4), self.book(4), self.book(2)]
        waiting = self.book(4)
        assert (waiting.status, waiting.tables) == ("pending", ())
        services.cancel(rows[0])
        assert (rows[0].status, rows[0].tables) == ("cancelled", ())
        call_command("sweep", stdout=io.StringIO())
        waiting.refresh_from_db()
        assert waiting.status == "confirmed"

    def test_who_loses_the_tables_waits_and_is_seated_again(self) -> None:
        """The row says so: a booking without tables never looks confirmed."""
        small, *large = [self.book(size) for size in (2, 4, 4)]
        pipeline.coordinator().requeue(str(large[0].id), actor="ana")
        large[0].refresh_from_db()
        assert (large[0].status, large[0].tables) == ("pending", ())
        call_command("sweep", stdout=io.StringIO())
        large[0].refresh_from_db()
        assert large[0].status == "confirmed"
        wanted = attrs.evolve(small.for_pipeline(), party_size=4)
        pipeline.coordinator().reassign(wanted, keep=False)
        small.refresh_from_db()
        assert (small.status, small.party_size, small.tables) == ("pending", 4, ())
        services.cancel(large[1])
        call_command("sweep", stdout=io.StringIO())
        small.refresh_from_db()
        assert (small.status, small.party_size) == ("confirmed", 4)

    def test_others_seats_are_left_alone(self) -> None:
        """What the old planner or the staff has given away is taken, in the plan and in the commit."""
        table = DiningTable.objects.get(restaurant=self.restaurant, label="T1")
        end_at = self.at_eight + dt.timedelta(hours=2)
        Seat.objects.create(table=table, start_at=self.at_eight, end_at=end_at, by=Seat.By.STAFF)
        row = self.book(2)
        assert row.tables == ("T3",)
        with self.assertRaises(TableConflictError):
            pipeline.coordinator().place(row.for_pipeline(), ["T1"], actor="ana")

    def test_the_staff_sees_to_the_review_queue(self) -> None:
        """And nobody else does."""
        page = reverse("queue")
        assert self.client.get(page).status_code == 302
        self.client.force_login(get_user_model().objects.create_user("ana", is_staff=True))
        large, larger = self.book(9), self.book(9, start_at=self.at_eight + dt.timedelta(hours=5))
        told = self.client.get(page).content.decode()
        assert told.count("9 guests at") == 2
        assert "too large for any table" in told
        version = {"version": pipeline.coordinator().record(str(large.id)).version}
        answer = self.client.post(reverse("place", args=[large.id]), version | {"tables": "T1 T2 T3"}, follow=True)
        assert "breaks" in answer.content.decode()
        self.client.post(reverse("reject", args=[larger.id]))
        larger.refresh_from_db()
        assert larger.status == "declined"
        assert [change.actor for change in pipeline.coordinator().history(str(larger.id))][-1] == "ana"

    def test_the_pages_are_behind_the_login(self) -> None:
        """For Django's staff, who do things there in their own name; guests who have an account are refused."""
        from project import asgi  # noqa: PLC0415 - it opens this test's coordinator

        row = self.book(2)
        path = f"/tables/floor?restaurant={self.restaurant.id}&date={self.at_eight:%Y-%m-%d}"
        assert self.ask(asgi.application, path).headers["location"].startswith("/admin/login/")
        assert self.ask(asgi.application, "/admin/login/").status_code == 200
        self.client.force_login(get_user_model().objects.create_user("rui"))
        assert self.ask(asgi.application, path).status_code == 403
        self.client.force_login(get_user_model().objects.create_user("ana", is_staff=True))
        assert str(row.id) in self.ask(asgi.application, path).text

    def ask(self, application: Any, path: str) -> httpx.Response:
        """What a page answers to the browser that is logged in."""
        cookies = {name: morsel.value for name, morsel in self.client.cookies.items()}

        async def get() -> httpx.Response:
            transport = httpx.ASGITransport(application)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost", cookies=cookies) as client:
                return await client.get(path)

        return asyncio.run(get())

    def test_a_suggestion_is_done(self) -> None:
        """With a click, once there is a way."""
        self.client.force_login(get_user_model().objects.create_user("ana", is_staff=True))
        table = DiningTable.objects.get(restaurant=self.restaurant, label="T2")
        row = self.book(9)
        table.seats = 9
        table.save()
        version = pipeline.coordinator().record(str(row.id)).version
        self.client.post(reverse("place", args=[row.id]), {"version": version, "tables": ""})
        row.refresh_from_db()
        assert (row.status, row.tables) == ("confirmed", ("T2",))


class LegacyTests(PipelineTestCase):
    """Where it is switched off."""

    flag = "false"

    def test_the_old_planner_runs(self) -> None:
        """As ever; the pipeline keeps no record."""
        row = self.book(2)
        assert (row.status, row.tables) == ("confirmed", ("T1",))
        assert [seat.by for seat in row.seats.all()] == ["legacy"]
        assert pipeline.coordinator().record(str(row.id)) is None

    def test_the_pipeline_plans_around_it(self) -> None:
        """Once it is switched on; and the old planner around the pipeline, once that is switched off again."""
        self.book(2)
        with mock.patch.dict(os.environ, {FLAG: "true"}):
            pipeline.close()
            row = self.book(4)
            assert (row.tables, [seat.by for seat in row.seats.all()]) == (("T3",), ["pipeline"])
        pipeline.close()
        assert self.book(3).tables == ("T2",)
        assert self.book(3).status == "pending"

    def test_the_shadow_runs_beside_it(self) -> None:
        """The old planner's answer stands; the pipeline writes nothing but whether it would have done the same."""
        with mock.patch.dict(os.environ, {f"{FLAG}_SHADOW": "true"}):
            row = self.book(2)
            assert [seat.by for seat in row.seats.all()] == ["legacy"]
            pipeline.coordinator().close()  # It waits for the shadow.
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT event_type FROM assignment_pipeline.observability_events WHERE booking_id = %s"
                " AND source = 'assignment.shadow'",
                [str(row.id)],
            )
            assert cursor.fetchall() == [("shadow.match",)]
        assert pipeline.coordinator().record(str(row.id)) is None
