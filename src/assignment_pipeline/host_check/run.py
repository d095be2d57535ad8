"""Making the checks: on a connection of the store's, sync or async, in transactions that are rolled back."""

from __future__ import annotations

import datetime as dt
import inspect
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import Any

import attrs

from assignment_pipeline.domain.checks import named
from assignment_pipeline.driving import adrive, drive, relay
from assignment_pipeline.errors import InvalidValueError
from assignment_pipeline.flow.settings import Confirmation, Settings
from assignment_pipeline.host_check.checks import CHECKS, LONG_AGO, MOST
from assignment_pipeline.host_check.empty import without_rows
from assignment_pipeline.host_check.sample import Ask, Asking, Sample, Say, SkippedError, WrongError
from assignment_pipeline.host_check.telling import sentence_of
from assignment_pipeline.ports import CheckedHost, RecordQuery

_READ_ALONE = frozenset({"booking", "venue", "occupied", "unassigned"})


@attrs.frozen(kw_only=True)
class CheckAnswer:
    """
    What one check says.

    Attributes:
        check: Its name.

        says: Whether all is well.

        text: What was found; where something is wrong, what to do.
    """

    check: str
    says: Say
    text: str


@attrs.define
class _Host:
    """The host, as a check asks it on one connection."""

    host: CheckedHost
    store: Any
    connection: Any

    def ask(self, question: Ask) -> Any:
        if question.method in _READ_ALONE:
            read = getattr(self.host, question.method)
            if question.reads:
                return read(self.connection, *question.arguments)
            with without_rows(self.connection) as empty:
                return read(empty, *question.arguments)
        if question.method == "on_commit":
            return list(self.host.calls(question.arguments))
        if not hasattr(self.store, "joined"):
            if question.method == "records":
                return self.store.records(*question.arguments)
            msg = "a store in memory has nothing to be short of"
            raise SkippedError(msg)
        joined = self.store.joined(self.connection)
        if question.method == "records":
            return joined.records(*question.arguments)
        return joined.commit(question.arguments)


def check(
    store: Any, restaurant_id: str | None = None, *, settings: Settings | None = None, only: str | None = None
) -> Iterator[CheckAnswer]:
    """
    Check the host of a store. Nothing that is written stays.

    Args:
        store: The store that it is wired to.

        restaurant_id: The restaurant to try; by default, that of the booking that waits the longest.

        settings: How the flows behave.

        only: The name of a check: of `CHECKS`, no other is made.

    Raises:
        TypeError: The store cannot roll back what a check has done.

        InvalidValueError: No check has the name.
    """
    checks = _named(only)

    def answering(wanted: CheckAnswer | Callable[[Any], Any]) -> Generator[CheckAnswer, None, Any]:
        if isinstance(wanted, CheckAnswer):
            yield wanted
            return None
        return wanted(store)

    return relay(_all_checks(_probe_of(store), restaurant_id, settings, checks), answering)


async def acheck(
    store: Any, restaurant_id: str | None = None, *, settings: Settings | None = None, only: str | None = None
) -> list[CheckAnswer]:
    """`check`, of an async store."""
    found: list[CheckAnswer] = []
    checks = _named(only)

    async def answer(wanted: CheckAnswer | Callable[[Any], Any]) -> Any:
        if isinstance(wanted, CheckAnswer):
            return found.append(wanted)
        answer = wanted(store)
        return await answer if inspect.isawaitable(answer) else answer

    await adrive(_all_checks(_probe_of(store), restaurant_id, settings, checks), answer)
    return found


def _probe_of(store: Any) -> bool:
    if not hasattr(store, "probe"):
        msg = f"host check: expected a store of this library, got {named(type(store))}, which has no probe()"
        raise TypeError(msg)
    waits: bool = store.checked_host.waits
    return waits


def _named(only: str | None) -> Mapping[str, Callable[[Sample], Asking[str]]]:
    if only is None:
        return CHECKS
    if only not in CHECKS:
        raise InvalidValueError("only", f"one of {', '.join(CHECKS)}", repr(only))
    return {only: CHECKS[only]}


def _all_checks(
    waits: bool,  # noqa: FBT001
    restaurant_id: str | None,
    settings: Settings | None,
    checks: Mapping[str, Callable[[Sample], Asking[str]]],
) -> Any:
    """Every answer; and, where it is needed, a call of the store that somebody else makes."""
    try:
        yield lambda store: store.check_schema()
    except Exception as error:  # noqa: BLE001 - as above
        yield CheckAnswer(
            check="schema", says=Say.WRONG, text=f"{sentence_of(error)} Run `assignment-pipeline db init`"
        )
        return
    yield CheckAnswer(check="schema", says=Say.OK, text="the tables are there, and of this version")
    try:
        sample = yield from _sample(waits, restaurant_id, settings)
    except Exception as error:  # noqa: BLE001 - as above
        if restaurant_id is None:
            yield CheckAnswer(check="unassigned", says=Say.WRONG, text=sentence_of(error))
            return  # With a restaurant, the check of that name says it.
        sample = yield lambda store: _bare(store, restaurant_id, settings)
    if isinstance(sample, str):
        yield CheckAnswer(check="restaurant", says=Say.WRONG, text=sample)
        return
    before = yield from _rows(waits, sample)
    for name, begin in checks.items():
        yield (yield from _one(waits, name, begin(sample)))
    after = yield from _rows(waits, sample)
    if before != after:
        text = "a row stayed behind: a method of the host commits by itself. It must leave the transaction to the store"
        yield CheckAnswer(check="rolled-back", says=Say.WRONG, text=text)
    else:
        yield CheckAnswer(check="rolled-back", says=Say.OK, text="nothing stayed behind")


def _one(waits: bool, name: str, asking: Asking[str]) -> Any:  # noqa: FBT001
    try:
        text = yield _probed(waits, asking)
    except WrongError as error:
        return CheckAnswer(check=name, says=Say.WRONG, text=str(error))
    except SkippedError as error:
        return CheckAnswer(check=name, says=Say.SKIPPED, text=str(error))
    except Exception as error:  # noqa: BLE001 - as above
        return CheckAnswer(check=name, says=Say.WRONG, text=sentence_of(error))
    return CheckAnswer(check=name, says=Say.OK, text=text)


def _rows(waits: bool, sample: Sample) -> Any:  # noqa: FBT001
    """The sample's bookings as the host has them now; None where it cannot say."""

    def asking() -> Asking[list[Any]]:
        found: list[Any] = []
        for booking in sample.bookings:
            found += [(yield Ask("booking", (booking.id,)))]
        return found

    try:
        return (yield _probed(waits, asking()))
    except Exception:  # noqa: BLE001 - a check says so
        return None


def _sample(waits: bool, restaurant_id: str | None, settings: Settings | None) -> Any:  # noqa: FBT001
    def asking() -> Asking[Any]:
        found = yield Ask("unassigned", (LONG_AGO, MOST))
        return found

    found = yield _probed(waits, asking())
    where = restaurant_id or next((one.restaurant_id for one in found), None)
    if where is None:
        return "no booking waits at the host, so no restaurant is known: name one with --restaurant"
    bookings = tuple(one for one in found if one.restaurant_id == where)
    bare = yield lambda store: _bare(store, where, settings)
    seated = yield from _seated_by_legacy(where)
    return attrs.evolve(bare, bookings=bookings, seated=seated)


def _seated_by_legacy(restaurant_id: str) -> Any:
    """What the shadow knows of the old planner's seats, apart from bookings that have a record by now."""
    listed = yield lambda store: store.bundles(restaurant_id=restaurant_id, limit=MOST) if _shadows(store) else ()
    seated: dict[str, tuple[str, ...]] = {}
    for one in reversed(listed):  # The newest last: it counts.
        bundle = yield lambda store, one=one: store.bundle(one.id)
        if bundle is not None and bundle.legacy_tables:
            seated[bundle.booking_id] = bundle.legacy_tables
    if not seated:
        return {}
    page = yield lambda store: store.records(RecordQuery(booking_ids=tuple(seated), limit=len(seated)))
    for record in page.records:
        seated.pop(record.booking_id, None)
    return seated


def _shadows(store: Any) -> bool:
    return hasattr(store, "bundles")


def _bare(store: Any, restaurant_id: str, settings: Settings | None) -> Sample:
    host: CheckedHost = store.checked_host
    return Sample(
        restaurant_id=restaurant_id,
        now=dt.datetime.now(dt.UTC).replace(second=0, microsecond=0),
        has_on_commit=host.on_commit is not None or getattr(host.host, "on_commit", None) is not None,
        declines_on_commit=getattr(host.host, "on_commit", ...) is None,
        undoes=getattr(store, "undoes", True),
        holds=settings is not None and settings.confirmation is Confirmation.EXTERNAL,
    )


def _probed(waits: bool, asking: Asking[Any]) -> Callable[[Any], Any]:  # noqa: FBT001
    """The call of a store that makes a check, and rolls back."""

    def call(store: Any) -> Any:
        return store.probe(lambda connection: (_adrive if waits else _drive)(asking, store, connection))

    return call


def _drive(asking: Asking[Any], store: Any, connection: Any) -> Any:
    host = _Host(store.checked_host, store, connection)

    def answer(question: Ask) -> Any:
        answer = host.ask(question)
        if question.method == "on_commit":
            answer = [call(connection) for call in answer]
        return _records(question, answer)

    return drive(asking, answer)


async def _adrive(asking: Asking[Any], store: Any, connection: Any) -> Any:
    host = _Host(store.checked_host, store, connection)

    async def answer(question: Ask) -> Any:
        answer = host.ask(question)
        if question.method == "on_commit":
            for call in answer:
                done = call(connection)
                if inspect.isawaitable(done):
                    await done
        elif inspect.isawaitable(answer):
            answer = await answer
        return _records(question, answer)

    return await adrive(asking, answer)


def _records(question: Ask, answer: Any) -> Any:
    return answer.records if question.method == "records" else answer


def all_is_well(answers: Iterable[CheckAnswer]) -> bool:
    """Whether nothing is wrong."""
    return all(answer.says is not Say.WRONG for answer in answers)
