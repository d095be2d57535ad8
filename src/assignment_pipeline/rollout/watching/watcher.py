"""Looking after a rollout: a breach leads back, and nothing leads on."""

from __future__ import annotations

import datetime as dt
import enum
import logging
from collections.abc import Callable
from typing import Any, Protocol

import attrs

from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.errors import AssignmentPipelineError, CommitUnknownError, RolloutRefusedError
from assignment_pipeline.ports import EventSink, FlagResolver, MetricsStore, RolloutStore
from assignment_pipeline.rollout.control import ROLLBACK, Answer, Phase, Rollout
from assignment_pipeline.rollout.control.exposure import exposure_lately
from assignment_pipeline.rollout.watching.alerts import Alert, Alerts, AlertState, changes

logger = logging.getLogger(__name__)

ACTOR = "rollout watch"
"""Who a watcher's rollbacks are by."""


class Demote(enum.StrEnum):
    """What a firing alert leads to."""

    STEP = "step"
    OFF = "off"
    NO = "no"


class Stopping(Protocol):
    """Whether something is to end."""

    def __bool__(self) -> bool: ...

    def wait(self, seconds: float) -> object:
        """Wait, for no longer than until it is to."""
        ...


class WatchedStore(MetricsStore, RolloutStore, EventSink, Protocol):
    """A store that counts, keeps the rollout, and can be told."""


@attrs.frozen(kw_only=True)
class WatchReport:
    """
    What a watcher has seen and done.

    Attributes:
        at: When.

        phase: The phase that the rollout was in; None before the first.

        alerts: How each alert stands.

        told: The events about the alerts that changed.

        demoted: The revision that leads back, if there is one.

        error: What kept it from telling of an alert, or from rolling back; None if nothing did.

        unhealthy: What ran elsewhere than the flags said in the last hour, in words; None if nothing did.

        why: Why it does, or why it does not although an alert fires.
    """

    at: dt.datetime
    phase: str | None
    alerts: tuple[Alert, ...]
    told: tuple[Event, ...] = ()
    demoted: RolloutRevision | None = None
    why: str | None = None
    error: AssignmentPipelineError | None = None
    unhealthy: str | None = None

    @property
    def firing(self) -> tuple[Alert, ...]:
        """Those that fire."""
        return tuple(alert for alert in self.alerts if alert.state is AlertState.FIRING)


class Watcher:
    """
    Looks at the alerts, tells of those that change, and rolls back on those that fire.

    It keeps nothing between two looks: any number of them may watch one store, and be restarted at any time.

    Args:
        store: Where the numbers and the rollout are.

        rollout: What steers it.

        alerts: What is looked at; the guide's, over all restaurants, unless told otherwise.

        demote: What a firing alert leads to: one phase back, off everywhere, or nothing.
    """

    def __init__(
        self, store: WatchedStore, rollout: Rollout, *, alerts: Alerts | None = None, demote: Demote = Demote.STEP
    ) -> None:
        self._store = store
        self._rollout = rollout
        self._alerts = alerts or Alerts(store)
        self._demote = Demote(demote)

    @classmethod
    def of(cls, store: Any, flags: FlagResolver, *, demote: Demote | str = Demote.STEP) -> Watcher:
        """
        The watcher of an application's rollout, by its store and its flags.

        Raises:
            TypeError: The store does not count, or nothing keeps a rollout.
        """
        rollout = Rollout.of(store, flags)
        if not hasattr(store, "measure"):
            msg = f"store: expected one that counts (MetricsStore), got a {type(store).__name__}"
            raise TypeError(msg)
        return cls(store, rollout, demote=Demote(demote))

    def require_rights(self) -> None:
        """
        Make sure that the store lets it do what it may have to do, if the store can say so. Changes nothing.

        Raises:
            MissingRightsError: It does not.
            StoreUnavailableError: The store cannot be reached.
        """
        for store, moves in ((self._store, False), (self._rollout.store, self._demote is not Demote.NO)):
            require = getattr(store, "require_rights", None)
            if require is not None:
                require(steers=moves)

    def look(self) -> WatchReport:
        """
        Once.

        A rollback that fails is in the report, beside the alert that it was for.

        Raises:
            StoreUnavailableError: The store cannot be reached.
            CommitUnknownError: It was rolled back, and it could not be made sure that it is in force: look again.
        """
        current = self._store.rollout()
        now = self._store.now()
        found = self._alerts.check(now, current.created_at)
        told, error = changes(found, now), None
        try:
            if told:
                self._store.emit(told)
        except AssignmentPipelineError as failure:  # It is rolled back all the same, and told again.
            told, error = (), failure
        ran = exposure_lately(self._store, salt=self._rollout.salt)
        unhealthy = ran.missing if ran is not None and ran.answer is Answer.UNHEALTHY else None
        look = WatchReport(at=now, phase=current.phase, alerts=found, told=told, error=error, unhealthy=unhealthy)
        if not look.firing or self._demote is Demote.NO:
            return look
        return self._lead_back(look, current)

    def _lead_back(self, look: WatchReport, current: RolloutRevision) -> WatchReport:
        reason = "; ".join(alert.sentence for alert in look.firing)
        target = self._target(current)
        if target is None:
            return attrs.evolve(look, why="there is nothing to roll back")
        evidence = {"alerts": [alert.document() for alert in look.firing]}
        try:
            try:
                revision = self._rollout.rollback(target.name, actor=ACTOR, reason=reason, evidence=evidence)
            except RolloutRefusedError:
                # Somebody was faster; off is a way back from anywhere.
                revision = self._rollout.rollback(actor=ACTOR, reason=reason, evidence=evidence)
        except CommitUnknownError:
            raise
        except AssignmentPipelineError as error:
            return attrs.evolve(look, why=f"{reason}; nothing was changed", error=error)
        return attrs.evolve(look, demoted=revision, why=reason)

    def _target(self, current: RolloutRevision) -> Phase | None:
        """Where a firing alert leads: never up, and from where nothing depends on the pipeline, nowhere."""
        if current.phase is None or current.phase == ROLLBACK.name:
            return None
        phase = self._rollout.ladder.phase(current.phase)
        if not phase.settings.enabled:
            return None
        below = self._rollout.ladder.below(phase) if self._demote is Demote.STEP else None
        return below or ROLLBACK

    def run(
        self,
        interval: dt.timedelta,
        stop: Stopping,
        seen: Callable[[WatchReport], object],
        failed: Callable[[Exception], object],
    ) -> None:
        """
        Check in a loop until *stop* is set. A check that fails is reported, and the loop goes on.

        Args:
            interval: How long to wait in between.

            stop: Is true once it is to end; a wait of its own ends then, too.

            seen: Gets each look.

            failed: Gets what one has failed by.
        """
        while not stop:
            try:
                look = self.look()
                seen(look)
                if look.error is not None:
                    raise look.error
            except AssignmentPipelineError as error:
                logger.warning("a look at the rollout failed: %s", error)
                failed(error)
            stop.wait(interval.total_seconds())
