"""Gives restaurant bookings their tables: exactly once, explained, and rolled out in steps."""

import logging

from assignment_pipeline.coordinator import AsyncCoordinator, Coordinator
from assignment_pipeline.domain.booking import Booking, SeatingPreference
from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.floor import FloorPlan, Occupied, Table
from assignment_pipeline.domain.policy import AdjacencyMode, ServicePeriod, TurnBand, VenuePolicy, Weights
from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.domain.result import AssignmentResult, Decision, LegacyResult, Mode, Outcome, Reason
from assignment_pipeline.domain.statuses import StatusMap
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow
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
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.flow.sweeping.sweep import SweepReport
from assignment_pipeline.lifecycle import TRANSITIONS, AssignmentState, Trigger, build_machine, step
from assignment_pipeline.rollout.flags import EnvFlags, FixedFlags

# A library says nothing unless it is asked to.
logging.getLogger("assignment_pipeline").addHandler(logging.NullHandler())

__all__ = [
    "TRANSITIONS",
    "AdjacencyMode",
    "AssignmentPipelineError",
    "AssignmentRecord",
    "AssignmentResult",
    "AssignmentState",
    "AsyncCoordinator",
    "Booking",
    "BookingNotFoundError",
    "Coordinator",
    "Decision",
    "EnvFlags",
    "Event",
    "FixedFlags",
    "FlagError",
    "FloorPlan",
    "IllegalTransitionError",
    "LegacyResult",
    "Mode",
    "Occupied",
    "Outcome",
    "PlacementRefusedError",
    "Reason",
    "SeatingPreference",
    "ServicePeriod",
    "Settings",
    "StaleRecordError",
    "StatusMap",
    "StoreUnavailableError",
    "SweepReport",
    "Table",
    "TableConflictError",
    "TimeWindow",
    "Trigger",
    "TurnBand",
    "Venue",
    "VenueNotFoundError",
    "VenuePolicy",
    "Weights",
    "build_machine",
    "step",
]
