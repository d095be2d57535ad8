"""What the doctor's checks look at."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import attrs

from assignment_pipeline.domain.metrics import Metrics, Seen
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.errors import FlagError
from assignment_pipeline.rollout.doctor.app_flags import AppFlags
from assignment_pipeline.rollout.flags import EnvFlags, FlagSettings, StoreFlags
from assignment_pipeline.rollout.flags.cohorts import BUCKETS
from assignment_pipeline.rollout.flags.document import read_settings
from assignment_pipeline.rollout.flags.environment import VARIABLES

_READ_HERE = frozenset({EnvFlags.source, StoreFlags.source})


FOLLOWED = dt.timedelta(minutes=1)
"""By then, every worker knows of a change of the rollout."""


@attrs.frozen(kw_only=True)
class Facts:
    """
    What the checks look at.

    Attributes:
        now: The store's time.

        hour: What was counted in the last hour.

        day: What was counted in the last 24.

        seen: The events of the last hour, or from `FOLLOWED` after the last change of the rollout if that is shorter.

        revision: The rollout as it stands.

        environ: The environment.

        dropped: Events that this process could not pass on, by whose count it is.

        flags: What the application's flags say; None where only a database is known.

        handed_out: Some of the bookings that are stuck.
    """

    now: dt.datetime
    hour: Metrics
    day: Metrics
    seen: Sequence[Seen]
    revision: RolloutRevision
    environ: Mapping[str, str]
    dropped: Mapping[str, int] = attrs.field(factory=dict)
    flags: AppFlags | None = None
    handed_out: Sequence[str] = ()

    @property
    def span(self) -> str:
        """The time of the events that were seen, in words."""
        changed = self.revision.created_at
        if changed is None or changed + FOLLOWED <= self.now - dt.timedelta(hours=1):
            return "in the last hour"
        return f"from {changed + FOLLOWED:%H:%M} UTC on, a minute after the last change"

    @property
    def settings(self) -> FlagSettings | None:
        """What the workers go by, as far as it can be read here; None where the application has flags of its own."""
        return None if self.has_own_flags else self.read_here

    @property
    def has_own_flags(self) -> bool:
        """Whether the application's flags say something else than what is read here, or come from elsewhere."""
        decisions, read = self.flags.decisions.values() if self.flags else (), self.read_here
        return any(one.source not in _READ_HERE or (read and not may_be(one.mode, read)) for one in decisions)

    @property
    def read_here(self) -> FlagSettings | None:
        """The database's flags, where a phase was entered, else the environment's. None if unreadable."""
        try:
            if self.revision.generation:
                return read_settings(self.revision.settings)
            return EnvFlags(self.environ).settings
        except FlagError:
            return None

    @property
    def has_shadow(self) -> bool:
        """Whether a shadow is switched on anywhere."""
        settings, flags = self.settings, self.flags
        return (settings is not None and settings.shadow) or (flags is not None and Mode.SHADOW in flags.modes)

    @property
    def says_nothing(self) -> bool:
        """Whether no phase was entered, and no variable of the flags is set here."""
        return not self.revision.generation and not any(one.name in self.environ for one in VARIABLES.values())

    def number(self, mode: Mode, *sources: str) -> int:
        """The number of events in that mode from those sources."""
        return sum(seen.count for seen in self.seen if seen.mode == mode.value and seen.source in sources)


def may_be(mode: Mode, settings: FlagSettings) -> bool:
    """Whether calls may be in *mode* by those settings."""
    active = settings.enabled and (settings.percent > 0 or bool(settings.restaurants))
    everywhere = settings.enabled and settings.percent == BUCKETS and not settings.exclude
    shadow = settings.shadow and (settings.shadow_percent > 0 or bool(settings.shadow_restaurants))
    shadow_everywhere = settings.shadow and settings.shadow_percent == BUCKETS and not settings.exclude
    if mode is Mode.ACTIVE:
        return active
    if mode is Mode.SHADOW:
        return shadow and not everywhere
    return not (everywhere or shadow_everywhere)
