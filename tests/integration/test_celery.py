"""Celery workers, in processes of their own, on real brokers: what is lost, repeated or killed is assigned once."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("celery")
pytest.importorskip("tests.servers.redis", exc_type=ImportError)

import celery
from kombu import Connection

from assignment_pipeline import Coordinator, Mode, Settings
from assignment_pipeline.adapters.brokers import unread
from assignment_pipeline.adapters.celery import queue_of, register
from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost
from assignment_pipeline.ports import RecordQuery
from assignment_pipeline.rollout.flags import FixedFlags
from assignment_pipeline.testing.store_harness import make_booking, make_venue
from tests.servers.rabbitmq import OwnRabbitMQ
from tests.servers.redis import OwnServer

VARIABLE = "ASSIGNMENT_PIPELINE_TEST_AMQP"
RETRIED = int(os.environ.get("ASSIGNMENT_PIPELINE_TEST_RETRIES", "2"))
"""Bookings that all need a retry."""

TOMORROW = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).replace(minute=0, second=0, microsecond=0)

# What a host would have as a module of its own.
APP = '''
import datetime as dt
import os
import pathlib
import time

from celery import Celery

from assignment_pipeline import Coordinator, Mode, Settings
from assignment_pipeline.adapters.celery import register
from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost
from assignment_pipeline.rollout.flags import FixedFlags

HERE = pathlib.Path(__file__).parent
QUEUES = os.environ["QUEUES"].split(",")

app = Celery("host", broker=os.environ["BROKER"])
app.conf.update(
    broker_transport_options={"visibility_timeout": 3600},
    broker_connection_retry_on_startup=True,
    task_default_queue=QUEUES[0],
    worker_prefetch_multiplier=1,
)
if os.environ.get("QUORUM"):
    import quorum

    quorum.set_up(app, QUEUES)


class Hesitant:
    """Takes as long as the file says, and says whose fault it is."""

    name = "hesitant"

    def weigh(self, request, seating, floor):
        if (HERE / "hesitate").exists():
            (HERE / "at-work").write_text(str(os.getpid()))
            while (HERE / "hesitate").exists():
                time.sleep(0.02)
        return 0


def coordinator():
    with open(HERE / "made", "a") as file:
        print(os.getpid(), file=file)
    if (HERE / "broken").exists():
        (HERE / "broken").unlink()
        raise OSError("no such luck")
    settings = Settings(
        orphan_after=dt.timedelta(seconds=1), backoff=dt.timedelta(seconds=0.2), max_retries=2
    )
    store = SQLiteStore(HERE / "assignments.db", host=StandaloneHost())
    return Watched(store, flags=FixedFlags(Mode.ACTIVE), strategies=[Hesitant()], settings=settings)


class Watched(Coordinator):
    def watch_rollout(self, **options):
        look = super().watch_rollout(**options)
        (HERE / "watched").write_text(",".join(alert.rule.name for alert in look.alerts))
        return look


tasks = register(
    app,
    coordinator,
    queues=QUEUES if len(QUEUES) > 1 else (),
    sweep_every=dt.timedelta(seconds=0.5),
    watch_every=dt.timedelta(seconds=0.5),
)
'''


# Quorum queues with delayed delivery: what Celery asks for on a RabbitMQ of today.
QUORUM = """
from kombu import Exchange, Queue


def set_up(app, queues):
    exchange = Exchange(queues[0], type="topic")
    app.conf.update(
        task_queues=[
            Queue(name, exchange, routing_key=name, queue_arguments={"x-queue-type": "quorum"}) for name in queues
        ],
        task_default_exchange=queues[0],
        task_default_exchange_type="topic",
        task_default_queue_type="quorum",
        broker_transport_options={"confirm_publish": True},
    )
"""


# -- Brokers ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def redis_broker():
    """A Redis server of the tests' own."""
    try:
        with OwnServer() as server:
            yield server.url
    except LookupError as error:
        pytest.skip(str(error))


@pytest.fixture(params=["redis", "rabbitmq"])
def own_broker(request, tmp_path):
    """A broker for one test, which may do with it what it likes."""
    try:
        broker = OwnServer() if request.param == "redis" else OwnRabbitMQ(tmp_path)
        with broker:
            yield broker
    except LookupError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def rabbitmq_broker():
    """The RabbitMQ that the environment names, or one on its standard port."""
    url = os.environ.get(VARIABLE, "amqp://guest:guest@127.0.0.1:5672//")
    try:
        with Connection(url, connect_timeout=2) as connection:
            connection.connect()
    except Exception as error:  # noqa: BLE001 - whatever it is, there is no broker
        pytest.skip(f"no RabbitMQ: set {VARIABLE}, or start one on 127.0.0.1:5672 ({type(error).__name__})")
    return url


@pytest.fixture(params=["redis", "rabbitmq"])
def broker(request):
    """Each kind of broker."""
    return request.getfixturevalue(f"{request.param}_broker")


class Project:
    """A host's project in a folder: a database, a Celery app, and the workers that run it."""

    def __init__(self, path, broker, queues, *, quorum=False):
        self.folder = Path(path).parent
        self.quorum = quorum
        self.broker = broker
        self.queues = queues
        self.started = []
        (self.folder / "host.py").write_text(APP)
        (self.folder / "quorum.py").write_text(QUORUM)
        self.host = StandaloneHost()
        self.store = SQLiteStore(path, host=self.host)
        settings = Settings(orphan_after=dt.timedelta(seconds=1))
        self.coordinator = Coordinator(self.store, flags=FixedFlags(Mode.ACTIVE), sinks=(), settings=settings)
        self.app = celery.Celery("producer", broker=broker)
        self.app.conf.task_default_queue = queues[0]
        if quorum:
            exec(QUORUM, how := {})  # noqa: S102 - what the workers import
            how["set_up"](self.app, queues)
        self.tasks = register(self.app, lambda: self.coordinator, queues=queues if len(queues) > 1 else ())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        with self.app.connection() as connection:
            for name in self.queues:
                with contextlib.suppress(Exception):
                    connection.default_channel.queue_delete(name)
                with contextlib.suppress(Exception):
                    connection.default_channel.exchange_delete(name)
        self.app.close()
        self.store.close()

    def book(self, *booking_ids, **facts):
        """Take bookings, as a host does: row and note in the database, and only then a message."""
        for booking_id in booking_ids:
            booking = make_booking(booking_id, at=TOMORROW, end_at=None, **facts)
            self.store.write(lambda connection, booking=booking: self.host.put_booking(connection, booking))
            self.coordinator.enqueue(booking)

    def send(self, *booking_ids):
        for booking_id in booking_ids:
            self.tasks.assign_booking.delay(booking_id, "r-1")

    def work(self, *options, queues=None):
        """Start a worker, and have it in a group of its own, to be killed with its children."""
        command = [sys.executable, "-m", "celery", "-A", "host", "worker", "--loglevel", "WARNING"]
        command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        command += ["-Q", ",".join(queues or self.queues), *(options or ("-c", "2"))]
        given = {**os.environ, "BROKER": self.broker, "QUEUES": ",".join(self.queues)}
        given |= {"QUORUM": "1"} if self.quorum else {}
        with (self.folder / f"worker-{len(self.started)}.log").open("w") as log:
            how = {"stdout": log, "stderr": log, "start_new_session": True}
            worker = subprocess.Popen(command, cwd=self.folder, env=given, **how)
        self.started.append(worker)
        return worker

    def record(self, booking_id):
        page = self.store.records(RecordQuery(booking_ids=(booking_id,)))
        return page.records[0] if page.records else None

    def settled(self, *booking_ids, within=40, state="confirmed"):
        """Wait until all are; their records."""
        end = time.monotonic() + within
        while time.monotonic() < end:
            records = [self.record(booking_id) for booking_id in booking_ids]
            if all(record is not None and record.state == state for record in records):
                return records
            time.sleep(0.05)
        logs = "\n".join(path.read_text()[-3000:] for path in sorted(self.folder.glob("worker-*.log")))
        pytest.fail(f"not {state}: {[(record and record.state) for record in records]}\n{logs}")

    def at_work(self):
        """Wait until a worker hesitates; its pid."""
        file = self.folder / "at-work"
        return int(self.wait_for(lambda: file.exists() and file.read_text()))

    def wait_for(self, found, within=40):
        end = time.monotonic() + within
        while time.monotonic() < end:
            if answer := found():
                return answer
            time.sleep(0.02)
        logs = "\n".join(path.read_text()[-3000:] for path in sorted(self.folder.glob("worker-*.log")))
        return pytest.fail(f"it did not come to that\n{logs}")

    def file(self, name):
        path = self.folder / name
        return path.read_text().split() if path.exists() else []


@pytest.fixture
def started(path):
    """Makes a project on a broker, with queues that are its own; nothing of it is left."""
    with contextlib.ExitStack() as stack:

        def start(broker, queues=1, **how):
            name = f"assignment-pipeline-test-{secrets.token_hex(4)}"
            made = Project(path, broker, [f"{name}.{number}" for number in range(queues)], **how)
            made.store.write(lambda connection: made.host.put_venue(connection, make_venue(tables=4, reseat="off")))
            return stack.enter_context(made)

        yield start


@pytest.fixture
def project(started, broker):
    """A project, on each kind of broker."""
    return started(broker)


# -- What must hold -----------------------------------------------------------------------------------------------


def test_a_message_assigns_a_booking(project):
    """With a coordinator that the process which runs the task has made, and nobody before it."""
    project.book("b-1", "b-2")
    worker = project.work("-c", "1")
    project.send("b-1", "b-2")
    first, second = project.settled("b-1", "b-2")
    assert first.tables != second.tables
    [made] = project.file("made")
    assert int(made) != worker.pid


def test_messages_that_come_twice_are_harmless(project):
    """Whoever comes second finds it done."""
    names = [f"b-{number}" for number in range(4)]
    project.book(*names)
    project.send(*names, *names, *reversed(names))
    project.work("-c", "3")
    records = project.settled(*names)
    time.sleep(0.5)  # For those that are still under way.
    assert sorted(table for record in records for table in record.tables) == ["T1", "T2", "T3", "T4"]
    for record in records:
        steps = project.store.history(record.booking_id)
        assert [step.to_state for step in steps].count("confirmed") == 1
        assert project.record(record.booking_id) == record


def test_a_message_whose_process_is_killed_is_handed_out_again(project):
    """In the middle of planning: the worker's main process sees it, and the broker gives the message to another."""
    project.book("b-1")
    (project.folder / "hesitate").touch()
    worker = project.work("-c", "1")
    project.send("b-1")
    child = project.at_work()
    assert child != worker.pid
    (project.folder / "at-work").unlink()
    os.kill(child, signal.SIGKILL)
    assert project.at_work() != child
    (project.folder / "hesitate").unlink()
    project.settled("b-1")
    assert len(project.file("made")) == 2


def test_a_worker_that_is_killed_whole_loses_nothing(project):
    """RabbitMQ hands its messages out again; Redis only after an hour, but the sweep knows in a second."""
    project.book("b-1")
    (project.folder / "hesitate").touch()
    worker = project.work("-c", "1")
    project.send("b-1")
    project.at_work()
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
    (project.folder / "hesitate").unlink()
    assert project.record("b-1").state == "created"
    beat = ("--beat", "--schedule", str(project.folder / "beat"))
    project.work("-c", "1", *(beat if project.broker.startswith("redis") else ()))
    project.settled("b-1")


def test_a_message_that_the_broker_loses_is_made_up_for(project):
    """The sweep that beat sends finds the booking."""
    project.book("b-1", "b-2")
    project.send("b-1", "b-2")
    with project.app.connection() as connection:
        assert connection.default_channel.queue_purge(project.queues[0]) == 2
    project.work("-c", "1", "--beat", "--schedule", str(project.folder / "beat"))
    project.settled("b-1", "b-2")
    [watched] = project.wait_for(lambda: project.file("watched"))
    assert "confirmation_rate_low" in watched


def test_a_broker_that_restarts_is_found_again(own_broker, started):
    """While a task is at work and another waits; Redis forgets both, and the sweep finds them. New ones come again."""
    project = started(own_broker.url)
    project.book("b-1", "b-2")
    (project.folder / "hesitate").touch()
    project.work("-c", "1", "--beat", "--schedule", str(project.folder / "beat"))
    project.send("b-1", "b-2")
    project.at_work()
    own_broker.kill()
    time.sleep(1)
    own_broker.start()
    (project.folder / "hesitate").unlink()
    project.settled("b-1", "b-2")
    if isinstance(own_broker, OwnServer):  # While nobody is at work; RabbitMQ takes seconds to start.
        own_broker.kill()
        own_broker.start()
    project.book("b-3")
    project.send("b-3")
    project.settled("b-3")


@pytest.mark.parametrize("queues", [1, 3])
@pytest.mark.parametrize("kind", ["redis", "rabbitmq", "quorum"])
def test_what_is_to_be_tried_again_comes_back(started, kind, queues, request):
    """
    Without a sweep: the countdowns alone lead to the last attempt, and to a person.

    On quorum queues they are delivered by the broker, which takes whole seconds only (Celery 5.7), and workers that
    serve queues of their own never read the default queue.
    """
    broker = request.getfixturevalue("redis_broker" if kind == "redis" else "rabbitmq_broker")
    project = started(broker, queues=queues, quorum=kind == "quorum")
    names = [f"full-{number}" for number in range(4)]
    project.book(*names)
    for name in names:
        project.coordinator.assign_id(name, "r-1", trigger="manual")
    waiting = [f"b-{number}" for number in range(RETRIED)]
    project.book(*waiting, party_size=4)
    project.work("-c", "2", queues=[queue_of("r-1", project.queues)])
    project.send(*waiting)
    records = project.settled(*waiting, state="manual_review", within=40 + RETRIED / 2)
    assert {record.attempts for record in records} == {3}


def test_a_message_that_is_too_early_waits_for_the_hosts_commit(started, redis_broker):
    """Where a coordinator cannot be made at once, and where the booking is not there yet."""
    project = started(redis_broker)
    (project.folder / "broken").touch()
    project.send("b-1")
    project.work("-c", "1")
    project.wait_for(lambda: len(project.file("made")) == 2)
    project.book("b-1")
    project.settled("b-1")


def test_restaurants_are_spread_over_queues(started, redis_broker):
    """Each to its own; a worker of one queue leaves the others' alone."""
    project = started(redis_broker, queues=3)
    mine = queue_of("r-1", project.queues)
    other = next(name for name in (f"r-{n}" for n in range(99)) if queue_of(name, project.queues) != mine)
    project.book("b-1")
    project.send("b-1")
    project.tasks.assign_booking.delay("b-2", other)
    project.tasks.assign_booking.apply_async(kwargs={"booking_id": "b-3", "restaurant_id": other})
    project.work("-c", "1", queues=[mine])
    project.settled("b-1")
    with project.app.connection() as connection:
        waiting = {name: connection.default_channel.client.llen(name) for name in project.queues}
    assert waiting == {name: 2 * (name == queue_of(other, project.queues)) for name in project.queues}


def test_a_queue_that_nobody_reads_is_reported(rabbitmq_broker, caplog):
    """With the first sweep of a process: messages in it wait for a worker that was never started."""
    name = f"unread.{secrets.token_hex(4)}"
    app = celery.Celery("unread", broker=rabbitmq_broker)
    app.conf.task_default_queue = f"{name}.default"
    venue, missing = make_venue(), f"{name}.missing"
    tasks = register(app, lambda: Coordinator.in_memory(venue, sinks=()), queues=[name, missing], sweep_every=None)
    with Connection(rabbitmq_broker) as connection:
        queue = connection.SimpleQueue(name)
        try:
            queue.put({"any": "message"})
            tasks.sweep.apply().get()
            sentence = f"queue '{name}' has 1 messages and no worker that reads it: start one with --queues {name}"
            said = [record.getMessage() for record in caplog.records if record.name.startswith("assignment_pipeline")]
            assert said == [sentence]
            caplog.clear()
            tasks.sweep.apply().get()  # Not with each.
            queue.get(timeout=5).ack()
            assert list(unread(app, [name])) == []
            queue.put({"any": "message"})
            queue.consumer.consume()  # Somebody reads it now.
            assert list(unread(app, [name])) == []
            assert not [record for record in caplog.records if record.name.startswith("assignment_pipeline")]
        finally:
            queue.consumer.cancel()
            queue.queue.delete()


def test_a_broker_that_is_away_does_not_stop_the_sweep(caplog):
    """What is read cannot be told, and due bookings are processed all the same."""
    app = celery.Celery("away", broker="amqp://127.0.0.1:1//")
    venue = make_venue()
    tasks = register(app, lambda: Coordinator.in_memory(venue, sinks=()), sweep_every=None)
    assert tasks.sweep.apply().get()["errors"] == 0
    assert "the broker does not say which queues are read" in caplog.text


def test_the_broker_sees_ids_and_nothing_else(started, redis_broker):
    """A message is of JSON, and holds no guest."""
    project = started(redis_broker)
    project.book("b-1", attributes={"guest": "Anna"})
    project.send("b-1")
    with project.app.connection() as connection:
        message = connection.SimpleQueue(project.queues[0]).get(timeout=5)
    assert message.content_type == "application/json"
    assert message.payload[:2] == [["b-1", "r-1"], {}]
    assert "Anna" not in f"{message.payload} {message.headers}"
    message.ack()
