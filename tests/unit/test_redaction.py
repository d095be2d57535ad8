"""What is said of an error that is not ours, in reports, in the log and by Celery."""

from __future__ import annotations

import logging
import sqlite3

import pytest

from assignment_pipeline import BookingNotFoundError, Coordinator, FixedFlags, LegacyResult, Mode, Settings
from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore
from assignment_pipeline.errors import AssignmentPipelineError, UnexpectedError
from assignment_pipeline.redaction import named, redacted, unexpected
from assignment_pipeline.rollout.flags import EnvFlags, StoreFlags
from assignment_pipeline.testing import FakeClock
from assignment_pipeline.testing.store_harness import make_booking, make_venue

CANARY = "Rosalind Canary"


class UnshowableError(Exception):
    """Cannot even be shown."""

    def __str__(self):
        raise RuntimeError(CANARY)

    @property
    def sqlstate(self):
        raise RuntimeError(CANARY)


class TheirError(AssignmentPipelineError):
    """A host's own, of our kind: its text is the host's."""


class Driver(Exception):  # noqa: N818 - as drivers call theirs
    """A driver's, with the database's code."""

    sqlstate = "23505"


class Wrapped(Exception):  # noqa: N818
    """As SQLAlchemy wraps one."""

    orig = Driver(CANARY)


def caused():
    """As Django wraps one."""
    error = ValueError(CANARY)
    error.__cause__ = Driver(CANARY)
    return error


def constraint():
    """SQLite's own."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE guests (name TEXT UNIQUE)")
    connection.execute("INSERT INTO guests VALUES (?)", (CANARY,))
    try:
        connection.execute("INSERT INTO guests VALUES (?)", (CANARY,))
    except sqlite3.IntegrityError as error:
        return error
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError(f"{CANARY}\nDETAIL: +49 30 123456"), "ValueError"),
        (UnshowableError(), "UnshowableError"),
        (TheirError(CANARY), "TheirError"),
        (Driver(CANARY), "Driver (23505)"),
        (Wrapped(CANARY), "Driver (23505)"),
        (caused(), "ValueError (23505)"),
        (constraint(), "IntegrityError (SQLITE_CONSTRAINT_UNIQUE)"),
        (OSError(28, CANARY, CANARY), "OSError (No space left on device)"),
        (OSError(CANARY), "OSError"),
        (BookingNotFoundError("b-1"), "Booking 'b-1' is known neither to the host nor to the pipeline."),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_an_error_is_its_class_and_the_databases_code(error, said):
    """One line, without anything of what it says, unless it is one of ours."""
    assert redacted(error) == said
    assert str(unexpected(error)).startswith(said if unexpected(error) is error else f"Unexpected {said}: ")


def test_what_an_error_says_is_shown_to_those_who_ask():
    """In one line all the same; an error that cannot be shown does no harm."""
    assert redacted(ValueError(f"{CANARY}\nis no number"), show=True) == f"ValueError: {CANARY} is no number"
    assert redacted(UnshowableError(), show=True) == "UnshowableError"
    assert named(BookingNotFoundError("b-1")).startswith("BookingNotFoundError: Booking 'b-1'")


class BadSink:
    """A sink that fails, and says about whom."""

    inline = True

    def emit(self, events):
        raise ValueError(CANARY)


def day(*, show):
    """A coordinator whose host fails in each commit, and whose sink fails, too."""
    settings = Settings(show_errors=show)
    made = Coordinator.in_memory(make_venue(), sinks=(BadSink(),), settings=settings, clock=FakeClock())

    def on_commit(_, changes):
        raise ValueError(CANARY)

    made.store.host.put_booking(make_booking())
    made.store.host.on_commit = on_commit
    return made


@pytest.mark.parametrize("show", [False, True])
def test_sweeps_and_sinks_say_it_only_where_it_is_asked_for(caplog, show):
    """The report, the log of a sink that fails, and no event at all."""
    caplog.set_level(logging.DEBUG)
    coordinator = day(show=show)
    with pytest.raises(ValueError, match=CANARY):  # Whoever calls gets the host's own error.
        coordinator.assign(make_booking())
    report = coordinator.sweep()
    coordinator.flush()
    assert report.errors
    assert (CANARY in str(report)) is show
    Coordinator(
        coordinator.store, flags=FixedFlags(Mode.OFF), sinks=(BadSink(),), settings=coordinator.settings,
        legacy=lambda _: LegacyResult(()),
    ).assign(make_booking())  # fmt: skip
    assert "event sink BadSink failed: ValueError" in caplog.text
    assert (CANARY in caplog.text) is show


def test_flags_that_fail_say_nothing_of_it(caplog):
    """Neither what the store raised nor what the hook did."""

    def complain(error):
        raise ValueError(CANARY)

    class Broken(MemoryStore):
        def rollout(self):
            raise ValueError(CANARY)

    StoreFlags(Broken(MemoryHost()), on_error=complain).look()
    environ = {"FEATURE_ASSIGNMENT_PIPELINE_V3": "true"}
    flags = EnvFlags(environ, on_error=complain, refresh=0)
    environ["FEATURE_ASSIGNMENT_PIPELINE_V3"] = "perhaps"
    flags.resolve("r-1")
    assert caplog.text.count("on_error failed with ValueError") == 2
    assert CANARY not in caplog.text


@pytest.mark.parametrize("show", [False, True])
def test_a_task_of_celerys_raises_it_only_where_it_is_asked_for(caplog, show):
    """Celery logs and keeps what a task raises, and what it says to try again for."""
    celery = pytest.importorskip("celery")
    register = pytest.importorskip("assignment_pipeline.adapters.celery").register
    caplog.set_level(logging.DEBUG)
    with celery.Celery("unit", broker="memory://", backend="cache+memory://") as app:
        coordinator = day(show=show)
        tasks = register(app, lambda: coordinator, show_errors=show)
        for task, arguments in ((tasks.assign_booking, ("b-1", "r-1")), (tasks.sweep, ())):
            result = task.apply(arguments)
            told = f"{result.result!r} {result.traceback}"
            assert (CANARY in told) is (show and not result.successful())
            assert result.successful() or isinstance(result.result, ValueError if show else UnexpectedError)
        assert "ValueError" in caplog.text
    assert (CANARY in caplog.text) is show


def test_a_factory_that_fails_is_tried_again_without_its_words(caplog):
    """What Celery logs of a retry has none of them."""
    celery = pytest.importorskip("celery")
    register = pytest.importorskip("assignment_pipeline.adapters.celery").register
    caplog.set_level(logging.DEBUG)

    def factory():
        raise ValueError(CANARY)

    with celery.Celery("unit", broker="memory://", backend="cache+memory://") as app:
        tasks = register(app, factory)
        tasks.assign_booking.apply(("b-1", "r-1"), throw=False)
    assert CANARY not in caplog.text
