"""What the Celery tasks do with an outcome, and where they send it."""

from __future__ import annotations

import datetime as dt
import os
import pickle
import subprocess
import sys
import uuid

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("celery")

from celery import Celery
from celery.exceptions import Retry
from kombu import Exchange, Queue

from assignment_pipeline import AsyncCoordinator, BookingNotFoundError, Coordinator, Settings
from assignment_pipeline.adapters.celery import HINTS, queue_of, register
from assignment_pipeline.adapters.memory import MemoryLockManager
from assignment_pipeline.clock import SystemClock
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.errors import StoreUnavailableError
from assignment_pipeline.ports import Wanted
from assignment_pipeline.rollout.watching import WatchReport
from assignment_pipeline.testing import FakeClock
from assignment_pipeline.testing.store_harness import make_booking, make_venue

TOMORROW = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).replace(minute=0, second=0, microsecond=0)


@pytest.fixture
def locks():
    return MemoryLockManager(SystemClock())


@pytest.fixture
def clock():
    """Stands still: what is due later does not become due while a busy machine looks away."""
    return FakeClock(dt.datetime.now(dt.UTC))


@pytest.fixture
def coordinator(locks, clock):
    made = Coordinator.in_memory(make_venue(tables=1, reseat="off"), locks=locks, sinks=(), clock=clock)
    for name in ("b-1", "b-2"):
        made.store.host.put_booking(make_booking(name, at=TOMORROW, party_size=4))
    return made


@pytest.fixture
def app():
    with Celery("unit", broker="memory://", backend=None) as app:
        yield app


@pytest.fixture
def run(app, coordinator):
    """Runs a task as a worker does that got a message."""
    tasks = register(app, lambda: coordinator)

    def call(*ids, retries=0, **delivery):
        task = tasks.assign_booking
        info = {"exchange": "", "routing_key": "celery", **delivery}
        task.push_request(called_directly=False, id="m-1", args=ids, kwargs={}, retries=retries, delivery_info=info)
        try:
            return task.run(*ids)
        finally:
            task.pop_request()

    return call


def test_an_outcome_is_returned(run):
    """As JSON, without a word about the guest."""
    assert run("b-1", "r-1") == {"booking_id": "b-1", "outcome": "confirmed", "reason": None, "tables": ["T1"]}
    assert run("b-1", "r-1")["reason"] == "terminal_state"


def test_retry_becomes_a_countdown(run):
    """As long as the coordinator says, and only so many times: the database knows the rest."""
    run("b-1", "r-1")
    with pytest.raises(Retry) as caught:
        run("b-2", "r-1")
    assert 0 <= caught.value.when <= 1
    for retries in (0, HINTS):
        assert run("b-2", "r-1", retries=retries)["reason"] == "not_due"


def test_hints_come_to_an_end(run):
    """A message that has come back often enough is the sweep's."""
    run("b-1", "r-1")
    assert run("b-2", "r-1", retries=HINTS)["outcome"] == "retry"


def test_a_lock_that_a_dead_worker_left_is_waited_for(run, locks):
    """Where the message is handed out again; a duplicate's is not."""
    locks.acquire([Wanted("booking:b-1")], ttl=dt.timedelta(minutes=1))
    assert run("b-1", "r-1")["reason"] == "lock_contention"
    with pytest.raises(Retry) as caught:
        run("b-1", "r-1", redelivered=True)
    assert caught.value.when == 30


def test_an_unknown_booking_fails_in_the_end(run):
    """First it may be that the host has not committed yet."""
    with pytest.raises(Retry) as caught:
        run("b-9", "r-1")
    assert caught.value.when == 2
    with pytest.raises(BookingNotFoundError):
        run("b-9", "r-1", retries=HINTS)


@pytest.mark.parametrize("made", [None, "a name", AsyncCoordinator.in_memory(sinks=())])
def test_a_factory_of_something_else_is_turned_down(app, made):
    """Saying what it was."""
    tasks = register(app, lambda: made)
    with pytest.raises(TypeError, match=f"expected one that makes a Coordinator, got {type(made).__name__}"):
        tasks.sweep.run()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"app": "backend"}, "app: expected a Celery app, got str"),
        ({"factory": None}, "factory: expected a function that makes a Coordinator, got NoneType"),
        ({"queues": "abc"}, "queues: expected a sequence of names, got 'abc'"),
        ({"queues": ["a", 1]}, "queues: expected a sequence of names"),
        ({"queues": ["a", ""]}, "queues: expected names that are not empty, each once"),
        ({"queues": ["a", "a"]}, "queues: expected names that are not empty, each once"),
        ({"sweep_every": 10}, "sweep_every: expected a timedelta or None, got 10"),
        ({"sweep_every": dt.timedelta()}, "sweep_every: expected more than nothing"),
        ({"watch_every": dt.timedelta(seconds=-1)}, "watch_every: expected more than nothing"),
    ],
)
def test_what_cannot_be_registered_is_turned_down(app, given, said):
    """When it is called, in one line."""
    arguments = {"app": app, "factory": lambda: None, **given}
    with pytest.raises((TypeError, ValueError), match=said) as caught:
        register(arguments.pop("app"), arguments.pop("factory"), **arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((5, "r-1"), "booking_id: expected the id as text, got an int."),
        ((uuid.UUID(int=7), "r-1"), "booking_id: expected the id as text, got a UUID."),
        (("b-1", None), "restaurant_id: expected the id as text, got None."),
        (("b-1",), "the arguments: expected booking_id, restaurant_id, got 1 and 0 by name."),
        (("b-1", "r-1", "Ada"), "the arguments: expected booking_id, restaurant_id, got 3 and 0 by name."),
    ],
)
def test_a_wrong_message_is_named(app, coordinator, given, said):
    """By its argument and its type: a value could be a guest's."""
    task = register(app, lambda: coordinator).assign_booking
    app.finalize()
    with pytest.raises(TypeError) as caught:
        task.run(*given)
    assert str(caught.value) == said
    assert str(pickle.loads(pickle.dumps(caught.value))) == said


def test_the_sweep_goes_on_while_there_is_more(app, coordinator, clock):
    """One message sees to all that is due, a few at a time."""
    coordinator.settings = Settings(orphan_after=dt.timedelta(microseconds=1))
    tasks = register(app, lambda: coordinator, sweep_limit=1)
    for _ in range(2):
        assert tasks.sweep.run() == {"results": 0, "enqueued": 1, "errors": 0}
    clock.advance(dt.timedelta(seconds=1))
    assert tasks.sweep.run() == {"results": 2, "enqueued": 0, "errors": 0}


FORKS = """
import os
from celery import Celery
from assignment_pipeline import Coordinator
from assignment_pipeline.adapters.celery import register

made = []

def factory():
    made.append(os.getpid())
    return Coordinator.in_memory(sinks=())

tasks = register(Celery(broker="memory://"), factory)
for _ in range(2):
    tasks.sweep.run()
child = os.fork()
if child == 0:
    tasks.sweep.run()
    os._exit(made != [os.getppid(), os.getpid()])
assert os.waitpid(child, 0)[1] == 0
assert made == [os.getpid()]
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_process_makes_its_own():
    """Also where the parent had one already."""
    subprocess.run([sys.executable, "-c", FORKS], check=True, timeout=60)


def test_beat_has_its_entries(app, coordinator):
    """Unless told otherwise; what nobody runs is forgotten after a while."""
    register(app, lambda: coordinator)
    [(name, entry)] = app.conf.beat_schedule.items()
    assert (name, entry["task"], entry["schedule"]) == (*["assignment_pipeline.sweep"] * 2, 10)
    assert entry["options"]["expires"] == 300


def test_the_rollout_is_watched(app, coordinator, monkeypatch, caplog):
    """By the task, as `rollout watch` does; beat sends it where it is told how often. What fails is said and raised."""
    tasks = register(app, lambda: coordinator, sweep_every=None, watch_every=dt.timedelta(minutes=1))
    [(name, entry)] = app.conf.beat_schedule.items()
    assert (name, entry["schedule"]) == ("assignment_pipeline.rollout_watch", 60)
    assert tasks.rollout_watch() == {"phase": None, "firing": [], "demoted_to": None}
    failed = WatchReport(at=None, phase="production-10", alerts=(), error=StoreUnavailableError("gone"))
    back = RolloutRevision(generation=2, phase="production-shadow")
    for report in (attrs.evolve(failed, why="it fires"), attrs.evolve(failed, why="it fires", demoted=back), failed):
        monkeypatch.setattr(Coordinator, "watch_rollout", lambda _, report=report: report)
        with pytest.raises(StoreUnavailableError):
            tasks.rollout_watch()
    assert caplog.messages == [
        "not rolled back: it fires",
        "rolled back: it fires",
        "not rolled back: the events about the alerts could not be kept",
    ]


@given(st.text(), st.lists(st.text(min_size=1), min_size=1, max_size=5, unique=True))
def test_a_restaurant_has_one_queue(restaurant_id, queues):
    """Always the same, among those there are."""
    queue = queue_of(restaurant_id, queues)
    assert queue in queues
    assert queue == queue_of(restaurant_id, list(queues))


def test_restaurants_spread_evenly():
    """Over four queues, each gets its quarter."""
    found = [queue_of(f"r-{number}", ["a", "b", "c", "d"]) for number in range(4000)]
    assert all(900 < found.count(queue) < 1100 for queue in "abcd")


def test_the_queues_are_stable():
    """Producers and workers of any version agree."""
    assert [queue_of(name, ["q.0", "q.1", "q.2"]) for name in ("r-1", "r-2", "chez-nous")] == ["q.1", "q.1", "q.2"]
    with pytest.raises(ValueError, match="expected at least one"):
        queue_of("r-1", [])


# -- What the set-up would lose -----------------------------------------------------------------------------------


def declared(name, exchange_type):
    """A quorum queue that is declared."""
    exchange = Exchange(name, type=exchange_type)
    return Queue(name, exchange, routing_key=name, queue_arguments={"x-queue-type": "quorum"})


QUORUM = {"task_default_queue_type": "quorum", "task_default_exchange_type": "topic"}
CONFIRMED = {"broker_transport_options": {"confirm_publish": True}}


@pytest.mark.parametrize(
    ("broker", "queues", "conf", "said"),
    [
        ("amqp://", (), {}, []),
        ("redis://", ("a",), QUORUM, []),
        ("amqp://", (), QUORUM | CONFIRMED, []),
        ("amqp://", ("a",), QUORUM | CONFIRMED | {"task_queues": [declared("a", "topic")]}, []),
        ("redis://", (), {"accept_content": ["yaml"]}, ["accept_content is without json"]),
        ("amqp://", (), QUORUM, ["without confirm_publish"]),
        (["amqp://one", "amqp://two"], (), QUORUM, ["without confirm_publish"]),
        ("amqp://", ("a",), QUORUM | CONFIRMED, ["'a' is not in task_queues"]),
        (
            "amqp://",
            ("a",),
            CONFIRMED | {"task_queues": [declared("a", "direct")]},
            ["on a direct exchange"],
        ),
    ],
)
def test_a_set_up_that_would_lose_messages_is_warned_about(broker, queues, conf, said, caplog):
    """Once, when the app is configured: what is set after `register` counts."""
    with Celery("checked", broker=broker, set_as_current=False) as app:
        register(app, lambda: None, queues=queues)
        app.conf.update(conf)
        app.finalize()
    found = [record.getMessage() for record in caplog.records if record.name == "assignment_pipeline.celery"]
    assert len(found) == len(said)
    assert all(part in line for part, line in zip(said, found, strict=True))
