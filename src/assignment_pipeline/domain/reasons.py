"""
Why calls come out as they do: a row for each reason, with everything that follows from it.

The sets of reasons, the events, the sentences, the doctor's advice and the table in the documentation are made of these
rows. A new reason is one more row.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Self

import attrs

from assignment_pipeline.domain.events import EventType, Severity
from assignment_pipeline.plain import Printed


class Outcome(enum.StrEnum):
    """How a call came out."""

    CONFIRMED = "confirmed"
    ASSIGNED = "assigned"
    RETRY = "retry"
    MANUAL_REVIEW = "manual_review"
    FAILED = "failed"
    NOOP = "noop"

    CANCELLED = "cancelled"
    """`cancel` did what it was asked for."""

    KEPT = "kept"
    """`reassign` found nothing, or `extend` found others in the way: the booking was left as it was."""

    HOLD_LOST = "hold_lost"
    """`confirm` came when the tables were gone."""


PLANNED = frozenset({Outcome.CONFIRMED, Outcome.ASSIGNED, Outcome.RETRY, Outcome.MANUAL_REVIEW, Outcome.FAILED})
"""How calls come out that did something for a booking."""

_O = Outcome


class Role(enum.Enum):
    """What a reason counts as."""

    IMPOSSIBLE = enum.auto()
    """The party could never be seated as it asked."""

    WAITS_FOR_TABLES = enum.auto()
    """Freed tables may help."""

    ENDS_BY_ITSELF = enum.auto()
    """The review ends without a person: the row is mended, or the pipeline is back."""

    NOT_ITS_FAULT = enum.auto()
    """The booking ended, and no assignment is to blame: metrics leave it out."""

    PROVED = enum.auto()
    """No plan exists: metrics count it apart, for that is no fault of the planner's."""

    NOTHING_DECIDED = enum.auto()
    """The call ended before it had decided anything."""

    CLAIM_COMES_BACK = enum.auto()
    """Nothing came of a claim, through no fault of the booking's: the sweep puts it back, and it does not count."""


@attrs.frozen(repr=False)
class ReasonFacts(Printed):
    """
    What follows from a reason.

    Attributes:
        sentence: What people read, in the command line's tables and in reports.

        meaning: What it means, for the documentation.

        outcomes: The outcomes that it comes with; none for what stands in the history only.

        event: The event that tells of it; None where the outcome decides.

        severity: How severe that event is.

        counts_as: What it counts as.

        advice: What helps against it, for the doctor; None where nothing does.
    """

    sentence: str
    meaning: str
    outcomes: tuple[Outcome, ...]
    event: EventType | None = attrs.field(default=None, kw_only=True)
    severity: Severity = attrs.field(default=Severity.INFO, kw_only=True)
    counts_as: tuple[Role, ...] = attrs.field(default=(), kw_only=True)
    advice: str | None = attrs.field(default=None, kw_only=True)


_FULL_HOUSE = "more tables, shorter turns or buffers, more tables that may be joined; or fewer bookings taken"


class Reason(enum.StrEnum):
    """Why a call came out as it did."""

    facts: ReasonFacts
    """What follows from it."""

    def __new__(cls, code: str, *facts: ReasonFacts) -> Self:
        """A member: its code, and what follows from it."""
        member = str.__new__(cls, code)
        member._value_ = code
        (member.facts,) = facts
        return member

    PIPELINE_DISABLED = (
        "pipeline_disabled",
        ReasonFacts(
            "the pipeline was switched off",
            "the flags say off; in review: switched off while it waited, with no planner to hand it over to",
            (_O.NOOP, _O.MANUAL_REVIEW),
            counts_as=(Role.ENDS_BY_ITSELF,),
        ),
    )
    SHADOW = (
        "shadow",
        ReasonFacts("shadow", "the flags say shadow: your planner ran, and the pipeline beside it", (_O.NOOP,)),
    )
    SHADOW_UNAVAILABLE = (
        "shadow_unavailable",
        ReasonFacts(
            "shadow unavailable", "the flags say shadow, and the coordinator was built without one", (_O.NOOP,)
        ),
    )
    RUNTIME_DISABLED = (
        "runtime_disabled",
        ReasonFacts(
            "runtime disabled",
            "the store's tables are of another version: an operator has to run `db init`",
            (_O.NOOP,),
            event=EventType.ERROR,
            severity=Severity.ERROR,
            counts_as=(Role.NOTHING_DECIDED,),
        ),
    )
    CIRCUIT_OPEN = (
        "circuit_open",
        ReasonFacts(
            "circuit open",
            "the store has failed too often, and is left alone for a while",
            (_O.RETRY,),
            event=EventType.CIRCUIT_OPEN,
            severity=Severity.WARNING,
            counts_as=(Role.CLAIM_COMES_BACK,),
        ),
    )
    RATE_LIMITED = (
        "rate_limited",
        ReasonFacts(
            "rate limited",
            "the restaurant has as many assignments going on as the flags allow",
            (_O.RETRY,),
            counts_as=(Role.CLAIM_COMES_BACK,),
        ),
    )
    LOCK_CONTENTION = (
        "lock_contention",
        ReasonFacts(
            "somebody else is at it",
            "somebody else is at work on the booking",
            (_O.NOOP,),
            event=EventType.LOCK_CONTENTION,
            counts_as=(Role.CLAIM_COMES_BACK,),
        ),
    )
    STORE_UNAVAILABLE = (
        "store_unavailable",
        ReasonFacts(
            "the store could not be reached",
            "the store could not be reached, nothing was written",
            (_O.RETRY,),
            event=EventType.ERROR,
            severity=Severity.ERROR,
            counts_as=(Role.NOTHING_DECIDED, Role.CLAIM_COMES_BACK),
        ),
    )
    FLAGS_UNREAD = (
        "flags_unread",
        ReasonFacts(
            "the feature flags were not read yet",
            "the feature flags were not read yet: nobody knows which planner is in charge, so neither is asked",
            (_O.RETRY,),
            event=EventType.ERROR,
            severity=Severity.ERROR,
            counts_as=(Role.CLAIM_COMES_BACK,),
        ),
    )
    COMMIT_UNKNOWN = (
        "commit_unknown",
        ReasonFacts(
            "commit unknown",
            "the commit's answer was lost, and could not be found out yet",
            (_O.RETRY,),
            event=EventType.ERROR,
            severity=Severity.ERROR,
            counts_as=(Role.NOTHING_DECIDED, Role.CLAIM_COMES_BACK),
        ),
    )
    CONFLICT = (
        "conflict",
        ReasonFacts(
            "others were faster every time",
            "others were faster, every time",
            (_O.RETRY,),
            counts_as=(Role.NOTHING_DECIDED, Role.CLAIM_COMES_BACK),
        ),
    )
    TERMINAL_STATE = (
        "terminal_state",
        ReasonFacts(
            "not waiting for tables", "settled already, or the host does not want tables for it any more", (_O.NOOP,)
        ),
    )
    OWNED_BY_LEGACY = (
        "owned_by_legacy",
        ReasonFacts(
            "with the legacy planner",
            "your own planner answers for it; with `handled` false, it makes the change, too",
            (_O.NOOP,),
        ),
    )
    NOT_DUE = (
        "not_due",
        ReasonFacts(
            "not due",
            "its next attempt is due after `retry_after`",
            (_O.NOOP,),
            counts_as=(Role.CLAIM_COMES_BACK,),  # Of a claim: another sweeper has a newer one.
        ),
    )
    BOOKING_CHANGED = (
        "booking_changed",
        ReasonFacts("has changed since", "it is settled, and was something else then: call `reassign`", (_O.NOOP,)),
    )
    OTHER_RESTAURANT = (
        "other_restaurant",
        ReasonFacts(
            "is another restaurant's at the host",
            "the host has the booking at another restaurant (`elsewhere`) than the call named; no planner was asked",
            (_O.NOOP,),
        ),
    )
    PARTY_TOO_LARGE = (
        "party_too_large",
        ReasonFacts(
            "too large for any table or combination",
            "no table or combination has that many seats",
            (_O.MANUAL_REVIEW, _O.FAILED, _O.KEPT),
            counts_as=(Role.IMPOSSIBLE,),
            advice="not taking such bookings, or larger combinations",
        ),
    )
    PARTY_TOO_SMALL = (
        "party_too_small",
        ReasonFacts(
            "too small for any table",
            "every table and combination is for larger parties",
            (_O.MANUAL_REVIEW, _O.FAILED, _O.KEPT),
            counts_as=(Role.IMPOSSIBLE,),
            advice="tables with a smaller min_party_size",
        ),
    )
    NO_SUCH_SEATING = (
        "no_such_seating",
        ReasonFacts(
            "no such place to sit for a party of that size",
            "nothing of that size is where it wants to sit",
            (_O.MANUAL_REVIEW, _O.FAILED, _O.KEPT),
            counts_as=(Role.IMPOSSIBLE,),
            advice="not taking such bookings, or tables of that kind",
        ),
    )
    OUTSIDE_SERVICE = (
        "outside_service",
        ReasonFacts(
            "outside the hours of service",
            "the restaurant does not serve for all of that time",
            (_O.MANUAL_REVIEW, _O.FAILED, _O.KEPT),
            counts_as=(Role.IMPOSSIBLE,),
            advice="not taking such bookings; and a look at the restaurants' timezones",
        ),
    )
    LARGE_PARTY = (
        "large_party",
        ReasonFacts(
            "of a size on which a person decides",
            "the policy's `review_from_party` has a person decide; `suggestion` has what is free",
            (_O.MANUAL_REVIEW, _O.KEPT),
            counts_as=(Role.IMPOSSIBLE,),
        ),
    )
    NOT_AN_ARRIVAL = (
        "not_an_arrival",
        ReasonFacts(
            "at no time at which parties arrive",
            "the restaurant serves then, but its `arrivals` do not name that time; `nearest` has those that do and fit",
            (_O.MANUAL_REVIEW, _O.FAILED, _O.KEPT),
            counts_as=(Role.IMPOSSIBLE,),
            advice="offering the times that `arrivals` names; and a look at the restaurants' timezones",
        ),
    )
    PACING = (
        "pacing",
        ReasonFacts(
            "too many arrive at that time",
            "the policy's `pacing` allows no more arrivals in that slot; `nearest` has the times that fit",
            (_O.MANUAL_REVIEW, _O.KEPT),
            counts_as=(Role.WAITS_FOR_TABLES, Role.PROVED),
            advice="larger caps in `pacing`; or offering the times that `availability` has",
        ),
    )
    IN_PAST = (
        "in_past",
        ReasonFacts(
            "the time has passed",
            "the party would have arrived already",
            (_O.MANUAL_REVIEW, _O.FAILED, _O.KEPT),
            counts_as=(Role.IMPOSSIBLE,),
            advice="a look at timezones, and at how long bookings wait in queues",
        ),
    )
    NO_FIT = (
        "no_fit",
        ReasonFacts(
            "no free tables were found",
            "all that would do is taken, by bookings; for `extend`, its tables are",
            (_O.RETRY, _O.MANUAL_REVIEW, _O.KEPT),
            counts_as=(Role.WAITS_FOR_TABLES,),
            advice=_FULL_HOUSE,
        ),
    )
    INFEASIBLE = (
        "infeasible",
        ReasonFacts(
            "every table that would do is taken",
            "all that would do is taken, by what cannot be moved",
            (_O.MANUAL_REVIEW, _O.KEPT),
            counts_as=(Role.WAITS_FOR_TABLES, Role.PROVED),
            advice=_FULL_HOUSE,
        ),
    )
    CRASH_LOOP = (
        "crash_loop",
        ReasonFacts(
            "kept ending its worker",
            "five workers died or raised while they had it",
            (_O.MANUAL_REVIEW,),
            advice="the log: something kills the worker, or raises, each time",
        ),
    )
    HOLD_EXPIRED = (
        "hold_expired",
        ReasonFacts(
            "was not confirmed in time",
            "nobody confirmed in time",
            (_O.FAILED, _O.RETRY),
            counts_as=(Role.NOT_ITS_FAULT,),
        ),
    )
    BOOKING_GONE = (
        "booking_gone",
        ReasonFacts(
            "the booking is gone",
            "the host does not know it any more; its record has failed",
            (_O.NOOP,),
            counts_as=(Role.NOT_ITS_FAULT,),
        ),
    )
    BOOKING_UNREADABLE = (
        "booking_unreadable",
        ReasonFacts(
            "its row is no booking",
            "the host's row is no booking, such as a party of 0; the event says what is wrong",
            (_O.MANUAL_REVIEW, _O.NOOP),
            counts_as=(Role.ENDS_BY_ITSELF,),
            advice="the row of the booking: its value makes no sense, such as a party of 0; the event names it",
        ),
    )
    TIME_PASSED = (
        "time_passed",
        ReasonFacts("its time has passed", "it was in review until its time was over", (_O.FAILED,)),
    )
    BY_REQUEST = (
        "by_request",
        ReasonFacts("as somebody asked for", "a person put it back, or turned it down", (_O.RETRY, _O.FAILED)),
    )
    PINNED = (
        "pinned",
        ReasonFacts(
            "pinned",
            "a person had it stay at its tables",
            (_O.CONFIRMED, _O.ASSIGNED),
            event=EventType.PINNED,
        ),
    )
    UNPINNED = (
        "unpinned",
        ReasonFacts(
            "unpinned",
            "a person let it be moved again",
            (_O.CONFIRMED, _O.ASSIGNED),
            event=EventType.UNPINNED,
        ),
    )
    OFFERED = (
        "offered",
        ReasonFacts("offered", "these tables are free for a party at the door, and nothing was written", (_O.NOOP,)),
    )
    SEATED = "seated", ReasonFacts("seated", "the party has sat down", (_O.CONFIRMED,), event=EventType.SEATED)
    LEFT = (
        "left",
        ReasonFacts(
            "left", "the party has gone, and the rest of its time is free", (_O.CONFIRMED,), event=EventType.LEFT
        ),
    )
    NO_SHOW = "no_show", ReasonFacts("nobody came", "the party never came", (_O.CANCELLED,), event=EventType.NO_SHOW)
    REARRANGED = (
        "rearranged",
        ReasonFacts(
            "given other tables",
            "a person gave it other tables, with others in one act",
            (_O.CONFIRMED, _O.ASSIGNED),
            event=EventType.REARRANGED,
        ),
    )
    LAYING_TIME = (
        "laying_time",
        ReasonFacts(
            "its table is to be laid then",
            'nothing but laying time is in the way: a person may shorten it with ``allow=["laying_time"]``',
            (_O.KEPT,),
        ),
    )
    LAYING_SHORTENED = (
        "laying_shortened",
        ReasonFacts(
            "with less time to lay the table",
            "a person let another party sit closer to its turn: less of the buffer between the two is kept",
            (),
        ),
    )
    EXTENDED = (
        "extended",
        ReasonFacts("extended", "the party stays on", (_O.CONFIRMED, _O.ASSIGNED), event=EventType.EXTENDED),
    )
    REINSTATED = (
        "reinstated",
        ReasonFacts(
            "reinstated",
            "its cancellation or failure was undone: it has the tables that it had, or waits for others",
            (_O.CONFIRMED, _O.ASSIGNED),
            event=EventType.REINSTATED,
        ),
    )
    HOLD_EXTENDED = (
        "hold_extended",
        ReasonFacts("held for longer", "its tables are held for longer, until it is confirmed", (_O.ASSIGNED,)),
    )
    PARTY_CHANGED = (
        "party_changed",
        ReasonFacts(
            "another number of guests", "another number of guests came, or will come", (_O.CONFIRMED, _O.ASSIGNED)
        ),
    )
    TABLE_IN_USE = (
        "table_in_use",
        ReasonFacts(
            "another party sits at its table",
            "another party sits at its table: the answer, or the event, names that party's booking",
            (_O.KEPT,),
            event=EventType.TABLE_IN_USE,
            severity=Severity.WARNING,
        ),
    )
    SITS = (
        "sits",
        ReasonFacts(
            "its party sits at its tables",
            "its party sits at its tables, which nothing but `left` or a move by a person takes from it",
            (_O.KEPT,),
        ),
    )
    HANDED_OVER = (
        "handed_over",
        ReasonFacts(
            "handed over",
            "the pipeline was switched off while it waited: your own planner has it now",
            (_O.NOOP,),
            event=EventType.HANDED_OVER,
            severity=Severity.WARNING,
        ),
    )
    TAKEN_OVER = (
        "taken_over",
        ReasonFacts(
            "taken over",
            "a person has taken it back from your own planner",
            (_O.CONFIRMED, _O.RETRY),
            event=EventType.TAKEN_OVER,
        ),
    )
    ADOPTED = (
        "adopted",
        ReasonFacts(
            "adopted", "your own planner had seated it, and the pipeline plans around that", (), event=EventType.ADOPTED
        ),
    )
    LEGACY_EXHAUSTED = (
        "legacy_exhausted",
        ReasonFacts(
            "the legacy planner found no tables",
            "your own planner was handed it, and found no tables",
            (_O.MANUAL_REVIEW,),
        ),
    )
    LEGACY_ERROR = (
        "legacy_error",
        ReasonFacts("the legacy planner failed", "your own planner was handed it, and raised", (_O.MANUAL_REVIEW,)),
    )
    HANDOVER_TIMEOUT = (
        "handover_timeout",
        ReasonFacts(
            "the legacy planner did not answer",
            "your own planner was handed it, and nobody heard of it again",
            (_O.MANUAL_REVIEW,),
        ),
    )


def reasons_for(role: Role) -> frozenset[Reason]:
    """The reasons that count as *role*."""
    return frozenset(reason for reason in Reason if role in reason.facts.counts_as)


IMPOSSIBLE = reasons_for(Role.IMPOSSIBLE)
"""The reasons for which a party could never be seated as it asked."""

WAITS_FOR_TABLES = reasons_for(Role.WAITS_FOR_TABLES)
"""The reasons that freed tables may do away with."""

PROVED = reasons_for(Role.PROVED)
"""The reasons for which no plan exists: every table is taken, or the house takes no more arrivals then."""

NOT_ITS_FAULT = reasons_for(Role.NOT_ITS_FAULT)
"""The reasons for which a booking ends through no fault of an assignment."""

CLAIM_COMES_BACK = reasons_for(Role.CLAIM_COMES_BACK)
"""The reasons for which the sweep puts a claim back, and does not count it."""

FAULTS = frozenset(reason for reason in Reason if reason.facts.severity is Severity.ERROR)
"""The reasons that are errors: traces are marked as failed for them."""


FACTS: Mapping[str | None, ReasonFacts] = {reason.value: reason.facts for reason in Reason}
"""What follows from each reason, by its code."""


def sentence_of(code: str | None) -> str:
    """What people read for a reason's code: empty for none, the code's own words for one that is not known here."""
    facts = FACTS.get(code)
    return facts.sentence if facts is not None else (code or "").replace("_", " ")
