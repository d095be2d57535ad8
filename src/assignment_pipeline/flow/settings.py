"""How the flows behave, beside what each restaurant's policy says."""

from __future__ import annotations

import datetime as dt
import enum
from functools import cached_property
from typing import Any

import attrs

from assignment_pipeline.domain.checks import enum_fields, flag, positive_span, whole
from assignment_pipeline.domain.wake_order import WakeOrder
from assignment_pipeline.plain import Printed
from assignment_pipeline.planning.base import Budget


class Confirmation(enum.StrEnum):
    """Who confirms an assignment."""

    IMMEDIATE = "immediate"
    """The commit that seats it."""

    EXTERNAL = "external"
    """The host, with `confirm`, after a deposit for example; until then the tables are held."""


class Impossible(enum.StrEnum):
    """What becomes of a booking that could never be seated as it asked."""

    REVIEW = "review"
    FAIL = "fail"


class Takeover(enum.StrEnum):
    """When the pipeline answers for bookings that legacy had seated before the pipeline was in charge."""

    NEVER = "never"
    """Once a person has called `takeover`."""

    ON_TOUCH = "on_touch"
    """When somebody first asks for something about one."""


class InFlight(enum.StrEnum):
    """What becomes of bookings that wait where the pipeline is switched off."""

    HANDOVER = "handover"
    """Each is handed over to the planner that the pipeline replaces, once."""

    DRAIN = "drain"
    """The pipeline finishes them."""


def _seconds(seconds: float) -> Any:
    return attrs.field(default=dt.timedelta(seconds=seconds), validator=positive_span)


@attrs.frozen(kw_only=True, field_transformer=enum_fields, repr=False)
class Settings(Printed):
    """
    How the flows behave.

    Attributes:
        confirmation: Who confirms an assignment.

        impossible: What becomes of a booking that could never be seated as it asked.

        max_retries: Attempts after the first that find no tables, before a person is asked.

        backoff: The longest wait before the first of them; it doubles with each.

        max_backoff: The longest wait before any of them.

        tries: Plannings within one call, when others keep taking the tables first.

        reseat_budget: For how long a few moves that make room are looked for, where nothing is free.

        call_budget: For how long a call looks for moves in all, with the extra ``optimize``. Where that is too
            short, the booking waits with `no_fit`, and the sweep looks for longer.

        repack_budget: For how long the sweep looks for moves in all, and `reoptimize` for a better day, with the extra
            ``optimize``.

        availability_budget: For how long `availability` looks for moves on a date in all. What it does not reach by
            then counts as taken.

        lock_ttl: How long a lock is held at most.

        rate_retry: When to ask again where the restaurant had enough to do.

        outage_retry: When to ask again where the store could not be reached.

        hold_ttl: How long tables are held for an external confirmation.

        max_holds: With how many holds that nobody confirmed a booking fails; with fewer, it is queued again.

        orphan_after: When the sweep takes up a booking that was enqueued and that nobody assigned.

        review_within: After how long in wait for a person a review is overdue: ``coordinator.review_overdue`` tells of
            it, once. Metrics, alerts and the doctor count the reviews that have had it.

        wake_order: Who gets tables first that come free at a restaurant. The sweep takes turns between restaurants.

        max_deliveries: How often the sweep hands out a booking without a result, before it goes to manual review.

        in_flight: What becomes of bookings that wait where the pipeline is switched off, or to shadow. Held tables
            wait for their confirmation either way.

        handover_timeout: After what time without an answer a booking that was handed over goes to manual review.
            Longer than the planner that the pipeline replaces may take.

        takeover: When the pipeline answers for bookings that legacy has seated. With ``on_touch``, `reassign`,
            `seated`, `left`, `no_show`, `extend`, `pin` and `unpin` first take such a booking over where the pipeline
            is in charge, at the tables that ``Host.occupied`` shows for it. That is a commit of its own. `cancel` does
            not: the host would be told that the booking is confirmed first.

        replay: Whether bookings count as new whatever the clock says, and are always due: for days past.

        show_errors: Whether reports and the log repeat what an error of the host or of a driver says, which may
            quote a guest. Otherwise they name its class and the database's code. Events never repeat it.
    """

    confirmation: Confirmation = attrs.field(default=Confirmation.IMMEDIATE, converter=Confirmation)
    impossible: Impossible = attrs.field(default=Impossible.REVIEW, converter=Impossible)
    max_retries: int = attrs.field(default=5, validator=whole(0, 100))
    backoff: dt.timedelta = _seconds(1)
    max_backoff: dt.timedelta = _seconds(30)
    tries: int = attrs.field(default=5, validator=whole(1, 100))
    reseat_budget: dt.timedelta = _seconds(0.025)
    call_budget: dt.timedelta = _seconds(0.05)
    repack_budget: dt.timedelta = _seconds(5)
    availability_budget: dt.timedelta = _seconds(2)
    lock_ttl: dt.timedelta = _seconds(30)
    rate_retry: dt.timedelta = _seconds(2)
    outage_retry: dt.timedelta = _seconds(2)
    hold_ttl: dt.timedelta = _seconds(180)
    max_holds: int = attrs.field(default=1, validator=whole(1, 100))
    orphan_after: dt.timedelta = _seconds(60)
    review_within: dt.timedelta = _seconds(1800)
    wake_order: WakeOrder = attrs.field(default=WakeOrder.LONGEST_WAIT, converter=WakeOrder)
    max_deliveries: int = attrs.field(default=5, validator=whole(1, 100))
    in_flight: InFlight = attrs.field(default=InFlight.HANDOVER, converter=InFlight)
    handover_timeout: dt.timedelta = _seconds(120)
    takeover: Takeover = attrs.field(default=Takeover.NEVER, converter=Takeover)
    replay: bool = attrs.field(default=False, validator=flag)
    show_errors: bool = attrs.field(default=False, validator=flag)

    @cached_property
    def budget_in_call(self) -> Budget:
        """For how long moves are looked for while somebody waits for the answer."""
        longest = self.repack_budget if self.replay else min(self.call_budget, self.repack_budget)
        return Budget(self.reseat_budget, longest)

    @cached_property
    def budget_of_sweep(self) -> Budget:
        """For how long they are looked for where nobody waits."""
        return Budget(self.reseat_budget, self.repack_budget)

    def retry_delay(self, retry: int, draw: float) -> dt.timedelta:
        """
        How long to wait before the *retry*-th retry: exponential backoff with full jitter.

        ``draw * min(max_backoff, backoff * 2 ** (retry - 1))``, after M. Brooker, "Exponential Backoff And
        Jitter", AWS Architecture Blog, 2015.
        """
        longest = min(self.max_backoff.total_seconds(), self.backoff.total_seconds() * 2.0 ** (retry - 1))
        return dt.timedelta(seconds=draw * longest)
