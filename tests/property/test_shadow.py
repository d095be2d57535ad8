"""The shadow changes nothing, whatever it is given; bundles come back as they went."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assignment_pipeline import (
    AssignmentRecord,
    Booking,
    Coordinator,
    Decision,
    FixedFlags,
    FloorPlan,
    LegacyResult,
    Mode,
    Occupied,
    Reason,
    Settings,
    Table,
    Venue,
)
from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore
from assignment_pipeline.domain.result import Plan
from assignment_pipeline.domain.shadow import ShadowCase, ShadowVerdict
from assignment_pipeline.planning.engine import TableEngine
from assignment_pipeline.ports import AssignmentContext, RecordQuery
from assignment_pipeline.rollout.shadow import Shadow, rerun
from assignment_pipeline.rollout.shadow.bundles import BundleError, bundle_document, case_document, case_of
from assignment_pipeline.rollout.shadow.candidate import flaw, rehearse
from assignment_pipeline.rollout.shadow.documents import document, value_of
from assignment_pipeline.rollout.shadow.judging import Judgement, judge
from assignment_pipeline.testing import FakeClock
from assignment_pipeline.testing import strategies as made

NOON = dt.datetime(2031, 5, 1, 12, tzinfo=dt.UTC)
EVENING = NOON + dt.timedelta(hours=7)
FLOOR = FloorPlan([Table("T0", 2), Table("T1", 2), Table("T2", 4), Table("T3", 4)], [("T0", "T1"), ("T1", "T2")])
VENUE = Venue("R1", "UTC", FLOOR)
TABLES = tuple(table.id for table in FLOOR.tables)


class Whatever(TableEngine):
    """Answers anything at all, or raises, as it was told to."""

    def __init__(self, script: list[Any]) -> None:
        super().__init__()
        self.script = script

    def plan(self, request: Any, floor: Any, budget: Any = None) -> Decision:
        step = self.script.pop() if self.script else None
        if step is None:
            return super().plan(request, floor)
        if isinstance(step, type):
            raise step
        return step

    def evaluate(self, request: Any, table_ids: Any, floor: Any) -> Any:
        if self.script and self.script[-1] is ZeroDivisionError:
            raise ZeroDivisionError
        return super().evaluate(request, table_ids, floor)


decisions = st.builds(
    lambda tables, cost: Decision(plan=Plan(tuple(tables), cost, {"x": cost}, "made up")),
    st.lists(st.sampled_from([*TABLES, "T99"]), max_size=4),
    st.floats(allow_nan=True, allow_infinity=True),
)
scripts = st.lists(
    st.one_of(
        st.none(),
        decisions,
        st.builds(Decision, refusal=st.sampled_from([Reason.NO_FIT, Reason.INFEASIBLE, Reason.PARTY_TOO_LARGE])),
        st.sampled_from([ZeroDivisionError, SystemExit, MemoryError, RecursionError]),
    ),
    max_size=12,
)
days = st.lists(
    st.tuples(
        st.integers(1, 6),
        st.integers(0, 4),
        st.one_of(
            st.lists(st.sampled_from(TABLES), unique=True, max_size=2), st.sampled_from([KeyError, "nothing known"])
        ),
    ),
    min_size=1,
    max_size=6,
)


def played(mode: Mode, day: Any, engine: Any) -> tuple[Any, Any, Any]:
    """What callers get, the rows, and the shadow's counts, for a day on which legacy does as it was told to."""
    host = MemoryHost(VENUE)
    store = MemoryStore(host, clock=FakeClock(NOON))
    told = []
    with Coordinator(
        store,
        flags=FixedFlags(mode),
        engine=engine,
        sinks=(),
        clock=FakeClock(NOON),
        shadow=Shadow(deadline=dt.timedelta(seconds=20)),
    ) as coordinator:
        for number, (party_size, quarters, does) in enumerate(day):
            booking = Booking(f"B{number}", "R1", party_size, EVENING + quarters * dt.timedelta(minutes=15))

            def legacy(booking: Booking, does: Any = does) -> Any:
                if isinstance(does, type):
                    raise does(booking.id)
                if isinstance(does, str):
                    return does
                for name in does:
                    window = VENUE.blocked(VENUE.turn(booking))
                    host.occupy("R1", Occupied(table_id=name, window=window, booking_id=booking.id))
                return LegacyResult(tuple(does))

            host.put_booking(booking)
            try:
                result = coordinator.assign(booking, legacy=legacy)
                told.append((result.outcome, result.tables, result.legacy, result.record, result.handled))
            except KeyError as error:
                told.append(error.args)
        assert coordinator.shadow is not None
        assert coordinator.shadow.flush(60)
        counts = coordinator.shadow.counts
    rows = (
        store.records(RecordQuery()),
        {name: store.history(name) + store.attempts(name) for name in host._bookings},
        dict(host._bookings),
        dict(host._occupied),
        [seat for tables in store._taken.values() for seats in tables.values() for seat in seats.values()],
    )
    return told, rows, (counts, store)


@given(days, scripts)
def test_callers_and_rows_are_as_with_legacy_alone(day, script):
    """Whatever legacy does, and whatever the candidate's engine answers; each case has one verdict."""
    told, rows, _ = played(Mode.OFF, day, None)
    shadowed, shadowed_rows, (counts, store) = played(Mode.SHADOW, day, Whatever(list(script)))
    assert shadowed == told
    assert shadowed_rows == rows
    assert (counts.offered, counts.lost, counts.dropped) == (len(day), 0, 0)
    assert sum(counts.verdicts.values()) == len(day)
    verdicts = [event for event in store.events if event.source == "assignment.shadow"]
    assert sorted(event.booking_id for event in verdicts) == sorted({f"B{number}" for number in range(len(day))})
    for event in verdicts:
        json.dumps(event.context, allow_nan=False)
    for bundle in store.bundles():
        json.dumps(store.bundle(bundle.id).document, allow_nan=False)


# -- Verdicts -----------------------------------------------------------------------------------------------------


def case_for(tables: tuple[str, ...] = (), party_size: int = 2, **facts: Any) -> ShadowCase:
    booking = Booking("B1", "R1", party_size, EVENING)
    given: dict[str, Any] = {"legacy": LegacyResult(tables), **facts}
    return ShadowCase(id="c-1", captured_at=NOON, booking=booking, **given)


def context_with(*taken: Occupied, **facts: Any) -> AssignmentContext:
    given: dict[str, Any] = {"records": {}, "bookings": {}, **facts}
    return AssignmentContext(now=NOON, generation=0, venue=VENUE, taken=taken, **given)


def seat(table_id: str, booking_id: str | None = "other", **facts: Any) -> Occupied:
    window = VENUE.blocked(VENUE.turn(case_for().booking))
    return Occupied(table_id=table_id, window=window, booking_id=booking_id, **facts)


def judged(case: ShadowCase, context: AssignmentContext, later: tuple[str, ...] = (), engine: Any = None) -> Any:
    engine = engine or TableEngine()
    trial = rehearse(case, lambda _: context, engine, Settings(), NOON)
    return judge(case, trial, engine, Settings(), later)


def best(party_size: int = 2, *taken: Occupied) -> tuple[str, ...]:
    case = case_for(party_size=party_size)
    return rehearse(case, lambda _: context_with(*taken), TableEngine(), Settings(), NOON).tables


FULL = tuple(seat(name, f"other-{name}") for name in TABLES)


@pytest.mark.parametrize(
    ("case", "context", "later", "verdict", "kind"),
    [
        pytest.param(case_for(best()), context_with(), (), "match", None, id="same"),
        pytest.param(case_for(), context_with(*FULL), (), "match", None, id="neither"),
        pytest.param(case_for(("T3",)), context_with(), (), "mismatch", "tables", id="worse"),
        pytest.param(case_for(), context_with(), (), "mismatch", "pipeline_only", id="pipeline-only"),
        pytest.param(case_for(("T0",), 4), context_with(*FULL[1:]), (), "mismatch", "legacy_only", id="legacy-only"),
        pytest.param(case_for(("T77",)), context_with(), (), "incomparable", "unknown_tables", id="unknown-tables"),
        pytest.param(
            case_for(legacy=None, error="KeyError"), context_with(), (), "legacy_error", "KeyError", id="raised"
        ),
        pytest.param(case_for(legacy=None), context_with(), (), "incomparable", "unreadable_answer", id="unreadable"),
        pytest.param(case_for(("T0",)), context_with(*FULL), (), "incomparable", "legacy_tables_taken", id="taken"),
        pytest.param(
            case_for(("T0",)), context_with(seat("T2")), ("other",), "incomparable", "floor_changed", id="changed"
        ),
        pytest.param(case_for(best()), context_with(seat("T2")), ("elsewhere",), "match", None, id="changed-elsewhere"),
        pytest.param(
            case_for(("T0",)),
            context_with(bookings={"B1": attrs.evolve(case_for().booking, party_size=5)}),
            (),
            "incomparable",
            "booking_changed",
            id="other-party",
        ),
        pytest.param(
            case_for(("T0",)),
            context_with(bookings={"B1": attrs.evolve(case_for().booking, status="cancelled")}),
            (),
            "incomparable",
            "booking_changed",
            id="cancelled",
        ),
        pytest.param(
            case_for(best()),
            context_with(
                *(seat(name, "B1") for name in TABLES),
                bookings={"B1": attrs.evolve(case_for().booking, status="confirmed")},
                records={"B1": AssignmentRecord(booking_id="B1", restaurant_id="R1", owner="legacy")},
            ),
            (),
            "match",
            None,
            id="without-its-own-rows",
        ),
    ],
)
def test_each_verdict(case, context, later, verdict, kind):
    """Each comparison comes out as documented."""
    found = judged(case, context, later)
    assert (found.verdict, found.kind) == (verdict, kind)


def test_costs_decide_what_is_equivalent():
    """Other tables that cost the same are as good; the difference says who wastes more."""
    twins = Venue("R1", "UTC", FloorPlan([Table("A", 2), Table("B", 2), Table("C", 6)]))
    context = attrs.evolve(context_with(), venue=twins)
    case = case_for()
    ours = rehearse(case, lambda _: context, TableEngine(), Settings(), NOON).tables
    other = ({"A", "B"} - set(ours)).pop()
    assert judged(case_for((other,)), context).verdict == "equivalent"
    worse = judged(case_for(("C",)), context)
    assert (worse.verdict, worse.kind, worse.cost_difference, worse.better) == ("mismatch", "tables", -4.0, True)


@pytest.mark.parametrize(
    ("found", "better"),
    [
        ({"verdict": "match"}, None),
        ({"verdict": "equivalent", "cost": 1.0, "legacy_cost": 1.0}, None),
        ({"verdict": "mismatch", "kind": "pipeline_only", "cost": 1.0}, True),
        ({"verdict": "mismatch", "kind": "legacy_only", "legacy_cost": 1.0}, False),
        ({"verdict": "mismatch", "kind": "tables", "cost": 1.0, "legacy_cost": 1.5}, True),
        ({"verdict": "mismatch", "kind": "tables", "cost": 1.5, "legacy_cost": 1.0}, False),
        ({"verdict": "mismatch", "kind": "tables", "cost": 1.5}, False),
        ({"verdict": "mismatch", "kind": "tables", "cost": 1.5, "legacy_broken": ("too_small",)}, True),
    ],
)
def test_who_did_better(found, better):
    """Of a mismatch: whoever seated the guest, at less cost, by the rules."""
    assert Judgement(**{**found, "verdict": ShadowVerdict(found["verdict"])}).better is better


def test_infrastructure_is_the_pipelines_fault():
    """A store that cannot be read is an error of the pipeline, and of both where legacy raised, too."""
    from assignment_pipeline import StoreUnavailableError  # noqa: PLC0415

    def load(_: Any) -> Any:
        raise StoreUnavailableError("gone")

    for case, verdict in ((case_for(), "pipeline_error"), (case_for(legacy=None, error="KeyError"), "both_error")):
        trial = rehearse(case, load, TableEngine(), Settings(), NOON)
        found = judge(case, trial, TableEngine(), Settings())
        assert (found.verdict, found.kind) == (verdict, "store_unavailable")


@given(st.lists(st.sampled_from([*TABLES, "T99"]), max_size=3), st.lists(st.sampled_from(TABLES), max_size=4))
def test_nonsense_is_found(tables, taken):
    """A plan passes if, and only if, its tables exist, come once, and nobody else has them."""
    context = context_with(*(seat(name) for name in set(taken)))
    engine = Whatever([Decision(plan=Plan(tuple(tables), 0.0, {}, "made up"))]) if tables else TableEngine()
    trial = rehearse(case_for(), lambda _: context, engine, Settings(), NOON)
    sound = "T99" not in tables and len(set(tables)) == len(tables) and not set(tables) & set(taken)
    assert (trial.error is None) == (sound or not tables)
    assert trial.error in (None, "unknown_table", "overlap", "InvalidValueError")
    assert flaw((), trial.contexts) is None


# -- Documents ----------------------------------------------------------------------------------------------------


@given(made.venues(), made.bookings())
def test_values_come_back_as_they_went(venue, booking):
    """Through JSON, and through the text of it."""
    known = attrs.evolve(booking, attributes={})
    for value in (venue, known, AssignmentRecord(booking_id="b", restaurant_id="r", booking=known)):
        assert value_of(type(value), json.loads(json.dumps(document(value)))) == value


@given(
    st.lists(st.sampled_from(TABLES), unique=True, max_size=2),
    st.lists(st.sampled_from(TABLES), unique=True, max_size=4),
    st.integers(1, 8),
)
def test_a_bundle_runs_again_as_it_ran(tables, taken, party_size):
    """With the same engine, every verdict is what it was, with the same costs."""
    case = case_for(tuple(tables), party_size)
    context = context_with(*(seat(name) for name in taken))
    engine = TableEngine()
    trial = rehearse(case, lambda _: context, engine, Settings(), NOON)
    judgement = judge(case, trial, engine, Settings())
    kept = json.loads(json.dumps(bundle_document(case, trial, judgement, Settings())))
    again = rerun(kept)
    assert again.judgement == judgement
    assert (again.trial.tables, again.before) == (trial.tables, judgement.verdict)
    assert again.agrees == (judgement.verdict in ("match", "equivalent"))


def test_a_case_is_written_down_without_attributes():
    """What only the host's strategies know is not kept."""
    case = attrs.evolve(case_for(("T1",)), booking=attrs.evolve(case_for().booking, attributes={"guest": "Ada"}))
    written = json.dumps(case_document(case))
    assert "Ada" not in written
    assert case_document(case_of(json.loads(written))) == json.loads(written)


@pytest.mark.parametrize(
    "found", [{}, {"format": 2}, {"format": 1, "case": {}, "settings": {}, "contexts": []}, {"format": 1}]
)
def test_what_is_no_bundle_is_refused(found):
    """In one sentence, and not with whatever came first."""
    with pytest.raises(BundleError, match="expected a bundle"):
        rerun(found)
