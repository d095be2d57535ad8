"""Bundles: a case with its floor, as JSON, and what it takes to run it again."""

from __future__ import annotations

import collections
import itertools
import json
import platform
from collections.abc import Mapping
from typing import Any

import attrs

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.domain.result import Plan
from assignment_pipeline.domain.shadow import ShadowBundle, ShadowCase, StoredCase
from assignment_pipeline.errors import InvalidValueError
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.planning.base import Engine
from assignment_pipeline.planning.engine import TableEngine
from assignment_pipeline.ports import AssignmentContext, LoadQuery
from assignment_pipeline.rollout.shadow.candidate import Trial, rehearse
from assignment_pipeline.rollout.shadow.documents import document, value_of
from assignment_pipeline.rollout.shadow.judging import Judgement, judge
from assignment_pipeline.version import installed_version

FORMAT = 1
MOST_RUNNERS_UP = 3
MOST_ITEMS = 50
"""How much is kept of anything that the candidate makes up itself."""

_PARTS = ("case", "settings", "contexts")


class BundleError(InvalidValueError):
    """A document that is no bundle, or none that can be run again."""


# -- Cases --------------------------------------------------------------------------------------------------------


def written_case(case: ShadowCase) -> StoredCase:
    """A case as a store keeps it: without what only the host's strategies know."""
    return StoredCase(
        id=case.id,
        captured_at=case.captured_at,
        restaurant_id=case.booking.restaurant_id,
        booking_id=case.booking.id,
        document=case_document(case),
    )


def case_document(case: ShadowCase) -> dict[str, Any]:
    """The same, as JSON."""
    found: dict[str, Any] = document(attrs.evolve(case, booking=_known(case.booking)))
    return found


def case_of(found: Mapping[str, Any]) -> ShadowCase:
    """
    The case that `case_document` wrote.

    Raises:
        BundleError: It is none.
    """
    try:
        case: ShadowCase = value_of(ShadowCase, found)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BundleError("", "a case of a shadow", f"one that cannot be read ({error})") from error
    return case


def _known(booking: Booking) -> Booking:
    return attrs.evolve(booking, attributes={})


# -- Bundles ------------------------------------------------------------------------------------------------------


def bundle_document(case: ShadowCase, trial: Trial, judgement: Judgement, settings: Settings) -> dict[str, Any]:
    """All that is needed to run a case again, and how it came out."""
    last = trial.contexts[-1] if trial.contexts else None
    return {
        "format": FORMAT,
        "verdict": judgement.verdict.value,
        "kind": judgement.kind,
        "cost_difference": judgement.cost_difference,
        "legacy_cost": judgement.legacy_cost,
        "legacy_broken": list(judgement.legacy_broken),
        "case": case_document(case),
        "candidate": _candidate(trial),
        "settings": document(settings_facts(settings)),
        "contexts": [_context_document(context, case.booking.id) for context in trial.contexts],
        "versions": {
            "assignment_pipeline": installed_version(),
            "python": platform.python_version(),
            "venue": last.venue.version if last else None,
        },
    }


def settings_facts(settings: Settings) -> dict[str, Any]:
    """The settings as plain values, times in seconds."""
    facts = attrs.asdict(settings)
    return {key: value.total_seconds() if hasattr(value, "total_seconds") else value for key, value in facts.items()}


def _candidate(trial: Trial) -> dict[str, Any]:
    result = trial.result
    decision = result.decision if result else None
    plan = decision.plan if decision else None
    return {
        "outcome": document(result.outcome) if result else None,
        "reason": document(result.reason) if result else None,
        "error": trial.error,
        "tables": list(trial.tables[:MOST_ITEMS]),
        "plan": _plan(plan) if plan else None,
        "runners_up": [_plan(one) for one in decision.runners_up[:MOST_RUNNERS_UP]] if decision else [],
        "turned_away": document(_few(decision.turned_away)) if decision else {},
        "faults": list(decision.faults[:MOST_ITEMS]) if decision else [],
        "duration_ms": round(trial.took.total_seconds() * 1000, 3),
    }


def _plan(plan: Plan) -> Any:
    """A plan, cut down to what any sound one has."""
    tables, moves = plan.tables[:MOST_ITEMS], plan.moves[:MOST_ITEMS]
    return document(attrs.evolve(plan, tables=tables, parts=_few(plan.parts), moves=moves))


def _few(items: Mapping[str, Any]) -> dict[str, Any]:
    return dict(itertools.islice(items.items(), MOST_ITEMS))


def _context_document(context: AssignmentContext, booking_id: str) -> dict[str, Any]:
    records = {key: _known_record(record) for key, record in context.records.items() if key != booking_id}
    bookings = {key: _known(booking) for key, booking in context.bookings.items()}
    found: dict[str, Any] = document(attrs.evolve(context, records=records, bookings=bookings))
    return found


def _known_record(record: AssignmentRecord) -> AssignmentRecord:
    return attrs.evolve(record, booking=_known(record.booking)) if record.booking is not None else record


def fitted(found: Mapping[str, Any], most: int) -> Mapping[str, Any] | None:
    """The document, without its floors if it is larger than *most* bytes, or None if it still is."""
    if len(json.dumps(found, default=repr)) <= most:
        return found
    small = {**found, "contexts": [], "too_large": True}
    return small if len(json.dumps(small, default=repr)) <= most else None


def bundle_of(case: ShadowCase, judgement: Judgement, found: Mapping[str, Any]) -> ShadowBundle:
    """The bundle around a document."""
    return ShadowBundle(
        id=case.id,
        captured_at=case.captured_at,
        restaurant_id=case.booking.restaurant_id,
        booking_id=case.booking.id,
        verdict=judgement.verdict,
        kind=judgement.kind,
        cost_difference=judgement.cost_difference,
        candidate=case.candidate,
        document=found,
    )


# -- Running it again ---------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True, eq=False)
class Rerun:
    """
    A bundle that was run again.

    Attributes:
        case: Its case.

        before: What its verdict was.

        trial: What the candidate does now.

        judgement: How that compares with legacy's answer now.
    """

    case: ShadowCase
    before: str
    trial: Trial
    judgement: Judgement

    @property
    def agrees(self) -> bool:
        """Whether the pipeline does as legacy did now, or as well."""
        return self.judgement.verdict in ("match", "equivalent")


def rerun(found: Mapping[str, Any], engine: Engine | None = None) -> Rerun:
    """
    Have the pipeline, as it is now, assign the booking of a bundle on the floor of a bundle.

    Args:
        found: The bundle's document.

        engine: The candidate's; `TableEngine` without strategies unless told otherwise.

    Raises:
        BundleError: It is no bundle, or its floor was left out.
    """
    case, settings, contexts = _read(found)
    engine = engine or TableEngine()
    wide, narrow = _by_reach(contexts)
    looks = collections.Counter[bool]()

    def load(query: LoadQuery) -> AssignmentContext:
        kept = wide if query.day is not None and wide else narrow
        looks[query.day is not None] += 1
        return kept[min(looks[query.day is not None], len(kept)) - 1]

    trial = rehearse(case, load, engine, settings, case.captured_at)
    judgement = judge(case, trial, engine, settings)
    return Rerun(case=case, before=str(found.get("verdict")), trial=trial, judgement=judgement)


def read_floor(found: Mapping[str, Any]) -> tuple[ShadowCase, AssignmentContext]:
    """
    The case of a bundle, and the floor that the candidate looked at last.

    Raises:
        BundleError: It is no bundle, or its floor was left out.
    """
    case, _, contexts = _read(found)
    return case, contexts[-1]


def _by_reach(contexts: list[AssignmentContext]) -> tuple[list[AssignmentContext], list[AssignmentContext]]:
    """The floors of a whole day, and those around the booking: a flow looks at the one only behind the other."""
    return contexts[1::2], contexts[::2]


def _read(found: Mapping[str, Any]) -> tuple[ShadowCase, Settings, list[AssignmentContext]]:
    if found.get("format") != FORMAT or any(part not in found for part in _PARTS):
        raise BundleError("", f"a bundle of format {FORMAT}, with {', '.join(_PARTS)}", "another object")
    if not found["contexts"]:
        got = "one without: it was too large, or the store could not be read"
        raise BundleError("", "a bundle with its floor", got)
    case = case_of(found["case"])
    try:
        settings = _settings_of(found["settings"])
        contexts = [value_of(AssignmentContext, context) for context in found["contexts"]]
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise BundleError("", "a bundle as it was kept", f"one that cannot be read ({error})") from error
    return case, settings, contexts


def _settings_of(found: Mapping[str, Any]) -> Settings:
    default = Settings()
    facts = {}
    for field in attrs.fields(Settings):
        if field.name in found:
            value, usual = found[field.name], getattr(default, field.name)
            facts[field.name] = type(usual)(seconds=value) if hasattr(usual, "total_seconds") else value
    return Settings(**facts)
