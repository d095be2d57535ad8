"""Assigns tables to restaurant bookings: exactly once, with an explanation, rolled out in steps."""

import logging
from typing import TYPE_CHECKING

from assignment_pipeline.on_use import on_use

if TYPE_CHECKING:
    from assignment_pipeline.coordinator import AsyncCoordinator, Coordinator
    from assignment_pipeline.domain.adoption import AdoptReport, LegacySeat
    from assignment_pipeline.domain.allocation import Allocation
    from assignment_pipeline.domain.availability import Availability, DayAvailability, Slot, SlotStatus
    from assignment_pipeline.domain.blocks import BlockResult
    from assignment_pipeline.domain.booking import Booking, SeatingPreference
    from assignment_pipeline.domain.calendar import Calendar, Opening
    from assignment_pipeline.domain.combination import Combination, Group
    from assignment_pipeline.domain.day import ServiceDay
    from assignment_pipeline.domain.events import Event, EventType, Severity, Source
    from assignment_pipeline.domain.floor import CommunalTable, Counter, FloorPlan, Occupied, Seating, Table
    from assignment_pipeline.domain.pacing import PacingRule
    from assignment_pipeline.domain.policy import (
        AdjacencyMode,
        Arrivals,
        EndRule,
        PeriodTurn,
        Reseat,
        ServicePeriod,
        SpecialDay,
        TurnBand,
        TurnFrom,
        VenuePolicy,
        Weights,
    )
    from assignment_pipeline.domain.record import AssignmentRecord, Owner, StateChange
    from assignment_pipeline.domain.result import (
        AssignmentResult,
        Decision,
        LegacyOutcome,
        LegacyResult,
        Mode,
        Move,
        Outcome,
        Plan,
        Reason,
    )
    from assignment_pipeline.domain.review import ReviewCase, ReviewCases
    from assignment_pipeline.domain.room import DueParty, NextParty, OverParty, TableInUse, WayOut
    from assignment_pipeline.domain.rows import RowOfSeats
    from assignment_pipeline.domain.statuses import StatusMap
    from assignment_pipeline.domain.trail import BookingTrail, FloorView, PartyOnFloor, Presence, TableOnFloor
    from assignment_pipeline.domain.turns import TurnReport, TurnStats
    from assignment_pipeline.domain.venue import Venue
    from assignment_pipeline.domain.wake_order import WakeOrder
    from assignment_pipeline.domain.windows import TimeWindow
    from assignment_pipeline.domain.zones import TableOffer, Terms, Zone
    from assignment_pipeline.errors import (
        AssignmentPipelineError,
        BookingNotFoundError,
        FlagError,
        IllegalTransitionError,
        PlacementRefusedError,
        StaleRecordError,
        StoreUnavailableError,
        TableConflictError,
        VenueNotFoundError,
    )
    from assignment_pipeline.flow.assigning.reoptimize import Reoptimization
    from assignment_pipeline.flow.settings import Confirmation, Impossible, InFlight, Settings, Takeover
    from assignment_pipeline.flow.sweeping.sweep import SweepReport
    from assignment_pipeline.joined import AsyncJoined, Joined
    from assignment_pipeline.lifecycle import TRANSITIONS, AssignmentState, Trigger, build_machine, step
    from assignment_pipeline.planning.base import (
        Budget,
        Engine,
        Evaluation,
        FloorSnapshot,
        Occupancy,
        Rule,
        SeatingRequest,
        Sitting,
        Strategy,
    )
    from assignment_pipeline.planning.pace import Pace
    from assignment_pipeline.planning.rearrange import Rearrangement
    from assignment_pipeline.planning.venue_audit import AuditFinding, VenueAudit
    from assignment_pipeline.rollout.flags import EnvFlags, FixedFlags
else:
    # An application makes only the classes that it uses: all of them take 100 ms.
    __getattr__ = on_use(
        __name__,
        {
            "coordinator": "AsyncCoordinator Coordinator",
            "domain.adoption": "AdoptReport LegacySeat",
            "domain.allocation": "Allocation",
            "domain.availability": "Availability DayAvailability Slot SlotStatus",
            "domain.blocks": "BlockResult",
            "domain.booking": "Booking SeatingPreference",
            "domain.calendar": "Calendar Opening",
            "domain.combination": "Combination Group",
            "domain.day": "ServiceDay",
            "domain.events": "Event EventType Severity Source",
            "domain.floor": "CommunalTable Counter FloorPlan Occupied Seating Table",
            "domain.rows": "RowOfSeats",
            "domain.pacing": "PacingRule",
            "domain.policy": (
                "AdjacencyMode Arrivals EndRule PeriodTurn Reseat ServicePeriod SpecialDay TurnBand TurnFrom "
                "VenuePolicy Weights"
            ),
            "domain.record": "AssignmentRecord Owner StateChange",
            "domain.result": "AssignmentResult Decision LegacyOutcome LegacyResult Mode Move Outcome Plan Reason",
            "domain.room": "DueParty NextParty OverParty TableInUse WayOut",
            "domain.statuses": "StatusMap",
            "domain.turns": "TurnReport TurnStats",
            "domain.venue": "Venue",
            "domain.windows": "TimeWindow",
            "domain.zones": "TableOffer Terms Zone",
            "errors": (
                "AssignmentPipelineError BookingNotFoundError FlagError IllegalTransitionError "
                "PlacementRefusedError StaleRecordError StoreUnavailableError TableConflictError "
                "VenueNotFoundError"
            ),
            "flow.assigning.reoptimize": "Reoptimization",
            "flow.settings": "Confirmation Impossible InFlight Settings Takeover",
            "flow.sweeping.sweep": "SweepReport",
            "joined": "AsyncJoined Joined",
            "lifecycle": "TRANSITIONS AssignmentState Trigger build_machine step",
            "planning.base": "Budget Engine Evaluation FloorSnapshot Occupancy Rule SeatingRequest Sitting Strategy",
            "planning.pace": "Pace",
            "planning.rearrange": "Rearrangement",
            "planning.venue_audit": "AuditFinding VenueAudit",
            "rollout.flags": "EnvFlags FixedFlags",
            "domain.trail": "BookingTrail FloorView PartyOnFloor Presence TableOnFloor",
            "domain.wake_order": "WakeOrder",
            "domain.review": "ReviewCase ReviewCases",
        },
    )


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


# A library says nothing unless it is asked to.
logging.getLogger("assignment_pipeline").addHandler(logging.NullHandler())

__all__ = [
    "TRANSITIONS",
    "AdjacencyMode",
    "AdoptReport",
    "Allocation",
    "Arrivals",
    "AssignmentPipelineError",
    "AssignmentRecord",
    "AssignmentResult",
    "AssignmentState",
    "AsyncCoordinator",
    "AsyncJoined",
    "AuditFinding",
    "Availability",
    "BlockResult",
    "Booking",
    "BookingNotFoundError",
    "BookingTrail",
    "Budget",
    "Calendar",
    "Combination",
    "CommunalTable",
    "Confirmation",
    "Coordinator",
    "Counter",
    "DayAvailability",
    "Decision",
    "DueParty",
    "EndRule",
    "Engine",
    "EnvFlags",
    "Evaluation",
    "Event",
    "EventType",
    "FixedFlags",
    "FlagError",
    "FloorPlan",
    "FloorSnapshot",
    "FloorView",
    "Group",
    "IllegalTransitionError",
    "Impossible",
    "InFlight",
    "Joined",
    "LegacyOutcome",
    "LegacyResult",
    "LegacySeat",
    "Mode",
    "Move",
    "NextParty",
    "Occupancy",
    "Occupied",
    "Opening",
    "Outcome",
    "OverParty",
    "Owner",
    "Pace",
    "PacingRule",
    "PartyOnFloor",
    "PeriodTurn",
    "PlacementRefusedError",
    "Plan",
    "Presence",
    "Rearrangement",
    "Reason",
    "Reoptimization",
    "Reseat",
    "ReviewCase",
    "ReviewCases",
    "RowOfSeats",
    "Rule",
    "Seating",
    "SeatingPreference",
    "SeatingRequest",
    "ServiceDay",
    "ServicePeriod",
    "Settings",
    "Severity",
    "Sitting",
    "Slot",
    "SlotStatus",
    "Source",
    "SpecialDay",
    "StaleRecordError",
    "StateChange",
    "StatusMap",
    "StoreUnavailableError",
    "Strategy",
    "SweepReport",
    "Table",
    "TableConflictError",
    "TableInUse",
    "TableOffer",
    "TableOnFloor",
    "Takeover",
    "Terms",
    "TimeWindow",
    "Trigger",
    "TurnBand",
    "TurnFrom",
    "TurnReport",
    "TurnStats",
    "Venue",
    "VenueAudit",
    "VenueNotFoundError",
    "VenuePolicy",
    "WakeOrder",
    "WayOut",
    "Weights",
    "Zone",
    "build_machine",
    "step",
]
