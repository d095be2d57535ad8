"""What a shadow run is about, and what came of it."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping
from typing import Any

import attrs

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.checks import as_dict, aware, enum_fields, identifier, optional_identifier, to_utc
from assignment_pipeline.domain.record import Owner
from assignment_pipeline.domain.result import LegacyResult, Outcome, Reason


class ShadowVerdict(enum.StrEnum):
    """How the pipeline's answer compares with legacy's; either of the two may be the candidate."""

    MATCH = "match"
    """The same tables, or none on both sides."""

    EQUIVALENT = "equivalent"
    """Other tables that cost the same."""

    MISMATCH = "mismatch"
    """Anything else; see `Difference`."""

    LEGACY_ERROR = "legacy_error"
    """The legacy planner raised."""

    PIPELINE_ERROR = "pipeline_error"
    """The pipeline raised, could not read its store, or planned what cannot be."""

    BOTH_ERROR = "both_error"

    TIMEOUT = "timeout"
    """The candidate did not answer within the deadline."""

    DROPPED = "dropped"
    """It was never asked: too many were waiting."""

    INCOMPARABLE = "incomparable"
    """The two have not seen the same floor, or there is nothing to compare. Outside the gates."""


class Difference(enum.StrEnum):
    """What a mismatch is about."""

    TABLES = "tables"
    PIPELINE_ONLY = "pipeline_only"
    LEGACY_ONLY = "legacy_only"


class Incomparable(enum.StrEnum):
    """Why a case cannot be compared, where that is the legacy planner's doing."""

    UNREADABLE_ANSWER = "unreadable_answer"
    """It answered something else than a `LegacyResult`."""

    UNKNOWN_TABLES = "unknown_tables"
    """It named tables that the floor does not have."""

    LEGACY_TABLES_TAKEN = "legacy_tables_taken"
    """It gave away tables that were taken."""


UNREADABLE = frozenset({Incomparable.UNREADABLE_ANSWER, Incomparable.UNKNOWN_TABLES})
"""What keeps a gate from passing: the shadow compares nothing then."""

KEPT_VERDICTS = frozenset(
    {
        ShadowVerdict.MISMATCH,
        ShadowVerdict.LEGACY_ERROR,
        ShadowVerdict.PIPELINE_ERROR,
        ShadowVerdict.BOTH_ERROR,
        ShadowVerdict.INCOMPARABLE,
    }
)
"""The verdicts whose bundles are kept; `INCOMPARABLE` only where it is of a kind in `Incomparable`."""


@attrs.frozen(kw_only=True, field_transformer=enum_fields)
class PipelineAnswer:
    """
    What the pipeline did with a booking where it is in charge.

    Attributes:
        outcome: How it came out.

        reason: Why, or None where there is nothing to say.

        tables: The tables that it gave the booking; none if it did not.

        strategy: What found them.

        moved: Other bookings that it gave other tables to make room.
    """

    outcome: Outcome = attrs.field(converter=Outcome)
    reason: Reason | None = attrs.field(default=None, converter=attrs.converters.optional(Reason))
    tables: tuple[str, ...] = ()
    strategy: str | None = None
    moved: tuple[str, ...] = ()


@attrs.frozen(kw_only=True, eq=False)
class ShadowCase:
    """
    A call of the planner that is in charge, to be held against what the other one would have done.

    Attributes:
        id: Names the case, its events and its bundle.

        captured_at: When the call began.

        booking: The booking as it was given. Where the case is written down, without its attributes.

        legacy: What the legacy planner answered; None if it raised, or answered what cannot be read.

        error: The class of what it raised, or None.

        legacy_ms: How long it took, in milliseconds; None where that was not measured.

        trigger: What brought the call about.

        pipeline: What the pipeline did, where it is in charge: then legacy is the candidate, and `legacy` is what it
            answered in its dry run, once that was called. None where legacy is in charge.
    """

    id: str
    captured_at: dt.datetime
    booking: Booking
    legacy: LegacyResult | None = None
    error: str | None = None
    legacy_ms: float | None = None
    trigger: str = "creation"
    pipeline: PipelineAnswer | None = None

    @property
    def candidate(self) -> Owner:
        """Which of the two planners is the candidate, which never writes: the one that is not in charge."""
        return Owner.PIPELINE if self.pipeline is None else Owner.LEGACY


@attrs.frozen(kw_only=True)
class StoredCase:
    """
    A case as a store keeps it, for a worker to take.

    Attributes:
        id: Its id.

        captured_at: When the call began.

        restaurant_id: The restaurant.

        booking_id: The booking.

        document: The case: a JSON object.

        deliveries: How often it was handed out, this time included.
    """

    id: str = attrs.field(validator=identifier)
    captured_at: dt.datetime = attrs.field(converter=to_utc, validator=aware)
    restaurant_id: str = attrs.field(validator=identifier)
    booking_id: str = attrs.field(validator=identifier)
    document: Mapping[str, Any] = attrs.field(converter=as_dict, hash=False)
    deliveries: int = 0


@attrs.frozen(kw_only=True, field_transformer=enum_fields)
class ShadowBundle:
    """
    All that is needed to run a case again.

    Attributes:
        id: The case's id.

        captured_at: When legacy was called.

        restaurant_id: The restaurant.

        booking_id: The booking.

        verdict: How the two compared.

        kind: What the difference is about, or what went wrong; None where there is nothing to say.

        cost_difference: The cost of the pipeline's tables less that of legacy's, in wasted seats: below zero, the
            pipeline's are better. None where one of the two has none.

        candidate: Which of the two planners was asked what it would have done: the other one was in charge.

        document: The case and the floor: a JSON object. Empty in a listing.
    """

    id: str = attrs.field(validator=identifier)
    captured_at: dt.datetime = attrs.field(converter=to_utc, validator=aware)
    restaurant_id: str = attrs.field(validator=identifier)
    booking_id: str = attrs.field(validator=identifier)
    verdict: ShadowVerdict = attrs.field(converter=ShadowVerdict)
    kind: str | None = attrs.field(default=None, validator=optional_identifier)
    cost_difference: float | None = None
    candidate: Owner = attrs.field(default=Owner.PIPELINE, converter=Owner)
    document: Mapping[str, Any] = attrs.field(factory=dict, converter=as_dict, hash=False)

    @property
    def legacy_tables(self) -> tuple[str, ...]:
        """The tables that legacy answered. None in a listing, if it seated nobody, and if the document was changed."""
        found: Any = self.document
        for name in ("case", "legacy", "tables"):
            found = found.get(name) if isinstance(found, Mapping) else None
        return tuple(found) if isinstance(found, list) and all(isinstance(each, str) for each in found) else ()
