"""The rollout, to be looked at: phases, gates, alerts, and what the shadow found."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from assignment_pipeline.console.view import AbsentError, View
from assignment_pipeline.domain.counts import Outcomes
from assignment_pipeline.domain.metrics import Bucket
from assignment_pipeline.domain.shadow import ShadowBundle
from assignment_pipeline.rollout.control import LADDER, Rollout
from assignment_pipeline.rollout.control.phases import ERROR
from assignment_pipeline.rollout.control.sequential import rate_sequence
from assignment_pipeline.rollout.report.findings import Findings, find
from assignment_pipeline.rollout.report.headlines import headlines

WINDOW = dt.timedelta(days=7)
MOST_BUNDLES = 50
WIDTH, HEIGHT = 640, 150
"""Of a picture, in its own units."""

RATES: Mapping[str, Callable[[Outcomes], float]] = {
    "Confirmed": lambda outcomes: outcomes.confirmed,
    "In review": lambda outcomes: outcomes.review,
}
"""What is drawn over time: how many of the pipeline's assignments came out so."""


@attrs.frozen
class Picture:
    """
    A rate over time: what each stretch had, and what was known of the true rate at its end.

    Attributes:
        title: What it is a rate of.

        line: The rate of all so far, as points of a line.

        band: Between which bounds the true rate lies, as the corners of an area.

        low: The lower bound at the end, from 0 to 1.

        high: The upper bound at the end.

        sample: Of how many.
    """

    title: str
    line: str
    band: str
    low: float
    high: float
    sample: int


async def rollout(view: View) -> Response:
    """Where the rollout stands."""
    if not view.staff.is_everywhere:
        raise AbsentError
    store, flags = view.calls.coordinator.store, view.calls.coordinator.flags
    found, bundles = await run_in_threadpool(_look, store, flags)
    if found is None:
        return await view.page("rollout.html", title="Rollout", found=None)
    here = LADDER.rung(found.standing.phase)
    return await view.page(
        "rollout.html",
        title="Rollout",
        found=found,
        standing=found.standing,
        rungs=[
            (phase, "here" if at == here else "done" if at < here else "ahead")
            for at, phase in enumerate(LADDER.phases)
        ],
        pictures=[made for title, of in RATES.items() if (made := _picture(title, found.series, of)) is not None],
        headlines=headlines(found.metrics.agreement),
        alerts=[alert for alert in found.alerts if alert.state.value != "inactive"],
        bundles=bundles,
    )


def _look(store: Any, flags: Any) -> tuple[Findings | None, tuple[ShadowBundle, ...]]:
    """What the store has of the rollout; None for one that keeps none, or does not count."""
    if not hasattr(store, "measure"):
        return None, ()
    try:
        steered = Rollout.of(store, flags)
    except TypeError:
        return None, ()
    bundles = store.bundles(limit=MOST_BUNDLES) if hasattr(store, "bundles") else ()
    return find(steered, store, WINDOW), tuple(bundles)


def _picture(title: str, series: Sequence[Bucket], of: Callable[[Outcomes], float]) -> Picture | None:
    """The confidence sequence of a rate; None where nothing was assigned."""
    so_far, known = Outcomes(), []
    for at, bucket in enumerate(series):
        so_far += bucket.pipeline
        if so_far.sample:
            bounds = rate_sequence(of(so_far), so_far.sample, ERROR)
            known.append((at, of(so_far) / so_far.sample, *bounds))
    if not known:
        return None
    last = max(len(series) - 1, 1)

    def points(pairs: Iterable[tuple[int, float]]) -> str:
        return " ".join(f"{WIDTH * at / last:.1f},{HEIGHT * (1 - rate):.1f}" for at, rate in pairs)

    low, high = [(at, low) for at, _, low, _ in known], [(at, high) for at, _, _, high in known]
    line = points((at, rate) for at, rate, *_ in known)
    return Picture(title, line, points([*low, *reversed(high)]), low[-1][1], high[-1][1], int(so_far.sample))


async def mismatch(view: View) -> Response:
    """What the two planners made of one booking, side by side."""
    store: Any = view.calls.coordinator.store
    found: ShadowBundle | None = None
    if hasattr(store, "bundle") and view.asked("id"):
        found = await run_in_threadpool(store.bundle, view.asked("id"))
    if found is None or not view.staff.works_at(found.restaurant_id):
        raise AbsentError
    case, candidate = found.document.get("case") or {}, found.document.get("candidate") or {}
    contexts = found.document.get("contexts") or [{}]
    tables = ((contexts[-1].get("venue") or {}).get("floor") or {}).get("tables") or []
    names = {table["id"]: table.get("label") or table["id"] for table in tables}
    plan = candidate.get("plan") or {}
    return await view.page(
        "mismatch.html",
        title=f"Mismatch of {found.booking_id}",
        restaurant=found.restaurant_id,
        bundle=found,
        booking=case.get("booking") or {},
        floor=names,
        sides=[
            {
                "name": "The old planner",
                "tables": list((case.get("legacy") or {}).get("tables") or ()),
                "cost": found.document.get("legacy_cost"),
                "parts": {},
                "said": case.get("error") or ", ".join(found.document.get("legacy_broken") or ()),
            },
            {
                "name": "The pipeline",
                "tables": list(candidate.get("tables") or ()),
                "cost": plan.get("cost"),
                "parts": {name: part for name, part in (plan.get("parts") or {}).items() if part},
                "said": candidate.get("error") or candidate.get("reason") or "",
            },
        ],
    )
