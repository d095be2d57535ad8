"""The rollout, to be looked at: phases, gates, alerts, and what the shadow found."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping
from typing import Any

import attrs
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from assignment_pipeline.console.gates import gates_of
from assignment_pipeline.console.view import AbsentError, View
from assignment_pipeline.domain.metrics import MetricsQuery
from assignment_pipeline.domain.shadow import ShadowBundle
from assignment_pipeline.rollout.control import LADDER, Rollout, Standing
from assignment_pipeline.rollout.control.course import Look, courses_of
from assignment_pipeline.rollout.control.standing import left_phases
from assignment_pipeline.rollout.report.headlines import headlines
from assignment_pipeline.rollout.report.sequences import LEGEND
from assignment_pipeline.rollout.watching import Alert, Alerts, AlertState

WINDOW = dt.timedelta(days=7)
MOST_BUNDLES = 50

KEPT = 60.0
"""For how many seconds the gates' courses are kept: they take several queries."""


@attrs.frozen(kw_only=True)
class _Found:
    """What there is to show."""

    standing: Standing
    left: Mapping[str | None, bool]
    courses: Mapping[str, tuple[Look, ...]]
    headlines: tuple[str, ...]
    alerts: tuple[Alert, ...]
    bundles: tuple[ShadowBundle, ...]


@attrs.define
class RolloutPage:
    """The page of the rollout. It remembers the gates' courses for a while."""

    _known: tuple[object, float, Mapping[str, tuple[Look, ...]]] | None = None

    async def __call__(self, view: View) -> Response:
        """Where the rollout stands."""
        if not view.staff.is_everywhere:
            raise AbsentError
        store, flags = view.calls.coordinator.store, view.calls.coordinator.flags
        found = await run_in_threadpool(self._look, store, flags)
        if found is None:
            return await view.page("rollout.html", title="Rollout", standing=None)
        standing = found.standing
        here, left = LADDER.rung(standing.phase), found.left
        return await view.page(
            "rollout.html",
            title="Rollout",
            standing=standing,
            rungs=[
                (phase, "here" if at == here else "done" if left.get(phase.name) else "ahead")
                for at, phase in enumerate(LADDER.phases)
            ],
            gates=gates_of(standing.phase, standing.verdicts, found.courses) if standing.phase else [],
            legend=LEGEND,
            headlines=found.headlines,
            alerts=found.alerts,
            bundles=found.bundles,
        )

    def _look(self, store: Any, flags: Any) -> _Found | None:
        """What the store has of the rollout; None for one that keeps none, or does not count."""
        if not hasattr(store, "measure"):
            return None
        try:
            steered = Rollout.of(store, flags)
        except TypeError:
            return None
        standing = steered.status()
        history = steered.history()
        alerts = Alerts(store).check(standing.now, history[0].created_at if history else None)
        since = standing.now - WINDOW
        return _Found(
            standing=standing,
            left=left_phases(history),
            courses=self._courses(store, standing),
            headlines=headlines(store.measure(MetricsQuery(since=since, until=standing.now))),
            alerts=tuple(alert for alert in alerts if alert.state is not AlertState.INACTIVE),
            bundles=tuple(store.bundles(limit=MOST_BUNDLES)) if hasattr(store, "bundles") else (),
        )

    def _courses(self, store: Any, standing: Standing) -> Mapping[str, tuple[Look, ...]]:
        now = time.monotonic()
        if self._known is None or self._known[0] != standing.revision or now - self._known[1] > KEPT:
            self._known = standing.revision, now, courses_of(store, standing)
        return self._known[2]
