"""Traces and metrics say what calls did, for threads and asyncio alike; without an observer there is nothing."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import inspect
import subprocess
import sys
from types import SimpleNamespace

import pytest

pytest.importorskip("opentelemetry.sdk")

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode, get_current_span

from assignment_pipeline import (
    AsyncCoordinator,
    Coordinator,
    LegacyResult,
    Mode,
    Settings,
    StoreUnavailableError,
    VenueNotFoundError,
)
from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore
from assignment_pipeline.adapters.opentelemetry import OpenTelemetry
from assignment_pipeline.clock import SystemClock
from assignment_pipeline.flow import tracing
from assignment_pipeline.joined import AsyncJoined, Joined
from assignment_pipeline.rollout.flags import FixedFlags
from assignment_pipeline.staff import AsyncStaffActions, StaffActions
from assignment_pipeline.testing.store_harness import make_booking, make_venue

TOMORROW = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).replace(minute=0, second=0, microsecond=0)
BOOKING = make_booking(at=TOMORROW, attributes={"guest": "Anna"})


class Broken(MemoryStore):
    """Cannot be reached."""

    def load(self, query):
        raise StoreUnavailableError("Anna has pulled the plug")


@pytest.fixture
def sdk():
    """An SDK that keeps what it is told: its tracer provider, and what was told."""
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers, meters = TracerProvider(), MeterProvider([reader])
    tracers.add_span_processor(SimpleSpanProcessor(spans))

    def points(name):
        data = reader.get_metrics_data()
        return [
            (point, metric.unit)
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]

    yield SimpleNamespace(
        spans=spans.get_finished_spans,
        points=points,
        tracer=tracers.get_tracer("test"),
        observer=OpenTelemetry(tracers, meters),
    )
    meters.shutdown()


@pytest.fixture(params=["threads", "asyncio"])
def call(request, sdk):
    """Calls a method of a coordinator that is watched."""

    def call(name, *arguments, kind=MemoryStore, mode=Mode.ACTIVE, outer=None, **options):
        store = kind(MemoryHost(make_venue(tables=2)), clock=SystemClock())
        how = {"flags": FixedFlags(mode), "observer": sdk.observer, "sinks": (), **options}
        outer = outer or contextlib.nullcontext()

        async def go():
            coordinator = AsyncCoordinator(store, **how)
            with outer:
                return await getattr(coordinator, name)(*arguments)

        if request.param == "asyncio":
            return asyncio.run(go())
        with outer:
            return getattr(Coordinator(store, **how), name)(*arguments)

    return call


def named(spans):
    return [span.name.removeprefix("assignment_pipeline.") for span in spans]


def test_an_assignment_is_a_span_with_its_steps(call, sdk):
    """In the order in which they were done, each with its time, inside the caller's own."""
    result = call("assign", BOOKING, outer=sdk.tracer.start_as_current_span("request"))
    *steps, whole, request = sdk.spans()
    assert named(steps) == ["flags", "limit", "lock", "load", "plan", "commit"]
    assert whole.name == "assignment_pipeline.assign"
    assert {step.parent.span_id for step in steps} == {whole.context.span_id}
    assert (whole.parent.span_id, whole.context.trace_id) == (request.context.span_id, request.context.trace_id)
    for step in steps:
        assert whole.start_time <= step.start_time <= step.end_time <= whole.end_time
    assert dict(whole.attributes) == {
        "assignment.booking_id": "b-1",
        "assignment.restaurant_id": "r-1",
        "assignment.mode": "active",
        "assignment.outcome": "confirmed",
        "assignment.strategy": result.record.strategy,
        "assignment.attempts": 1,
        "assignment.moved": 0,
    }
    assert whole.status.status_code is StatusCode.UNSET
    assert "Anna" not in "".join(span.to_json() for span in sdk.spans())


def test_outcomes_are_counted_and_timed(call, sdk):
    """By what cannot be many: no booking and no restaurant is among the attributes."""
    call("assign", BOOKING)
    call("assign", BOOKING, mode=Mode.OFF)
    counted = {
        tuple(sorted(point.attributes.items())): point.value for point, _ in sdk.points("assignment_pipeline.outcomes")
    }
    confirmed = {"assignment.call": "assign", "assignment.mode": "active", "assignment.outcome": "confirmed"}
    off = confirmed | {"assignment.mode": "off", "assignment.outcome": "noop", "assignment.reason": "pipeline_disabled"}
    assert counted == {tuple(sorted(confirmed.items())): 1, tuple(sorted(off.items())): 1}
    timed = sdk.points("assignment_pipeline.duration")
    assert {unit for _, unit in timed} == {"s"}
    assert {point.attributes["assignment.outcome"]: point.count for point, _ in timed} == {"confirmed": 1, "noop": 1}
    assert all(0 < point.sum < 5 and point.explicit_bounds[0] == 0.0005 for point, _ in timed)


def test_the_steps_are_current_while_they_run(call, sdk):
    """So that what a driver traces is inside of them, whichever thread it runs in."""
    seen = []

    class Looks(MemoryStore):
        def load(self, query):
            seen.append(get_current_span())
            return super().load(query)

    call("assign", BOOKING, kind=Looks)
    assert [span.name for span in seen] == ["assignment_pipeline.load"]
    assert not get_current_span().get_span_context().is_valid


def test_what_goes_wrong_is_an_error_of_its_kind(call, sdk):
    """The step's, and the call's where it comes of nothing; in no words that might be about a guest."""
    call("assign", BOOKING, kind=Broken)
    spans = dict(zip(named(sdk.spans()), sdk.spans(), strict=True))
    for name in ("load", "assign"):
        assert spans[name].status.status_code is StatusCode.ERROR
        assert spans[name].attributes["error.type"] == "store_unavailable"
    assert not any(span.events or span.status.description for span in sdk.spans())
    [(point, _)] = sdk.points("assignment_pipeline.duration")
    assert point.attributes["error.type"] == "store_unavailable"


def test_what_raises_is_an_error_too(call, sdk):
    """And it is raised all the same."""
    with pytest.raises(VenueNotFoundError):
        call("assign", make_booking(at=TOMORROW, restaurant_id="nowhere"))
    whole = sdk.spans()[-1]
    assert (whole.name, whole.attributes["error.type"]) == ("assignment_pipeline.assign", "venue_not_found")
    assert sdk.points("assignment_pipeline.outcomes") == []


def test_the_legacy_planner_is_a_step(call, sdk):
    """Where the pipeline is off."""
    call("assign", BOOKING, mode=Mode.OFF, legacy=lambda booking: LegacyResult(("T1",)))
    assert named(sdk.spans()) == ["flags", "legacy", "assign"]


def test_each_part_of_a_sweep_is_a_call_within_it(call, sdk):
    """With its own steps: of those that free tables are enough for, and of each other booking."""
    store = MemoryStore(MemoryHost(make_venue(tables=2)), clock=SystemClock())
    settings = Settings(orphan_after=dt.timedelta(microseconds=1))
    for name in ("b-1", "b-2", "b-3"):
        booking = make_booking(name, at=TOMORROW)
        store.host.put_booking(booking)
        call("enqueue", booking, kind=lambda *_, **__: store, settings=settings)
    call("sweep", kind=lambda *_, **__: store)
    *_, sweep = sdk.spans()
    assert sweep.name == "assignment_pipeline.sweep"
    inner = [span for span in sdk.spans() if span.name.startswith("assignment_pipeline.take_up")]
    assert [span.name for span in inner] == ["assignment_pipeline.take_up_together", "assignment_pipeline.take_up"]
    assert inner[1].attributes["assignment.booking_id"] == "b-3"
    assert {span.parent.span_id for span in inner} == {sweep.context.span_id}
    points = [point for point, _ in sdk.points("assignment_pipeline.outcomes")]
    counted = {
        (point.attributes["assignment.call"], point.attributes["assignment.outcome"]): point.value for point in points
    }
    assert counted == {("take_up_together", "confirmed"): 2, ("take_up", "manual_review"): 1}


def test_each_booking_of_a_day_is_counted(call, sdk):
    """Though the day is one call."""
    call("assign_many", [make_booking(f"b-{n}", at=TOMORROW) for n in range(2)])
    assert [point.value for point, _ in sdk.points("assignment_pipeline.outcomes")] == [2]


def test_what_is_joined_is_watched_too(sdk):
    """In a transaction of the host's, for threads and for asyncio."""
    how = {"flags": FixedFlags(Mode.ACTIVE), "observer": sdk.observer, "sinks": ()}
    store = MemoryStore(MemoryHost(make_venue()), clock=SystemClock())
    coordinator, asynchronous = Coordinator(store, **how), AsyncCoordinator(store, **how)
    joined = Joined(coordinator._wiring, coordinator.settings)
    ajoined = AsyncJoined(asynchronous._wiring, asynchronous.settings)
    joined.enqueue(BOOKING)
    joined.cancel("b-1")
    asyncio.run(ajoined.enqueue(make_booking("b-2", at=TOMORROW)))
    asyncio.run(ajoined.cancel("b-2"))
    calls = [span.name for span in sdk.spans() if span.parent is None]
    assert calls == ["assignment_pipeline.enqueue", "assignment_pipeline.cancel"] * 2


def test_a_cancelled_task_ends_its_spans(sdk):
    """With what ended them, and with nothing left current."""

    class Slow(MemoryStore):
        async def load(self, query):
            await asyncio.sleep(0.05)
            return super().load(query)

    async def go():
        store = Slow(MemoryHost(make_venue()), clock=SystemClock())
        coordinator = AsyncCoordinator(store, flags=FixedFlags(Mode.ACTIVE), observer=sdk.observer, sinks=())
        task = asyncio.create_task(coordinator.assign(BOOKING))
        await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(go())
    assert named(sdk.spans())[-2:] == ["load", "assign"]
    assert sdk.spans()[-1].attributes["error.type"] == "GeneratorExit"


def test_tasks_do_not_mix_their_spans(sdk):
    """Each assignment's steps are its own, however they are interleaved."""

    async def go():
        store = MemoryStore(MemoryHost(make_venue(tables=9)), clock=SystemClock())
        flags = FixedFlags(Mode.ACTIVE, max_parallel=9)
        coordinator = AsyncCoordinator(store, flags=flags, observer=sdk.observer, sinks=())
        await asyncio.gather(*(coordinator.assign(make_booking(f"b-{n}", at=TOMORROW)) for n in range(9)))

    asyncio.run(go())
    calls = {span.context.span_id for span in sdk.spans() if span.name == "assignment_pipeline.assign"}
    assert len(calls) == 9
    for own in calls:
        steps = [span for span in sdk.spans() if span.parent and span.parent.span_id == own]
        assert {"flags", "limit", "lock", "load", "plan", "commit"} <= set(named(steps))
    assert {span.parent.span_id for span in sdk.spans() if span.parent} == calls


def test_every_call_that_writes_is_watched():
    """By the name of the coordinator's method; so that a new one is not forgotten."""
    reads = {
        "audit",
        "availability",
        "availability_month",
        "blocks",
        "close",
        "conflicts",
        "day",
        "due",
        "floor",
        "flush",
        "history",
        "in_memory",
        "joined",
        "learned_turns",
        "next",
        "observe",
        "over",
        "record",
        "review_cases",
        "review_queue",
        "show",
        "suggest",
        "watch_rollout",
    }
    inner = {"assign_day", "hand_over", "take_up", "take_up_together"}
    for kinds in ((Coordinator, StaffActions), (AsyncCoordinator, AsyncStaffActions)):
        methods = {name for kind in kinds for name, _ in inspect.getmembers(kind, inspect.isfunction) if name[0] != "_"}
        assert methods - reads - {"assign_id"} == tracing.CALLS - inner


def test_without_an_observer_it_is_not_even_imported():
    """The extra may be missing, and costs nothing where it is not used."""
    program = (
        "import sys; import assignment_pipeline; from assignment_pipeline.flow.tracing import observed;"
        "flow = iter(()); assert observed(flow, None) is flow; assert 'opentelemetry' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
