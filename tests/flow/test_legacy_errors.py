"""Whatever legacy raises is what the caller gets: the same object, of one call."""

from __future__ import annotations

import asyncio
import datetime as dt

import attrs
import pytest

from assignment_pipeline import AsyncCoordinator, Coordinator, FixedFlags, Mode
from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore
from assignment_pipeline.errors import (
    BookingNotFoundError,
    CommitUnknownError,
    SchemaMismatchError,
    StaleRecordError,
    StaleRolloutError,
    StoreUnavailableError,
    TableConflictError,
)
from assignment_pipeline.testing import FakeClock
from assignment_pipeline.testing.store_harness import make_booking, make_venue


class UnprintableError(Exception):
    """One that cannot even be shown."""

    def __str__(self):
        raise ValueError


RAISED = (
    ValueError("no such table"),
    UnprintableError(),
    StopIteration(3),
    StopAsyncIteration(),
    ExceptionGroup("several", [ValueError()]),
    GeneratorExit(),
    KeyboardInterrupt(),
    SystemExit(3),
    asyncio.CancelledError(),
    # Ours: a host's planner may use this library, too.
    StaleRolloutError(1, 2),
    StaleRecordError("b-1", "version"),
    SchemaMismatchError("elsewhere", "one table", "none"),
    StoreUnavailableError("another one"),
    CommitUnknownError("another one"),
    TableConflictError(("T1",)),
    BookingNotFoundError("b-2"),
)


@attrs.define
class Planner:
    """A planner that fails."""

    error: BaseException
    calls: int = 0

    def __call__(self, _):
        self.calls += 1
        raise self.error

    async def later(self, booking):
        return self(booking)


def named(error):
    return type(error).__name__


@pytest.fixture(params=RAISED, ids=named)
def planner(request):
    return Planner(request.param)


@pytest.fixture
def store():
    return MemoryStore(MemoryHost(make_venue()))


@pytest.fixture(params=["off", "shadow", "in flight"])
def flags(request, store):
    """What the flags say: where the pipeline has it in hand, it is handed over."""
    if request.param == "in flight":
        Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=()).enqueue(make_booking())
        return FixedFlags(Mode.OFF)
    return FixedFlags(Mode(request.param))


def test_it_passes_through(store, flags, planner):
    """Neither changed, nor taken for something of the pipeline's own, nor provoked again."""
    with (
        Coordinator(store, flags=flags, legacy=planner, shadow="thread", sinks=()) as coordinator,
        pytest.raises(type(planner.error)) as raised,
    ):
        coordinator.assign(make_booking())
    assert raised.value is planner.error
    assert planner.calls == 1


# The others no coroutine raises as they are, or the loop ends by them.
@pytest.mark.parametrize(
    "planner",
    [
        error
        for error in RAISED
        if isinstance(error, Exception | asyncio.CancelledError) and named(error) != "StopIteration"
    ],
    indirect=True,
    ids=named,
)
def test_it_passes_through_coroutines(store, flags, planner):
    """The same, as far as coroutines can raise it."""

    async def raised():
        coordinator = AsyncCoordinator(store, flags=flags, legacy=planner.later, sinks=())
        try:
            await coordinator.assign(make_booking())
        except BaseException as error:  # noqa: BLE001 - whatever it is
            return error
        finally:
            await coordinator.close()

    assert asyncio.run(raised()) is planner.error
    assert planner.calls == 1


@pytest.mark.parametrize(
    "planner", [error for error in RAISED if isinstance(error, Exception)], indirect=True, ids=named
)
def test_a_sweep_provokes_it_once(planner):
    """What it ails from is told in the report, and no second call is made."""
    clock = FakeClock()
    store = MemoryStore(MemoryHost(make_venue()), clock=clock)
    store.host.put_booking(make_booking())
    Coordinator(store, flags=FixedFlags(Mode.ACTIVE), clock=clock, sinks=()).enqueue(make_booking())
    clock.advance(dt.timedelta(minutes=2))
    Coordinator(store, flags=FixedFlags(Mode.OFF), legacy=planner, clock=clock, sinks=()).sweep()
    assert planner.calls == 1
