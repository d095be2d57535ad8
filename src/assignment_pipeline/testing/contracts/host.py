"""What every host promises: the checks of ``host check``, as tests."""

from __future__ import annotations

import datetime as dt
import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.host_check import CHECKS, CheckAnswer, Say, acheck, check

NAMES = ("schema", *CHECKS, "rolled-back")


def _only(name: str) -> str | None:
    return name if name in CHECKS else None  # The two around them are made in any case.


def _made(name: str, answers: list[CheckAnswer]) -> None:
    found = {answer.check: answer for answer in answers}
    answer = found.get(name) or answers[-1]
    if answer.says is Say.SKIPPED:
        pytest.skip(answer.text)
    assert answer.says is Say.OK, f"{answer.check}: {answer.text}"


def _soon() -> TimeWindow:
    now = dt.datetime.now(dt.UTC).replace(second=0, microsecond=0)
    return TimeWindow(now, now + dt.timedelta(days=30))


def _shown(table_id: str, window: TimeWindow, seats: Sequence[Occupied]) -> None:
    """That the table is taken for all of that time."""
    at_table = [seat.window for seat in seats if seat.table_id == table_id]
    assert at_table, f"occupied(): it does not show table {table_id!r}"
    there = any(one.start <= window.start and window.end <= one.end for one in at_table)
    times = ", ".join(map(_from_to, at_table))
    assert there, f"occupied(): table {table_id!r} is taken {_from_to(window)}, and it shows {times}"


def _from_to(window: TimeWindow) -> str:
    return f"from {window.start.isoformat()} to {window.end.isoformat()}"


class HostContract:
    """
    The suite for a `Host`, on the store that it is wired to.

    Give it a fixture ``store``, and a fixture ``restaurant_id``: a restaurant where two bookings wait or more. What the
    checks do is rolled back. Two more are optional, and are tested where you have them: ``change_floor``, a function
    that gets a connection and changes a table of the restaurant, and ``seat_elsewhere``, one that gives a table away as
    your own planner or your staff do, and returns the table's id and the time, a `TimeWindow`.
    """

    @pytest.fixture
    def change_floor(self) -> Callable[[Any], Any] | None:
        """Changes a table of the restaurant; None where that is not to be tested."""
        return None

    @pytest.fixture
    def seat_elsewhere(self) -> Callable[[Any], Any] | None:
        """Gives a table away beside the pipeline; None where that is not to be tested."""
        return None

    @pytest.mark.parametrize("name", NAMES)
    def test_the_host_keeps_its_promise(self, store: Any, restaurant_id: str, name: str) -> None:
        """The check of that name finds nothing wrong."""
        _made(name, list(check(store, restaurant_id, only=_only(name))))

    def test_the_version_follows_the_floor(self, store: Any, restaurant_id: str, change_floor: Any) -> None:
        """Where a table changes, the version of the venue does."""
        if change_floor is None:
            pytest.skip("no change_floor: nobody has said how the floor changes")

        def work(connection: Any) -> tuple[str, str]:
            before = store.checked_host.venue(connection, restaurant_id, None).version
            change_floor(connection)
            return before, store.checked_host.venue(connection, restaurant_id, None).version

        before, after = store.probe(work)
        assert before != after, "venue(): the floor has changed, and its version has not"

    def test_seats_of_others_are_shown(self, store: Any, restaurant_id: str, seat_elsewhere: Any) -> None:
        """Where a table is given away beside the pipeline, ``occupied`` shows it."""
        if seat_elsewhere is None:
            pytest.skip("no seat_elsewhere: nobody has said how others give a table away")

        def work(connection: Any) -> tuple[str, TimeWindow, Any]:
            store.checked_host.occupied(connection, restaurant_id, _soon())  # What it keeps of this is old then.
            table_id, window = seat_elsewhere(connection)
            return table_id, window, store.checked_host.occupied(connection, restaurant_id, window)

        _shown(*store.probe(work))


class AsyncHostContract:
    """
    `HostContract`, for asyncio.

    Give it the same fixtures, and a fixture ``run``: a function that runs a coroutine on the loop of the store, such as
    ``asyncio.Runner().run``. The optional ones are coroutine functions.
    """

    @pytest.fixture
    def change_floor(self) -> Callable[[Any], Awaitable[Any]] | None:
        """Changes a table of the restaurant; None where that is not to be tested. See `HostContract.change_floor`."""
        return None

    @pytest.fixture
    def seat_elsewhere(self) -> Callable[[Any], Awaitable[Any]] | None:
        """
        Gives a table away beside the pipeline; None where that is not to be tested.

        See `HostContract.seat_elsewhere`.
        """
        return None

    @pytest.mark.parametrize("name", NAMES)
    def test_the_host_keeps_its_promise(self, store: Any, restaurant_id: str, run: Any, name: str) -> None:
        """The check of that name finds nothing wrong."""
        _made(name, run(acheck(store, restaurant_id, only=_only(name))))

    def test_the_version_follows_the_floor(self, store: Any, restaurant_id: str, run: Any, change_floor: Any) -> None:
        """Where a table changes, the version of the venue does."""
        if change_floor is None:
            pytest.skip("no change_floor: nobody has said how the floor changes")

        async def work(connection: Any) -> tuple[str, str]:
            before = await _answer(store.checked_host.venue(connection, restaurant_id, None))
            await _answer(change_floor(connection))
            after = await _answer(store.checked_host.venue(connection, restaurant_id, None))
            return before.version, after.version

        before, after = run(store.probe(work))
        assert before != after, "venue(): the floor has changed, and its version has not"

    def test_seats_of_others_are_shown(self, store: Any, restaurant_id: str, run: Any, seat_elsewhere: Any) -> None:
        """Where a table is given away beside the pipeline, ``occupied`` shows it."""
        if seat_elsewhere is None:
            pytest.skip("no seat_elsewhere: nobody has said how others give a table away")

        async def work(connection: Any) -> tuple[str, TimeWindow, Any]:
            await _answer(store.checked_host.occupied(connection, restaurant_id, _soon()))
            table_id, window = await _answer(seat_elsewhere(connection))
            return table_id, window, await _answer(store.checked_host.occupied(connection, restaurant_id, window))

        _shown(*run(store.probe(work)))


async def _answer(given: Any) -> Any:
    return await given if inspect.isawaitable(given) else given
