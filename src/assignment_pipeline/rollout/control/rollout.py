"""Steering the rollout: onwards where every gate passes, and back at any time."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from assignment_pipeline.clock import SystemClock
from assignment_pipeline.domain.events import Event, EventType
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.errors import (
    CommitUnknownError,
    FlagError,
    InvalidValueError,
    RolloutRefusedError,
    StaleRolloutError,
)
from assignment_pipeline.ports import Clock, EventSink, FlagResolver, RolloutStore
from assignment_pipeline.ports.fitting import require
from assignment_pipeline.rollout.control.ladder import LADDER, Ladder
from assignment_pipeline.rollout.control.phases import ROLLBACK, Phase
from assignment_pipeline.rollout.control.standing import Standing, judge_phase
from assignment_pipeline.rollout.control.store_gates import StoreGates
from assignment_pipeline.rollout.control.telling import change_event, gate_events
from assignment_pipeline.rollout.control.verdicts import Gates, Verdict, unmeasured
from assignment_pipeline.rollout.flags import EnvFlags, LayeredFlags
from assignment_pipeline.rollout.flags.document import read_settings, settings_document
from assignment_pipeline.rollout.flags.environment import VARIABLES
from assignment_pipeline.rollout.flags.layered import followed, salt_of
from assignment_pipeline.rollout.flags.settings import DEFAULT_SALT

TRIES = 10
_MANY = 10_000


@attrs.frozen
class _By:
    """Who wants a change, and how much."""

    actor: str
    reason: str | None
    force: bool
    signed_off: Mapping[str, str]


class Rollout:
    """
    The rollout, as an operator steers it.

    Every change is a revision in the store: who, when, why, and the numbers that it was decided on. Nothing here goes
    on by itself: `advance` and `enter` are somebody's decision, and what was rolled back stays so until one of them.

    Args:
        store: Stores the revisions. If it is an `EventSink`, it also gets events about refusals.

        gates: What measures the criteria of a phase.

        environment: The flags of the environment, where those may roll back what the store says: see `LayeredFlags`.

        ladder: The phases, from the first to the last.

        salt: What the flags draw restaurants with.

        clock: The time.
    """

    def __init__(
        self,
        store: RolloutStore,
        *,
        gates: Gates = unmeasured,
        environment: EnvFlags | None = None,
        ladder: Ladder = LADDER,
        salt: str = DEFAULT_SALT,
        clock: Clock | None = None,
    ) -> None:
        require("store", store, ("rollout", "revisions"), "a store that keeps a rollout, such as SQLiteStore")
        self.store = store
        self.ladder = ladder
        self.salt = salt
        self._gates = gates
        self._environment = environment
        self._clock = clock or SystemClock()

    @classmethod
    def of(cls, store: Any, flags: FlagResolver) -> Rollout:
        """
        The rollout that *flags* follow, measured in *store*, whose time counts.

        Args:
            store: An application's store.

            flags: The flags of the same application. Where they come from a database, that keeps the rollout; else the
                store does.

        Raises:
            TypeError: Neither keeps a rollout.
        """
        stored = followed(flags)
        kept: Any = store if stored is None else stored.store
        if not hasattr(kept, "revise"):
            msg = f"store: expected one that keeps a rollout (RolloutStore), got a {type(kept).__name__}"
            raise TypeError(msg)
        environment = flags.environment if isinstance(flags, LayeredFlags) else None
        if not hasattr(store, "measure"):
            return cls(kept, environment=environment)
        salt = salt_of(flags)
        return cls(kept, gates=StoreGates(store, salt=salt), environment=environment, salt=salt, clock=store)

    # -- Looking ------------------------------------------------------------------------------------------------------

    def status(self, signed_off: Mapping[str, str] | None = None) -> Standing:
        """
        Where the rollout stands, and what the criteria of its phase say.

        Args:
            signed_off: Who has signed off, by role.

        Raises:
            ValueError: The phase asks for no such role.
        """
        return self._standing(self.store.rollout(), signed_off or {})

    def history(self, limit: int = 100) -> tuple[RolloutRevision, ...]:
        """The changes so far, at most *limit*, newest first."""
        return self.store.revisions(limit)

    def _standing(self, current: RolloutRevision, signed_off: Mapping[str, str]) -> Standing:
        now = self._clock.now()
        since, attempt = self._since(current)
        phase = self.ladder.phase(current.phase) if current.phase is not None else None
        verdicts: tuple[Verdict, ...] = ()
        if phase is not None and since is not None:
            verdicts = judge_phase(phase, since, now, self._gates(phase, since, now), signed_off)
        return Standing(
            revision=current,
            phase=phase,
            since=since,
            now=now,
            next=self.ladder.above(phase),
            below=self.ladder.below(phase),
            verdicts=verdicts,
            overridden=self._environment is not None and self._environment.is_rollback,
            attempt=attempt,
            parts=self._gates.parts(since, now) if since is not None and isinstance(self._gates, StoreGates) else (),
        )

    def _since(self, current: RolloutRevision) -> tuple[dt.datetime | None, int]:
        """Since when the rollout is in its phase, and for which time."""
        phases = [(revision.phase, revision.created_at) for revision in self.store.revisions(_MANY)]
        stays = [list(stay) for _, stay in itertools.groupby(phases, key=lambda each: each[0])]
        attempts = sum(stay[0][0] == current.phase for stay in stays)
        if not stays or stays[0][0][0] != current.phase:
            return current.created_at, max(attempts, 1)
        return stays[0][-1][1], attempts

    # -- Onwards ------------------------------------------------------------------------------------------------------

    def advance(
        self,
        *,
        actor: str,
        reason: str | None = None,
        force: bool = False,
        signed_off: Mapping[str, str] | None = None,
    ) -> RolloutRevision:
        """
        Go on to the next phase, if all that the present one asks for holds.

        Args:
            actor: Who decides it.

            reason: Why; needed to force it.

            force: Whether to go on although a gate does not pass. It is recorded.

            signed_off: Who has signed off, by role.

        Raises:
            RolloutRefusedError: A gate does not pass, or there is nothing to go on to.
            StaleRolloutError: Somebody else has changed it meanwhile.
            CommitUnknownError: The answer was lost: `status` tells.
            ValueError: It is to be forced without a reason, or the phase asks for no such role.
        """
        standing = self.status(signed_off)
        self._refuse(standing, *self._dead_ends(standing))
        target = standing.next
        assert target is not None  # noqa: S101 - else it was a dead end
        by = _By(actor, reason, force, signed_off or {})
        return self._move(standing, target, "advance", standing.blocking, by)

    def enter(
        self,
        name: str,
        *,
        actor: str,
        reason: str | None = None,
        force: bool = False,
        signed_off: Mapping[str, str] | None = None,
    ) -> RolloutRevision:
        """
        Begin, begin again after a rollback, or go to another phase than the next.

        Free are the first phase, those in which the pipeline is in charge of nothing, and earlier ones that expose no
        more than the present one. The next phase takes what `advance` takes; any other has to be forced.

        Args:
            name: The phase.

            actor: Who decides it.

            reason: Why; needed to force it.

            force: Whether to go there although no gate has passed. It is recorded.

            signed_off: Who has signed off, by role.

        Raises:
            RolloutRefusedError: It would have to be forced, or the environment overrides it.
            StaleRolloutError: Somebody else has changed it meanwhile.
            CommitUnknownError: The answer was lost: `status` tells.
            ValueError: There is no such phase, or it is to be forced without a reason.
        """
        target = self.ladder.phase(name)
        standing = self.status(signed_off)
        self._refuse(standing, *_overridden(standing))
        if standing.phase == target:
            return standing.revision
        self._refuse(standing, *_out_of_order(standing))
        if target == standing.next and target.exposure:
            blocking = standing.blocking
        elif self.ladder.is_free(standing.phase, target):
            blocking = ()
        else:
            blocking = (f"{target.name} is entered from {self.ladder.before(target)}, through its gates, or by force",)
        by = _By(actor, reason, force, signed_off or {})
        return self._move(standing, target, "enter", blocking, by)

    def _dead_ends(self, standing: Standing) -> list[str]:
        if standing.phase is None:
            return [f"a phase has to be entered first, such as {self.ladder.phases[0].name}"]
        if standing.phase.name == ROLLBACK.name:
            return ["it was rolled back; a phase has to be entered again"]
        if standing.next is None:
            return ["it is the last phase"]
        return [*_overridden(standing), *_out_of_order(standing)]

    def _move(
        self, standing: Standing, target: Phase, change: str, blocking: Sequence[str], by: _By
    ) -> RolloutRevision:
        if by.force and not (by.reason and by.reason.strip()):
            raise InvalidValueError("reason", "why it is forced", "none")
        if not by.force:
            self._refuse(standing, *blocking)
        revision = self._revision(
            standing.revision,
            target,
            actor=by.actor,
            reason=by.reason,
            forced=bool(blocking),
            evidence={
                "change": change,
                "from": standing.revision.phase,
                "since": standing.since.isoformat() if standing.since else None,
                "at": standing.now.isoformat(),
                "attempt": standing.attempt,
                "verdicts": [verdict.document() for verdict in standing.verdicts],
                "signed_off": dict(by.signed_off),
                "past": list(blocking),
            },
        )
        told = change_event(EventType.PHASE_CHANGED, standing.revision, revision, now=standing.now)
        return self._put(revision, [*gate_events(standing), told])

    # -- Back ---------------------------------------------------------------------------------------------------------

    def rollback(
        self, to: str | None = None, *, actor: str, reason: str, evidence: Mapping[str, Any] | None = None
    ) -> RolloutRevision:
        """
        Go back, at once, whatever the gates say: off everywhere, or to an earlier phase.

        Once it has returned, no commit lands that was planned before it. Asked twice, it is done once.

        Args:
            to: An earlier phase that exposes no more than the present one; off everywhere unless told so.

            actor: Who decides it: a person, or what watches the alerts.

            reason: Why.

            evidence: The numbers that it was decided on, such as those of an alert.

        Raises:
            RolloutRefusedError: *to* would not be a way back.
            CommitUnknownError: It could not be made sure that it is in force, or that what was in flight has ended: ask
                again.
            ValueError: There is no such phase.
        """
        target = self.ladder.phase(to) if to is not None else ROLLBACK
        for attempt in range(TRIES):
            current = self.store.rollout()
            try:
                return self._roll_back(current, target, actor, reason, evidence or {})
            except StaleRolloutError:
                if attempt == TRIES - 1:
                    raise
        raise AssertionError  # pragma: no cover - the last try returns or raises

    def _roll_back(
        self, current: RolloutRevision, target: Phase, actor: str, reason: str, evidence: Mapping[str, Any]
    ) -> RolloutRevision:
        if current.phase == target.name:
            return self._put(current, ())  # An earlier caller may not have seen the end of what was in flight.
        if target.name != ROLLBACK.name:
            phase = self.ladder.phase(current.phase) if current.phase is not None else None
            if phase is None or not self.ladder.leads_back(phase, target):
                raise RolloutRefusedError(current.phase, (f"{target.name} is no way back from there",))
        facts = {"change": "rollback", "from": current.phase, **evidence}
        revision = self._revision(current, target, actor=actor, reason=reason, evidence=facts)
        told = change_event(EventType.ROLLED_BACK, current, revision, now=self._clock.now())
        return self._put(revision, [told])

    # -- Single restaurants -------------------------------------------------------------------------------------------

    def list_restaurants(
        self,
        *,
        actor: str,
        reason: str,
        always: Sequence[str] | None = None,
        never: Sequence[str] | None = None,
        shadow: Sequence[str] | None = None,
    ) -> RolloutRevision:
        """
        Say which restaurants are in or out whatever their bucket is, in this phase and those that follow.

        Args:
            actor: Who decides it.

            reason: Why.

            always: Those that are in the cohort anyway, all of them; as they are unless told otherwise.

            never: Those that are off, whatever else names them.

            shadow: Those that run in shadow where they are not active, also in a phase without a shadow.

        Raises:
            FlagError: The settings in force cannot be read.
            StaleRolloutError: Somebody else has changed the rollout meanwhile.
            CommitUnknownError: The answer was lost: `status` tells.
        """
        current = self.store.rollout()
        phase = self.ladder.phase(current.phase) if current.phase is not None else ROLLBACK
        lists = read_settings(current.settings)
        settings = attrs.evolve(
            lists,
            restaurants=lists.restaurants if always is None else frozenset(always),
            exclude=lists.exclude if never is None else frozenset(never),
            shadow_restaurants=lists.shadow_restaurants if shadow is None else frozenset(shadow),
        )
        document = settings_document(phase.settings.with_lists_of(settings))
        read_settings(document)
        revision = attrs.evolve(
            current,
            generation=current.generation + 1,
            settings=document,
            actor=actor,
            reason=reason,
            forced=False,
            evidence={"change": "lists", "from": current.phase},
            created_at=None,
        )
        told = change_event(EventType.PHASE_CHANGED, current, revision, now=self._clock.now())
        return self._put(revision, [told])

    # -- Writing ------------------------------------------------------------------------------------------------------

    def _revision(self, current: RolloutRevision, target: Phase, **fields: Any) -> RolloutRevision:
        try:
            settings = target.settings.with_lists_of(read_settings(current.settings))
        except FlagError:
            if target.name != ROLLBACK.name:
                raise
            settings = target.settings  # No typo stops a rollback.
        return RolloutRevision(
            generation=current.generation + 1,
            phase=target.name,
            settings=settings_document(settings),
            **fields,
        )

    def _put(self, revision: RolloutRevision, events: Sequence[Event]) -> RolloutRevision:
        try:
            return self.store.revise(revision, events)
        except CommitUnknownError:
            return self.store.revise(revision, events)  # A change that comes twice is made once.

    def _refuse(self, standing: Standing, *because: str) -> None:
        if because:
            if isinstance(self.store, EventSink):
                self.store.emit(gate_events(standing))
            raise RolloutRefusedError(standing.revision.phase, because)


def _out_of_order(standing: Standing) -> list[str]:
    """By a clock that was behind, the next phase would have begun in the past: its gates would pass too early."""
    last = standing.revision.created_at
    if last is None or standing.now >= last:
        return []
    times = f"{standing.now:%Y-%m-%d %H:%M:%S}, before the last change, at {last:%Y-%m-%d %H:%M:%S} UTC"
    return [f"the store's clock says {times}: set it right (`assignment-pipeline doctor` compares it with this one)"]


def _overridden(standing: Standing) -> list[str]:
    if not standing.overridden:
        return []
    names = " and ".join(VARIABLES[field].name for field in ("enabled", "shadow"))
    return [f"the environment would override it: {names} are set, and say off"]
