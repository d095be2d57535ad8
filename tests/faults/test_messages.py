"""What the driver sends gets to the workers, by pipes and by way of a broker."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import attrs
import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nothing can be stopped here")
place = pytest.importorskip("tests.torture.place", exc_type=ImportError)

from tests.torture.fleet import Fleet  # noqa: E402
from tests.torture.leaks import leaks  # noqa: E402
from tests.torture.worker import Orders  # noqa: E402

WHO = "torture-worker-1"

# A worker that takes a message, and does not get on with it.
HESITANT = """
import multiprocessing, sys, time
from tests.torture.broker import BrokerInbox
reader, writer = multiprocessing.Pipe(duplex=False)
for message in BrokerInbox(sys.argv[1], "torture-worker-2", reader).messages():
    print(message["number"], flush=True)
    time.sleep(60)
"""


@pytest.fixture
def own_broker(own_redis):
    """A broker of that kind."""
    pytest.importorskip("kombu")
    return own_redis


@pytest.fixture(params=["pipes", "broker"])
def at(request):
    """A place, with each way that messages go."""
    broker = request.getfixturevalue("own_broker").url if request.param == "broker" else None
    return place.Place(store="sqlite", at="nowhere", broker=broker)


class Way:
    """Both ends, and threads that do what comes."""

    def __init__(self, at):
        self.reader, self.pipe = multiprocessing.Pipe(duplex=False)
        self.sender = at.open_sender()
        self.inbox = at.open_inbox(WHO, self.reader)
        self.done = []
        self.threads = [threading.Thread(target=self.work, daemon=True) for _ in range(3)]

    def work(self):
        for message in self.inbox.messages():
            self.done.append(message["number"])

    def send(self, number):
        return self.sender.send(self.pipe, {"number": number})

    def start(self):
        for thread in self.threads:
            thread.start()

    def end(self):
        """No more is sent: what was is done when this returns."""
        self.pipe.close()
        self.inbox.wait()
        for thread in self.threads:
            thread.join()
        self.sender.close()
        self.reader.close()


def wait_for(found, within=30):
    end = time.monotonic() + within
    while not (answer := found()):
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)
    return answer


def test_all_that_is_sent_is_done_once(at):
    """By whichever thread; and they end when no more will come, and it is done."""
    way = Way(at)
    assert all(way.send(number) for number in range(50))
    way.start()
    way.end()
    assert sorted(way.done) == list(range(50))


def test_a_worker_that_is_gone_loses_its_messages():
    """A pipe that nobody reads any more takes no message."""
    way = Way(place.Place(store="sqlite", at="nowhere"))
    way.reader.close()
    assert not way.send(1)
    way.pipe.close()


def test_a_broker_that_crashes_is_found_again(own_broker):
    """What it had is lost, and so is what is sent while it is away; what is sent afterwards comes."""
    way = Way(place.Place(store="sqlite", at="nowhere", broker=own_broker.url))
    assert way.send(1)
    own_broker.kill()
    assert not way.send(2)
    own_broker.start()
    way.start()
    assert way.send(3)
    wait_for(lambda: way.done)
    own_broker.kill()
    assert not way.send(4)
    own_broker.start()
    assert way.send(5)
    way.end()
    assert way.done == [3, 5]
    with own_broker.client() as client:
        assert client.dbsize() == 0


def test_a_message_of_a_killed_worker_comes_again(own_broker, monkeypatch):
    """Nobody has acknowledged it: after a while it is another's."""
    broker = pytest.importorskip("tests.torture.broker", exc_type=ImportError)
    monkeypatch.setitem(broker.OPTIONS, "visibility_timeout", 1)
    way = Way(place.Place(store="sqlite", at="nowhere", broker=own_broker.url))
    worker = subprocess.Popen([sys.executable, "-c", HESITANT, own_broker.url], stdout=subprocess.PIPE, text=True)
    with worker:
        assert way.send(1)
        assert worker.stdout.readline() == "1\n"
        worker.kill()
    way.start()
    wait_for(lambda: way.done)
    way.end()
    assert set(way.done) == {1}


# -- Workers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("evening", ["sqlite"], indirect=True)
def test_workers_take_what_they_are_sent_from_the_broker(copied_place, own_broker, tmp_path):
    """Over its crash, and until they are asked to end; what is sent while it is away does not get to them otherwise."""
    at = attrs.evolve(copied_place[0], broker=own_broker.url)
    how = {"restaurants": 1, "threads": 2, "ahead": 0.0, "flags": False, "seed": 0, "log": str(tmp_path / "answers")}
    with at.open_store("torture-test") as store, contextlib.closing(at.open_sender()) as sender:

        def state(booking_id):
            query = "SELECT state FROM assignment_pipeline.assignment_records WHERE booking_id = %s"
            return store.write(lambda connection: at.ask(connection, query, booking_id).fetchone()[0])

        def cancel(booking_id):
            fleet.send(fleet.members[0], kind="cancel", booking=booking_id, restaurant="r-1")
            return fleet.lost_messages

        fleet = Fleet(lambda number: Orders(number=number, place=at, **how), 1, sender)
        with contextlib.closing(fleet):
            assert cancel("b-1") == 0
            wait_for(lambda: state("b-1") == "cancelled")
            own_broker.kill()
            assert cancel("b-2") == 1
            own_broker.start()
            assert cancel("b-6") == 1
            assert fleet.dismiss() == []
        assert [state(booking_id) for booking_id in ("b-1", "b-2", "b-6")] == ["cancelled", "confirmed", "cancelled"]
    assert leaks(at) == []


def test_a_connection_that_is_left(own_broker, tmp_path):
    """A connection to the broker that is called as a worker's is found."""
    file = place.Place(store="sqlite", at=str(tmp_path / "place.db"))
    file.prepare()
    at = attrs.evolve(file, broker=own_broker.url)
    command = [sys.executable, "-c", HESITANT, own_broker.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as worker, contextlib.closing(at.open_sender()) as sender:
        sender.send(None, {"number": 1})
        worker.stdout.readline()
        found = leaks(at, patience=0)
        os.kill(worker.pid, signal.SIGKILL)
    assert set(found) == {"a connection to the broker: torture-worker-2"}
    assert leaks(at) == []


def test_no_process_is_left():
    """The tests above have ended all that they have started."""
    assert multiprocessing.active_children() == []
