"""What ran where, held against what the flags said: exact, and before any statistics."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from assignment_pipeline.domain.counts import Outcomes
from assignment_pipeline.domain.metrics import SETTLING, Group, MetricsQuery
from assignment_pipeline.domain.record import Owner
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.domain.wording import count, first_few
from assignment_pipeline.errors import FlagError
from assignment_pipeline.ports import MetricsStore
from assignment_pipeline.rollout.control.verdicts import Answer, Verdict
from assignment_pipeline.rollout.flags.document import read_settings
from assignment_pipeline.rollout.flags.settings import DEFAULT_SALT, FlagSettings

EXPOSURE = "exposure"
"""The name of the verdict."""

GRACE = dt.timedelta(minutes=1)
"""How long after a change of the rollout the flags of a worker may be those before it."""

HOUR = dt.timedelta(hours=1)

_NAMED = 3
_CHANGES = 100
_BEGINNING = dt.datetime.min.replace(tzinfo=dt.UTC)


@attrs.frozen(kw_only=True)
class Stretch:
    """
    A stretch of a phase in which the flags said the same.

    Attributes:
        since: Its first instant.

        until: The first instant past it.

        settings: What the flags said.

        revision: The change of the rollout with which it began.
    """

    since: dt.datetime
    until: dt.datetime
    settings: FlagSettings
    revision: RolloutRevision

    def mode(self, restaurant_id: str, salt: str = DEFAULT_SALT) -> Mode:
        """What the flags said of a restaurant."""
        return self.settings.explain(restaurant_id, source="", salt=salt).mode


@attrs.frozen(kw_only=True)
class Elsewhere:
    """
    Bookings that went another way than the flags said.

    Attributes:
        restaurant_id: Where.

        said: What the flags said.

        ran: Which planner answered for them, and what its flags said to it.

        bookings: How many.
    """

    restaurant_id: str
    said: Mode
    ran: Group
    bookings: int

    @property
    def sentence(self) -> str:
        """The same for people."""
        owner, mode = self.ran
        heard = mode.value if mode else "nothing"
        answered = f"{owner.value} answered for {count(self.bookings, 'booking')}"
        return f"{self.restaurant_id} is {self.said.value}, and {answered} as if it were {heard}"


def stretches_of(revisions: Sequence[RolloutRevision], since: dt.datetime, now: dt.datetime) -> tuple[Stretch, ...]:
    """
    The stretches of a phase, oldest first.

    Stretches whose settings cannot be read are left out. So are those that were over before every worker had read
    them: a phase is entered, and then its lists are made.

    Args:
        revisions: The changes of the rollout, newest first.

        since: When the phase began.

        now: The time.
    """
    found: list[Stretch] = []
    end = now
    for revision in revisions:
        begin = revision.created_at
        if begin is None or begin < since:
            break
        try:
            settings = read_settings(revision.settings)
        except FlagError:
            settings = None
        if settings is not None and found and found[-1].settings == settings:
            found[-1] = attrs.evolve(found[-1], since=begin, revision=revision)
        elif settings is not None and begin < end and (not found or end - begin > GRACE):
            found.append(Stretch(since=begin, until=end, settings=settings, revision=revision))
        end = min(begin, end)
    return tuple(reversed(found))


@attrs.frozen(kw_only=True)
class Part:
    """
    What came of one of the cohorts that a phase has had.

    Attributes:
        stretch: What the flags said, and when.

        outcomes: How the pipeline's assignments came out that settled in it.
    """

    stretch: Stretch
    outcomes: Outcomes


def split(store: MetricsStore, stretches: Sequence[Stretch], now: dt.datetime) -> tuple[Part, ...]:
    """What came of each cohort of a phase, where it was changed in mid-phase; nothing where it was not."""
    if len(stretches) <= 1:
        return ()
    found = []
    for stretch in stretches:
        begin, end = stretch.since + SETTLING, min(stretch.until + SETTLING, now)
        outcomes = store.measure(MetricsQuery(since=begin, until=end)).pipeline if begin < end else Outcomes()
        found.append(Part(stretch=stretch, outcomes=outcomes))
    return tuple(found)


def moved(stretches: Sequence[Stretch], restaurants: Iterable[str], salt: str = DEFAULT_SALT) -> frozenset[str]:
    """The restaurants for which the flags said different things in one phase: they are on both sides."""
    if len(stretches) <= 1:
        return frozenset()
    return frozenset(name for name in restaurants if len({each.mode(name, salt) for each in stretches}) > 1)


def elsewhere(
    stretch: Stretch, ran: Mapping[str, Mapping[Group, int]], salt: str = DEFAULT_SALT
) -> tuple[Elsewhere, ...]:
    """What went another way than the flags said in a stretch, by restaurant."""
    return tuple(
        Elsewhere(restaurant_id=restaurant_id, said=said, ran=group, bookings=bookings)
        for restaurant_id, groups in sorted(ran.items())
        for said in (stretch.mode(restaurant_id, salt),)
        for group, bookings in sorted(groups.items(), key=str)
        if group[1] is not said or group == (Owner.LEGACY, Mode.ACTIVE)
    )


def exposure(
    store: MetricsStore,
    stretches: Iterable[Stretch],
    *,
    salt: str,
    restaurant_id: str | None,
    since: dt.datetime | None = None,
) -> Verdict | None:
    """
    Whether what ran is what the flags said; None where nothing ran.

    Args:
        store: Where the events are.

        stretches: What the flags said, and when.

        salt: What the flags draw restaurants with.

        restaurant_id: Of that restaurant only; None for all.

        since: Leave what was before then aside.
    """
    found: list[Elsewhere] = []
    bookings = 0
    for stretch in stretches:
        begin = stretch.since + GRACE if since is None else max(stretch.since + GRACE, since)
        if begin >= stretch.until:
            continue
        ran = store.ran(MetricsQuery(since=begin, until=stretch.until, restaurant_id=restaurant_id))
        bookings += sum(sum(groups.values()) for groups in ran.values())
        found += elsewhere(stretch, ran, salt)
    return judge_exposure(found, bookings) if bookings else None


def exposure_lately(store: Any, *, salt: str, restaurant_id: str | None = None) -> Verdict | None:
    """
    The same over the last hour, whatever the phase; None where nothing ran, or the store keeps no rollout.

    Args:
        store: A `MetricsStore` that may keep the rollout.

        salt: What the flags draw restaurants with.

        restaurant_id: Of that restaurant only; None for all.
    """
    if not hasattr(store, "revisions"):
        return None
    now = store.now()
    stretches = stretches_of(store.revisions(_CHANGES), _BEGINNING, now)
    return exposure(store, stretches, salt=salt, restaurant_id=restaurant_id, since=now - HOUR)


def judge_exposure(found: Sequence[Elsewhere], bookings: int) -> Verdict:
    """What it comes to: unhealthy, if a single one of so many went elsewhere."""
    wrong = sum(each.bookings for each in found)
    missing = first_few([each.sentence for each in found], _NAMED, between="; ")
    return Verdict(
        metric=EXPOSURE,
        answer=answer_of(wrong),
        value=wrong / bookings,
        sample=bookings,
        threshold=0.0,
        direction="at_most",
        missing=missing or None,
        numbers={"elsewhere": wrong, "bookings": bookings},
    )


def answer_of(wrong: int) -> Answer:
    """The answer, again from the number."""
    return Answer.UNHEALTHY if wrong else Answer.PASS
