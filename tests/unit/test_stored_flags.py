"""Flags from the database, and the environment above them."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assignment_pipeline import Coordinator, LegacyResult, Outcome, Reason
from assignment_pipeline.adapters.memory import MemoryHost, MemorySink, MemoryStore
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.errors import FlagError, FlagsUnreadError, StoreUnavailableError
from assignment_pipeline.lifecycle import Trigger
from assignment_pipeline.ports import FlagDecision
from assignment_pipeline.rollout.flags import EnvFlags, FlagSettings, LayeredFlags, StoreFlags
from assignment_pipeline.rollout.flags.cohorts import BUCKETS
from assignment_pipeline.rollout.flags.document import read_settings, settings_document
from assignment_pipeline.testing import FakeClock
from assignment_pipeline.testing.store_harness import QUEUE, make_booking, make_change, make_venue

V3 = "FEATURE_ASSIGNMENT_PIPELINE_V3"
SOON = 0.01


class Store(MemoryStore):
    """One that can be away."""

    away = False
    asked = 0
    slow = 0.0

    def rollout(self):
        self.asked += 1
        time.sleep(self.slow)
        if self.away:
            raise StoreUnavailableError("it is away")
        return super().rollout()

    def put(self, **settings):
        """Put those settings in force."""
        return self.revise(RolloutRevision(generation=self.generation + 1, settings=settings))


@pytest.fixture
def store():
    return Store(MemoryHost())


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def flags(store, clock):
    """Flags whose thread does not come back within the test."""
    made = StoreFlags(store, refresh=3600, clock=clock)
    yield made
    made.close()


def wait_until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(SOON / 2)


class TestReading:
    """Settings as JSON."""

    IDS = st.frozensets(
        st.text(min_size=1, max_size=5).filter(lambda text: text.isprintable() and text.strip() == text)
    )

    @given(
        st.builds(
            FlagSettings,
            enabled=st.booleans(),
            shadow=st.booleans(),
            max_parallel=st.integers(1, 20),
            percent=st.integers(0, BUCKETS),
            shadow_percent=st.integers(0, BUCKETS),
            restaurants=IDS,
            exclude=IDS,
            shadow_restaurants=IDS,
        )
    )
    def test_what_was_written_is_read(self, settings):
        """Whatever the settings are, and through a revision."""
        revision = RolloutRevision(settings=settings_document(settings))
        assert read_settings(revision.settings) == settings

    def test_nothing_is_nothing_set(self):
        """What is left out is as in an empty environment."""
        assert read_settings({}) == FlagSettings()

    @pytest.mark.parametrize(
        ("document", "place", "expected"),
        [
            ({"enabeld": True}, "settings.enabeld", "no such key"),
            ({"enabled": "true"}, "settings.enabled", "true or false"),
            ({"enabled": 1}, "settings.enabled", "true or false"),
            ({"shadow": None}, "settings.shadow", "true or false"),
            ({"max_parallel": 0}, "settings.max_parallel", "a whole number from 1 to 20"),
            ({"max_parallel": True}, "settings.max_parallel", "a whole number"),
            ({"percent": 150}, "settings.percent", "a percentage"),
            ({"percent": -1}, "settings.percent", "a percentage"),
            ({"percent": "10"}, "settings.percent", "a percentage"),
            ({"percent": 1.005}, "settings.percent", "a percentage"),
            ({"percent": True}, "settings.percent", "a percentage"),
            ({"shadow_percent": [1]}, "settings.shadow_percent", "a percentage"),
            ({"restaurants": "r-1"}, "settings.restaurants", "a list of ids"),
            ({"exclude": ["r-1", ""]}, "settings.exclude", "a list of ids"),
            ({"shadow_restaurants": [" r-1"]}, "settings.shadow_restaurants", "a list of ids"),
        ],
    )
    def test_a_typo_is_named(self, document, place, expected):
        """With its place, and what that takes."""
        with pytest.raises(FlagError) as refused:
            read_settings(document)
        assert refused.value.variable == place
        assert expected in refused.value.expected


class TestStored:
    """What is read from the database."""

    def test_not_read_is_not_off(self, store, flags):
        """Nothing is said until the database has answered, by none of the ways to ask."""
        store.away = True
        for ask in (flags.resolve, flags.explain, lambda _: flags.settings):
            with pytest.raises(FlagsUnreadError):
                ask("r-1")
        assert (flags.unread, flags.age, flags.generation) == (True, None, None)

    def test_the_first_callers_wait_for_one_look(self, store):
        """However many they are; and what they get is what the database says."""
        store.put(enabled=True)
        store.asked, store.slow = 0, 10 * SOON
        flags = StoreFlags(store, refresh=60)
        with ThreadPoolExecutor(8) as pool:
            decisions = list(pool.map(flags.resolve, ["r-1"] * 8))
        flags.close()
        assert {decision.mode for decision in decisions} == {Mode.ACTIVE}
        assert (store.asked, flags.unread) == (1, False)

    def test_nobody_waits_twice_for_a_database_that_is_away(self, store):
        """One caller waits until the look has failed or the time is over; those behind it are told at once."""
        store.away = True
        with contextlib.closing(StoreFlags(store, refresh=SOON, first_answer=60)) as flags:
            for _ in range(3):
                with pytest.raises(FlagsUnreadError):
                    flags.resolve("r-1")
            store.away = False
            store.put(enabled=True)
            wait_until(lambda: not flags.unread)
            assert flags.resolve("r-1").mode is Mode.ACTIVE

    def test_a_look_that_hangs_is_not_waited_for(self, store):
        """Beyond the time given, which all callers share."""
        store.slow = 30
        with contextlib.closing(StoreFlags(store, first_answer=SOON)) as flags:
            for _ in range(3):
                with pytest.raises(FlagsUnreadError):
                    flags.resolve("r-1")

    def test_a_first_document_that_cannot_be_read_is_no_answer(self, store, caplog):
        """It is said once, and what can be read later is taken."""
        store.put(enabled="yes")
        with contextlib.closing(StoreFlags(store, refresh=SOON)) as flags:
            for _ in range(3):
                with pytest.raises(FlagsUnreadError):
                    flags.resolve("r-1")
            assert caplog.text.count("enabled") == 1
            store.put(enabled=True)
            wait_until(lambda: not flags.unread)
            assert flags.resolve("r-1").mode is Mode.ACTIVE

    def test_fresh_is_what_was_never_in_charge(self, store, flags):
        """As the database says, and not once it ever was."""
        flags.refresh_now()
        assert flags.resolve("r-1").fresh
        store.put(shadow=True)
        flags.refresh_now()
        assert flags.resolve("r-1").fresh
        store.put(enabled=True, percent=0)
        store.put(shadow=True)
        flags.refresh_now()
        assert (flags.resolve("r-1").mode, flags.resolve("r-1").fresh) == (Mode.SHADOW, False)

    def test_a_decision_has_its_generation(self, store, flags):
        """Which its commit compares."""
        store.put(enabled=True, restaurants=["r-1"], percent=0, max_parallel=5)
        flags.refresh_now()
        assert flags.resolve("r-1") == FlagDecision(
            mode=Mode.ACTIVE, max_parallel=5, reason="listed", source="store", generation=1
        )
        explanation = flags.explain("r-2")
        assert (explanation.mode, explanation.source, explanation.generation) == (Mode.OFF, "store", 1)

    def test_a_thread_follows(self, store):
        """Whoever asks the flags never asks the database: a thread does, from the first time on."""
        flags = StoreFlags(store, refresh=SOON)
        assert store.asked == 0
        flags.resolve("r-1")
        store.put(enabled=True)
        wait_until(lambda: flags.resolve("r-1").mode is Mode.ACTIVE)
        store.put()
        wait_until(lambda: flags.resolve("r-1").mode is Mode.OFF)
        flags.close()
        asked = store.asked
        time.sleep(5 * SOON)
        assert store.asked == asked

    def test_it_ends_with_its_flags(self, store):
        """A thread does not keep alive what nobody has any more."""
        flags = StoreFlags(store, refresh=SOON)
        flags.resolve("r-1")
        thread = flags._thread
        del flags
        wait_until(lambda: not thread.is_alive())

    def test_the_last_good_value_stays(self, store, flags, clock, caplog):
        """While the database is away, what it said last holds; it is told once a failure, with its age."""
        store.put(enabled=True)
        flags.refresh_now()
        store.away = True
        for seconds in (2, 3):
            clock.advance(dt.timedelta(seconds=seconds))
            flags.look()
        assert flags.resolve("r-1").mode is Mode.ACTIVE
        assert flags.age == 5
        [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert "those of 2.0 s ago stay" in record.getMessage()
        store.away = False
        flags.look()
        assert flags.age == 0
        store.away = True
        flags.look()
        # The flags' own thread may have met the same failure, and be about to say so.
        wait_until(lambda: len([one for one in caplog.records if one.levelno == logging.ERROR]) == 2)

    def test_settings_that_cannot_be_read(self, store, clock, caplog):
        """The last good ones stay, under the generation in force; an event and a log line say so, once a revision."""
        sink, told = MemorySink(), []
        flags = StoreFlags(store, refresh=3600, on_error=told.append, sink=sink, clock=clock)
        store.put(enabled=True)
        flags.look()
        store.put(enabled="ture")
        flags.look()
        flags.look()
        decision = flags.resolve("r-1")
        flags.close()
        assert (decision.mode, decision.generation) == (Mode.ACTIVE, 2)
        [event] = sink.events
        assert (event.type, event.context["place"], event.context["generation"]) == (
            "rollout.flag_error",
            "settings.enabled",
            2,
        )
        assert [str(error) for error in told] == ["settings.enabled: expected true or false, got '\"ture\"'."]
        assert "The last good value stays" in caplog.text

    def test_the_store_keeps_the_event(self, store, flags):
        """Unless another sink is given, it is told where the settings are."""
        store.put(percent=101)
        flags.look()
        assert [event.type for event in store.events] == ["rollout.flag_error"]

    def test_refresh_now_raises(self, store, flags):
        """Whoever waits for the answer is told why there is none."""
        store.away = True
        with pytest.raises(StoreUnavailableError):
            flags.refresh_now()
        store.away = False
        store.put(nonsense=1)
        with pytest.raises(FlagError, match=r"settings\.nonsense"):
            flags.refresh_now()

    def test_an_older_look_does_not_win(self, store, flags):
        """A look that took long does not undo what a later one found."""
        store.put(enabled=True)
        late, go = threading.Event(), threading.Event()
        answer = store.rollout

        def slow():
            revision = answer()
            late.set()
            go.wait(20)
            return revision

        store.rollout = slow
        thread = threading.Thread(target=flags.refresh_now)
        thread.start()
        late.wait(20)
        store.rollout = answer
        store.put()
        flags.refresh_now()
        go.set()
        thread.join()
        assert flags.generation == 2  # Not `resolve`, which has a thread look once more.

    def test_a_hook_that_raises_is_logged(self, store, clock, caplog):
        """What a host does with the error does not end the thread."""
        flags = StoreFlags(store, refresh=3600, on_error=lambda _: 1 / 0, clock=clock)
        store.away = True
        flags.look()
        assert "on_error failed" in caplog.text

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
    @pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # Threads are what it is about.
    def test_a_child_has_a_thread_of_its_own(self, store):
        """A process that was forked from one that has the thread follows the database, too."""
        flags = StoreFlags(store, refresh=SOON)
        flags.resolve("r-1")
        child = os.fork()
        if child == 0:
            try:
                flags.resolve("r-1")
                store.put(enabled=True)  # In the child's memory.
                wait_until(lambda: flags.resolve("r-1").mode is Mode.ACTIVE)
                os._exit(0)
            except BaseException:  # noqa: BLE001 - whatever it is, the parent is told
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        flags.close()

    def test_a_salt_that_is_too_long_is_refused(self, store):
        """At once."""
        with pytest.raises(ValueError, match="64"):
            StoreFlags(store, salt="x" * 65)


class TestWhatIsOld:
    """An answer that nobody has followed since, and a document that was never readable."""

    def test_an_answer_from_before_the_thread_may_be_old(self, store, flags, clock):
        """A process that looked when it began, and takes its first booking hours later, looks again for it."""
        flags.refresh_now()
        assert not flags.unread
        store.put(enabled=True)
        clock.advance(dt.timedelta(hours=2))
        assert flags.unread
        assert flags.resolve("r-1").mode is Mode.ACTIVE

    def test_where_the_database_is_away_then_it_stays(self, store, flags, clock):
        """As the last good value does in every process."""
        store.put(enabled=True)
        flags.refresh_now()
        store.away = True
        clock.advance(dt.timedelta(hours=2))
        assert flags.resolve("r-1").mode is Mode.ACTIVE

    def test_a_first_document_that_cannot_be_read_has_its_generation(self, store, flags, caplog):
        """The event names the row to mend, and the log does not promise a good value that never was."""
        store.put(enabled="ture")
        flags.look()
        assert [event.context["generation"] for event in store.events] == [1]
        assert "Calls answer retry until it can be read" in caplog.text


class TestLayered:
    """The environment may roll back."""

    @pytest.mark.parametrize(
        ("values", "mode", "source"),
        [
            ({}, Mode.ACTIVE, "store"),
            ({"": "true", "_SHADOW": "false"}, Mode.ACTIVE, "store"),
            ({"": "false"}, Mode.ACTIVE, "store"),
            ({"_SHADOW": "false"}, Mode.ACTIVE, "store"),
            ({"": "false", "_SHADOW": "true"}, Mode.ACTIVE, "store"),
            ({"": "false", "_SHADOW": "false"}, Mode.OFF, "environment"),
            ({"": "0", "_SHADOW": "off", "_RESTAURANTS": "r-1"}, Mode.OFF, "environment"),
        ],
    )
    def test_only_the_whole_row_overrides(self, store, flags, values, mode, source):
        """Both switches, set and off; else the database decides, whatever the environment says."""
        store.put(enabled=True)
        flags.refresh_now()
        layered = LayeredFlags(EnvFlags({V3 + suffix: text for suffix, text in values.items()}), flags)
        assert (layered.resolve("r-1").mode, layered.resolve("r-1").source) == (mode, source)
        assert (layered.explain("r-1").mode, layered.explain("r-1").source) == (mode, source)

    def test_it_is_followed(self, store, flags, clock):
        """A rollback by the environment takes hold while the process runs, and ends when it is taken back."""
        store.put(enabled=True)
        flags.refresh_now()
        env = {V3: "true"}
        layered = LayeredFlags(EnvFlags(env, clock=clock), flags)
        modes = []
        for change in ({V3: "false", f"{V3}_SHADOW": "false"}, None):
            modes.append(layered.resolve("r-1").mode)
            env.clear() if change is None else env.update(change)
            clock.advance(dt.timedelta(seconds=1))
        assert [*modes, layered.resolve("r-1").mode] == [Mode.ACTIVE, Mode.OFF, Mode.ACTIVE]


class TestFreshness:
    """Whether nobody has to ask the store for a booking's record."""

    def test_what_was_never_in_charge_is_fresh(self, store, flags):
        """In shadow, and off; not once it has been in charge."""
        for settings, fresh in (({}, True), ({"shadow": True}, True), ({"enabled": True}, False), ({}, False)):
            store.put(**settings)
            flags.refresh_now()
            assert flags.resolve("r-1").fresh is fresh

    def test_a_record_is_to_be_asked_for(self, store, flags):
        """Wherever it comes from: from the time of other flags, or from people, who need none."""
        store.put(shadow=True)
        store.host.put_venue(make_venue())
        store.commit([make_change(make_booking("b-1"), Trigger.CANCEL)])
        flags.refresh_now()
        assert flags.resolve("r-1").fresh
        store.commit([make_change(make_booking("b-2"), *QUEUE)])
        flags.refresh_now()
        assert not flags.resolve("r-1").fresh
        assert flags.resolve("r-1").mode is Mode.SHADOW

    def test_a_record_that_was_there_first_is_to_be_asked_for_too(self, store, flags):
        """A process that begins beside records of other flags' time asks for them from its first look on."""
        store.put(shadow=True)
        store.host.put_venue(make_venue())
        store.commit([make_change(make_booking("b-1"), *QUEUE)])
        flags.refresh_now()
        assert not flags.resolve("r-1").fresh


class TestStaleness:
    """Who was refused says so, and does not wait for the next look."""

    def test_the_thread_looks_at_once(self, store, flags):
        """Also through layers; and only if what was read last is what was refused."""
        store.put(enabled=True)
        flags.resolve("r-1")
        wait_until(lambda: flags.generation == 1)
        store.put()
        asked = store.asked
        flags.stale(0)
        time.sleep(10 * SOON)
        assert (flags.generation, store.asked) == (1, asked)
        LayeredFlags(EnvFlags({}), flags).stale(1)
        wait_until(lambda: flags.generation == 2)
        assert flags.resolve("r-1").mode is Mode.OFF

    def test_a_refused_commit_says_so(self, store, flags):
        """After a rollback, the first call is refused or finds the flags as they are, and the second finds them."""
        store.host.put_venue(make_venue())
        store.put(enabled=True)
        flags.refresh_now()
        flags.resolve("r-1")
        store.put()
        with Coordinator(store, flags=flags, legacy=lambda _: LegacyResult(("L1",))) as coordinator:
            refused = coordinator.assign(make_booking("b-1"))
            assert (refused.outcome, refused.reason) in {
                (Outcome.RETRY, Reason.CONFLICT),  # They were not read again in time.
                (Outcome.NOOP, Reason.PIPELINE_DISABLED),
            }
            wait_until(lambda: flags.generation == 2)
            assert coordinator.assign(make_booking("b-1")).legacy == LegacyResult(("L1",))

    def test_crying_wolf_does_not_flood_the_database(self, store, flags):
        """However often somebody says so, it looks some twenty times a second."""
        flags.resolve("r-1")
        wait_until(lambda: flags.generation == 0)
        asked, until = store.asked, time.monotonic() + 0.5
        while time.monotonic() < until:
            flags.stale(0)
        assert 1 <= store.asked - asked <= 12
