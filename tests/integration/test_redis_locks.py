"""Locks in Redis, on servers of the tests' own: what they cost, what they say when something is wrong, and what not."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import itertools
import os
import socketserver
import ssl
import threading
import time

import pytest

pytest.importorskip("tests.servers.redis", exc_type=ImportError)

from assignment_pipeline import Coordinator, Mode, Outcome, Reason, Settings
from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore
from assignment_pipeline.adapters.redis import AsyncRedisLockManager, RedisLockManager
from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost
from assignment_pipeline.clock import SystemClock
from assignment_pipeline.errors import InvalidValueError, LockManagerUnavailableError
from assignment_pipeline.ports import Leases, RecordQuery, Refused, Wanted
from assignment_pipeline.rollout.flags import FixedFlags
from assignment_pipeline.testing.store_harness import make_booking, make_venue
from tests.servers.loopback import free_port
from tests.servers.redis import OwnServer

MINUTE = dt.timedelta(minutes=1)
SECRET = "swordfish"  # noqa: S105 - of a server that lives for a test
TOMORROW = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).replace(minute=0, second=0, microsecond=0)


def own(**config):
    try:
        return OwnServer(**config)
    except LookupError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def shared_server():
    """One for the tests that leave it as it was."""
    with own() as server:
        yield server


@pytest.fixture
def server(shared_server):
    """A server under which nothing is held."""
    shared_server.client().flushall()
    return shared_server


@pytest.fixture
def fragile():
    """One to be broken."""
    with own() as server:
        yield server


@pytest.fixture
def managed():
    """Makes lock managers, which are closed when the test ends."""
    with contextlib.ExitStack() as stack:
        yield lambda url, **how: stack.enter_context(RedisLockManager(url, **how))


def take(locks, *keys):
    return locks.acquire([Wanted(key) for key in keys], ttl=MINUTE)


# -- What it costs ------------------------------------------------------------------------------------------------


def commands(server):
    return {name: facts["calls"] for name, facts in server.client().info("commandstats").items()}


def test_all_keys_take_one_round_trip(server, managed):
    """And so does their release; a script is sent once, and known by its name from then on."""
    locks = managed(server.url)
    locks.release(take(locks, "a"))
    before = commands(server)
    locks.release(take(locks, "a", "b", "c"))
    after = commands(server)
    asked = {name: after[name] - before.get(name, 0) for name in after if "eval" in name or "script" in name}
    assert asked["cmdstat_evalsha"] == 2
    assert sum(asked.values()) == 2


def test_nothing_is_left_behind(server, managed):
    """Neither of what was released, nor of what was not: a key stays as long as the last of its leases."""
    locks, keys = managed(server.url), server.client().keys
    locks.release(take(locks, "a", "b"))
    assert keys() == []
    locks.acquire([Wanted("c", 2)], ttl=dt.timedelta(milliseconds=600))
    locks.acquire([Wanted("c", 2)], ttl=dt.timedelta(milliseconds=40))
    time.sleep(0.1)
    assert keys() == [b"assignment-pipeline:c"]
    time.sleep(0.6)
    assert keys() == []


def test_leases_end_by_the_servers_clock(server, managed):
    """What the worker's own clock says does not matter."""
    [lease] = take(managed(server.url), "a").leases
    seconds, microseconds = server.client().time()
    assert abs(lease.expires_at.timestamp() - 60 - (seconds + microseconds / 1e6)) < 1


# -- What it says -------------------------------------------------------------------------------------------------


def complaint(url, **how):
    """What both managers say of a server: the same."""

    async def ask():
        async with AsyncRedisLockManager(url, **how) as locks:
            with pytest.raises(LockManagerUnavailableError) as caught:
                await locks.acquire([Wanted("a")], ttl=MINUTE)
            return str(caught.value)

    with RedisLockManager(url, **how) as locks, pytest.raises(LockManagerUnavailableError) as caught:
        locks.acquire([Wanted("a")], ttl=MINUTE)
    said = str(caught.value), asyncio.run(ask())
    assert all(SECRET not in sentence for sentence in said)
    return said


@pytest.mark.parametrize("kind", [RedisLockManager, AsyncRedisLockManager])
@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"url": None}, "url: expected a text, got None"),
        ({"url": b"redis://localhost"}, "url: expected a text, got a bytes"),
        ({"owner": 7}, "owner: expected a text, got an int"),
        ({"prefix": None}, "prefix: expected a text, got None"),
        ({"pool_size": -1}, "pool_size: expected a whole number of connections, 1 or more, got -1"),
        ({"pool_size": 0}, "pool_size: expected"),
        ({"pool_size": 2.0}, "pool_size: expected"),
        ({"patience": 1}, "patience: expected a timedelta, got an int"),
        ({"patience": dt.timedelta(seconds=-1)}, "patience: expected more than nothing, got -1 day, 23:59:59"),
        ({"patience": dt.timedelta()}, "patience: expected more than nothing"),
        ({"rest": dt.timedelta(seconds=-1)}, "rest: expected no less than nothing"),
        ({"rest": None}, "rest: expected a timedelta, got None"),
    ],
)
def test_a_wrong_argument_is_named_at_once(kind, wrong, says):
    """And not at the first lock: an address that is not set is found when the application starts."""
    with pytest.raises(InvalidValueError) as caught:
        kind(**{"url": "redis://localhost", **wrong})
    assert str(caught.value).startswith(says)


def test_a_server_that_is_away_is_named(fragile):
    """With its place, and without the password."""
    fragile.kill()
    for said in complaint(f"redis://anna:{SECRET}@127.0.0.1:{fragile.port}/3"):
        assert f"redis://127.0.0.1:{fragile.port}/3" in said
        assert "refused" in said or "Connect call failed" in said


def test_passwords_open_the_door():
    """The right one does; a wrong one and none are refused, and not repeated."""
    with own() as server:
        server.client().config_set("requirepass", SECRET)
        address = server.url.removeprefix("redis://")
        with RedisLockManager(f"redis://:{SECRET}@{address}") as locks:
            assert isinstance(take(locks, "a"), Leases)
        assert all("invalid" in said for said in complaint(f"redis://:{SECRET}-not@{address}"))
        assert all("uthenticat" in said for said in complaint(f"redis://{address}"))


@pytest.mark.parametrize(
    "url", [f"redis://:{SECRET}/{SECRET}@somewhere:6379", f"http://x:{SECRET}@somewhere", SECRET, ""]
)
def test_what_is_no_address_is_turned_down(url):
    """When the manager is made, and without a word of what it was: that may be half a password."""
    for kind in (RedisLockManager, AsyncRedisLockManager):
        with pytest.raises(ValueError, match="url: expected one that begins with redis://") as caught:
            kind(url)
        assert SECRET not in str(caught.value)
        assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "url",
    [
        f"redis:/:{SECRET}@127.0.0.1",
        f"redis://:{SECRET}@127.0.0.1/x",
        f"redis://:{SECRET}@127.0.0.1/9/9",
        f"redis://:{SECRET}@127.0.0.1/9?foo=1",
        f"redis://:{SECRET}@127.0.0.1?db=x",
        f"redis://:{SECRET}@127.0.0.1?socket_timeout=soon",
        f"redis://:{SECRET}@127.0.0.1?encoding=none",
        f"redis://:{SECRET}@127.0.0.1?ssl_ca_certs=ca.pem",
        f"redis://u:1#{SECRET}@somewhere",
        f"redis://u:1?{SECRET}@somewhere",
        "unix://",
    ],
)
def test_what_redis_py_cannot_read_is_turned_down(url):
    """When the manager is made, and not at each assignment."""
    for kind in (RedisLockManager, AsyncRedisLockManager):
        with pytest.raises(ValueError, match=r"a whole number for the database, and options that redis-py") as caught:
            kind(url)
        assert SECRET not in str(caught.value)
        assert "\n" not in str(caught.value)
        assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "url",
    [
        "redis://",
        "redis://127.0.0.1/9/",
        "redis://127.0.0.1?db=9&client_name=me",
        f"rediss://anna:{SECRET}@127.0.0.1:6379/9?ssl_cert_reqs=none&ssl_ca_certs=/etc/ssl/redis.pem",
        "unix:///run/redis.sock?db=9",
    ],
)
def test_what_redis_py_takes_is_taken(url):
    """Without a server, and for asyncio without a loop."""
    for kind in (RedisLockManager, AsyncRedisLockManager):
        assert SECRET not in kind(url).where


def test_a_node_of_a_cluster_is_no_lock_server():
    """It is refused in its own words, rather than half used."""
    bus = str(free_port())  # By default the server's port and 10,000, which somebody may have.
    with own(**{"cluster-enabled": "yes", "cluster-port": bus}) as server:
        assert all("luster" in said or "Hash slot" in said for said in complaint(server.url))


class Endpoint(socketserver.ThreadingTCPServer):
    """Something that listens, and that is no Redis server."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, answer):
        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                answer(self)

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.server_address[1]}/0?protocol=2"


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"+maybe\r\n" * 9, b"*2\r\n:1\r\n:1\r\n" * 9, b"*0\r\n" * 9, b"$-1\r\n" * 9],
)
def test_what_is_no_lock_server_is_found_out(answer):
    """Whatever listens there: what it says is no lease, unless it is one."""

    def say(handler):
        handler.rfile.readline()
        with contextlib.suppress(OSError):
            handler.wfile.write(answer)

    with Endpoint(say) as endpoint:
        if answer.startswith(b"*2"):  # A lease of the past.
            with RedisLockManager(endpoint.url) as locks, contextlib.suppress(LockManagerUnavailableError):
                assert take(locks, "a").leases[0].expires_at.year == 1970
        else:
            complaint(endpoint.url)


# -- Over TLS -----------------------------------------------------------------------------------------------------


def test_tls_is_spoken_and_checked(server, tmp_path):
    """With a certificate that the URL's authority has signed; without it there is no lock."""
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    def unwrap(handler):
        with contextlib.suppress(OSError), context.wrap_socket(handler.request, server_side=True) as client:
            relay(client, server.port)

    with Endpoint(unwrap) as endpoint:
        url = endpoint.url.replace("redis://", "rediss://")
        with RedisLockManager(f"{url}&ssl_ca_certs={tmp_path / 'ca.pem'}") as locks:
            assert isinstance(take(locks, "a"), Leases)
            assert take(locks, "a") == Refused("a")
        assert all("certificate" in said.lower() for said in complaint(url, patience=MINUTE))


def relay(client, port, *, cut=lambda data: False):
    """Hand on what comes from either side, until *cut* is true of what the server says."""
    import socket  # noqa: PLC0415

    with socket.create_connection(("127.0.0.1", port)) as upstream:

        def back():
            with contextlib.suppress(OSError):
                while data := upstream.recv(65536):
                    if cut(data):
                        break
                    client.sendall(data)
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

        threading.Thread(target=back, daemon=True).start()
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                upstream.sendall(data)


# -- Connections --------------------------------------------------------------------------------------------------


def test_connections_that_have_died_are_replaced(server, managed):
    """Nobody notices: the question is put again on a new one."""
    locks = managed(server.url)
    take(locks, "a")
    for client in server.client().client_list():
        with contextlib.suppress(Exception):
            server.client().client_kill(client["addr"])
    assert isinstance(take(locks, "b"), Leases)


def test_a_lost_answer_locks_nobody_out(server):
    """Where the server has taken the lock and the answer is lost, the same question gets the same lock."""
    lost = []

    def cut(data):
        if b"\r\n$16\r\n" in data and not lost:  # The answer to an acquisition: a lease's end has 16 digits.
            lost.append(data)
            return True
        return False

    with (
        Endpoint(lambda handler: relay(handler.request, server.port, cut=cut)) as endpoint,
        RedisLockManager(endpoint.url, patience=dt.timedelta(seconds=2)) as locks,
    ):
        leases = take(locks, "a", "b")
        assert isinstance(leases, Leases)
        assert lost
        assert take(locks, "b") == Refused("b")
        locks.release(leases)
        assert isinstance(take(locks, "b"), Leases)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_child_has_connections_of_its_own(server, python):
    """Parent and child go on at once, each with its own answers."""
    script = """
from assignment_pipeline.adapters.redis import RedisLockManager
locks = RedisLockManager(sys.argv[2])
assert isinstance(locks.acquire([Wanted("before")], ttl=DAY), Leases)
locks._lock.acquire()  # As another thread would have it at that moment.
child = os.fork()
if child:
    locks._lock.release()
for number in range(300):
    leases = locks.acquire([Wanted(f"{child == 0}-{number}")], ttl=DAY)
    assert leases.leases[0].key == f"{child == 0}-{number}"
    locks.release(leases)
if child == 0:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""
    process = python(script, server.url)
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert server.client().dbsize() == 1


def test_every_event_loop_has_its_own(server):
    """A manager outlives the loop that it was used on first."""
    locks = AsyncRedisLockManager(server.url)

    async def once(key):
        async with locks:
            return await locks.acquire([Wanted(key)], ttl=MINUTE)

    assert [type(asyncio.run(once(key))) for key in "aba"] == [Leases, Leases, Refused]


def test_a_hundred_tasks_share_few_connections(server):
    """They wait for one another, not for more of them."""

    async def ask():
        async with AsyncRedisLockManager(server.url, pool_size=4, patience=dt.timedelta(seconds=5)) as locks:
            await asyncio.gather(*(locks.acquire([Wanted(f"k-{n}")], ttl=MINUTE) for n in range(100)))
            return len(await asyncio.to_thread(server.client().client_list))

    assert asyncio.run(ask()) <= 6
    assert server.client().dbsize() == 100


# -- When it does not answer --------------------------------------------------------------------------------------


def test_a_paused_server_costs_one_caller_a_moment(fragile, managed):
    """Those that come after it go on at once, and find the lock server again when it is back."""
    locks = managed(fragile.url, patience=dt.timedelta(seconds=0.2), rest=dt.timedelta(seconds=0.3))
    take(locks, "a")
    fragile.pause()
    waits = []
    for _ in range(20):
        began = time.monotonic()
        with pytest.raises(LockManagerUnavailableError):
            take(locks, "b")
        waits.append(time.monotonic() - began)
    fragile.resume()
    assert waits[0] < 1
    assert max(waits[1:]) < 0.05
    time.sleep(0.35)
    assert isinstance(take(locks, "c"), Leases)


def test_the_whole_fleet_keeps_to_a_restaurants_limit(server, managed):
    """As the limiter, it counts what other workers do at a restaurant, and at no other one."""
    at_work, go_on = threading.Event(), threading.Event()

    class Slow(MemoryStore):
        def load(self, query):
            at_work.set()
            go_on.wait(10)
            return super().load(query)

    def coordinator(kind):
        store = kind(MemoryHost(make_venue("r-1"), make_venue("r-2")), clock=SystemClock())
        flags = FixedFlags(Mode.ACTIVE, max_parallel=1)
        return Coordinator(store, flags=flags, limiter=managed(server.url), sinks=())

    first = threading.Thread(target=coordinator(Slow).assign, args=(make_booking("b-1", at=TOMORROW),))
    first.start()
    assert at_work.wait(10)
    other = coordinator(MemoryStore)
    assert other.assign(make_booking("b-2", at=TOMORROW)).reason == Reason.RATE_LIMITED
    assert other.assign(make_booking("b-3", at=TOMORROW, restaurant_id="r-2")).outcome == Outcome.CONFIRMED
    go_on.set()
    first.join()
    assert other.assign(make_booking("b-2", at=TOMORROW), trigger="manual").outcome == Outcome.CONFIRMED


# -- Assignment goes on -------------------------------------------------------------------------------------------

BOOKINGS = 120
TABLES = 6


def flush(server):
    server.client().flushall()


def restart(server):
    server.kill()
    time.sleep(0.02)
    server.start()


def pause(server):
    server.pause()
    time.sleep(0.15)
    server.resume()


def everyone_is_seated_once(path, url, disturb):
    """Four workers race for an evening's tables while *disturb* runs: what every one of them must find true."""
    host = StandaloneHost()
    with SQLiteStore(path, host=host, synchronous="OFF") as store:
        store.write(lambda connection: host.put_venue(connection, make_venue(tables=TABLES)))
        bookings = [
            make_booking(f"b-{n}", at=TOMORROW + dt.timedelta(minutes=75 * (n % 12)), end_at=None, party_size=4)
            for n in range(BOOKINGS)
        ]
        over = threading.Event()
        waits = []

        def work():
            how = {"patience": dt.timedelta(seconds=0.1), "rest": dt.timedelta(seconds=0.05)}
            with RedisLockManager(url, **how) as locks:
                coordinator = Coordinator(store, flags=FixedFlags(Mode.ACTIVE), locks=locks, limiter=locks, sinks=())
                for booking in bookings:
                    began = time.monotonic()
                    coordinator.assign(booking)
                    waits.append(time.monotonic() - began)

        def chaos():
            while not over.is_set():
                disturb()
                time.sleep(0.01)

        threads = [threading.Thread(target=work) for _ in range(4)]
        disturber = threading.Thread(target=chaos)
        for thread in (disturber, *threads):
            thread.start()
        for thread in threads:
            thread.join()
        over.set()
        disturber.join()
        last = Settings(max_retries=0)  # The race may be over before all have used up the attempts they are given.
        with Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=(), settings=last) as alone:
            for booking in bookings:
                alone.assign(booking, trigger="manual")
        seats = store.write(
            lambda connection: connection.execute(
                "SELECT table_id, start_at, end_at FROM booking_table_assignments ORDER BY table_id, start_at"
            ).fetchall()
        )
        for (table, _, end), (other, start, _) in itertools.pairwise(seats):
            assert table != other or end <= start
        records = store.records(RecordQuery(limit=1000)).records
        assert len(records) == BOOKINGS
        assert {record.state for record in records} <= {"confirmed", "manual_review"}
        assert len(seats) == sum(record.state == "confirmed" for record in records) > 0
        for record in records:
            assert [step.version for step in store.history(record.booking_id)] == list(range(1, record.version + 1))
        return waits


@pytest.mark.parametrize("trouble", [flush, restart, pause])
def test_assignment_goes_on_without_it(path, fragile, trouble):
    """With a server that forgets, restarts or hangs, all are settled, and no table is given twice."""
    waits = everyone_is_seated_once(path, fragile.url, lambda: trouble(fragile))
    assert max(waits) < 5


def test_assignment_goes_on_with_a_liar(path):
    """With one that grants everything to everybody, too."""
    granted = []

    def lie(handler):
        with contextlib.suppress(OSError):
            while head := handler.rfile.readline():
                words = [handler.rfile.read(int(handler.rfile.readline()[1:]) + 2) for _ in range(int(head[1:]))]
                if words[0].upper().startswith(b"EVAL"):
                    granted.append(words[3])
                    handler.wfile.write(b"*2\r\n:1\r\n$16\r\n2000000000000000\r\n")
                else:
                    handler.wfile.write(b"+OK\r\n")

    with Endpoint(lie) as liar:
        everyone_is_seated_once(path, liar.url, lambda: None)
    assert len(granted) > BOOKINGS
