"""What the pipeline needs from the outside world. Adapters implement these protocols; hosts may bring their own."""

from typing import TYPE_CHECKING

from assignment_pipeline.on_use import on_use

if TYPE_CHECKING:
    from assignment_pipeline.domain.blocks import TableBlock
    from assignment_pipeline.domain.counts import Agreement, Backlog, Calls, Latency, Outcomes, ReverseAgreement, Volume
    from assignment_pipeline.domain.days import ComparedDay, Side
    from assignment_pipeline.domain.floor import Occupied
    from assignment_pipeline.domain.metrics import Bucket, Metrics, MetricsQuery, Seen
    from assignment_pipeline.domain.pacing import ArrivingParty, PacingCap
    from assignment_pipeline.domain.record import AssignmentChange, Attempt, AttemptResult, CommitPreconditions
    from assignment_pipeline.domain.rollout import RolloutRevision
    from assignment_pipeline.domain.shadow import (
        PipelineAnswer,
        ShadowBundle,
        ShadowCase,
        ShadowVerdict,
        StoredCase,
    )
    from assignment_pipeline.domain.trail import BookingTrail, Whereabouts
    from assignment_pipeline.domain.wake_order import WakeOrder, in_turn
    from assignment_pipeline.ports.audit import MOST_EVENTS, NEAR, AsyncAuditStore, AuditStore
    from assignment_pipeline.ports.caps import check_caps
    from assignment_pipeline.ports.checked_host import CheckedHost, read_bookings, unknown_tables
    from assignment_pipeline.ports.claims import CLAIM, WOKEN_WITHIN, Due, alone, is_ahead, woken_at
    from assignment_pipeline.ports.clock import Clock
    from assignment_pipeline.ports.events import EventSink
    from assignment_pipeline.ports.flags import FlagDecision, FlagResolver, StaleFlags, UnreadFlags
    from assignment_pipeline.ports.host import (
        AsyncLegacyPlanner,
        Host,
        LegacyDryRun,
        LegacyPlanner,
        OnCommit,
        RestaurantsHost,
    )
    from assignment_pipeline.ports.loading import AssignmentContext, LoadQuery, waits
    from assignment_pipeline.ports.locks import AsyncLockManager, Lease, Leases, LockManager, Refused, Wanted
    from assignment_pipeline.ports.metrics import MetricsStore
    from assignment_pipeline.ports.observer import Observer, Watch
    from assignment_pipeline.ports.records import (
        MOST_DUE,
        RecordPage,
        RecordQuery,
        in_page,
        is_unfinished,
        may_be_due,
        place_in_queue,
        read_place,
        urgency,
    )
    from assignment_pipeline.ports.rollout import RolloutStore
    from assignment_pipeline.ports.shadow import ShadowStore
    from assignment_pipeline.ports.store import AssignmentStore, AsyncAssignmentStore
    from assignment_pipeline.ports.waiting import UNREADABLE, UnreadableBooking, Waiting
else:
    # An application makes only the classes that it uses.
    __getattr__ = on_use(
        __name__,
        {
            "domain.blocks": "TableBlock",
            "domain.counts": "Agreement Backlog Calls Latency Outcomes ReverseAgreement Volume",
            "domain.days": "ComparedDay Side",
            "domain.floor": "Occupied",
            "domain.metrics": "Bucket Metrics MetricsQuery Seen",
            "domain.pacing": "ArrivingParty PacingCap",
            "domain.record": "AssignmentChange Attempt AttemptResult CommitPreconditions",
            "domain.rollout": "RolloutRevision",
            "domain.shadow": "PipelineAnswer ShadowBundle ShadowCase ShadowVerdict StoredCase",
            "ports.caps": "check_caps",
            "ports.checked_host": "CheckedHost read_bookings unknown_tables",
            "ports.claims": "CLAIM WOKEN_WITHIN Due alone is_ahead woken_at",
            "ports.clock": "Clock",
            "ports.events": "EventSink",
            "ports.flags": "FlagDecision FlagResolver StaleFlags UnreadFlags",
            "ports.host": "AsyncLegacyPlanner Host LegacyDryRun LegacyPlanner OnCommit RestaurantsHost",
            "ports.locks": "AsyncLockManager Lease Leases LockManager Refused Wanted",
            "ports.metrics": "MetricsStore",
            "ports.observer": "Observer Watch",
            "ports.rollout": "RolloutStore",
            "ports.shadow": "ShadowStore",
            "ports.store": "AssignmentStore AsyncAssignmentStore",
            "ports.loading": "AssignmentContext LoadQuery waits",
            "ports.records": (
                "MOST_DUE RecordPage RecordQuery in_page is_unfinished may_be_due place_in_queue read_place urgency"
            ),
            "ports.waiting": "UNREADABLE UnreadableBooking Waiting",
            "domain.trail": "BookingTrail Whereabouts",
            "ports.audit": "MOST_EVENTS NEAR AsyncAuditStore AuditStore",
            "domain.wake_order": "WakeOrder in_turn",
        },
    )

__all__ = [
    "CLAIM",
    "MOST_DUE",
    "MOST_EVENTS",
    "NEAR",
    "UNREADABLE",
    "WOKEN_WITHIN",
    "Agreement",
    "ArrivingParty",
    "AssignmentChange",
    "AssignmentContext",
    "AssignmentStore",
    "AsyncAssignmentStore",
    "AsyncAuditStore",
    "AsyncLegacyPlanner",
    "AsyncLockManager",
    "Attempt",
    "AttemptResult",
    "AuditStore",
    "Backlog",
    "BookingTrail",
    "Bucket",
    "Calls",
    "CheckedHost",
    "Clock",
    "CommitPreconditions",
    "ComparedDay",
    "Due",
    "EventSink",
    "FlagDecision",
    "FlagResolver",
    "Host",
    "Latency",
    "Lease",
    "Leases",
    "LegacyDryRun",
    "LegacyPlanner",
    "LoadQuery",
    "LockManager",
    "Metrics",
    "MetricsQuery",
    "MetricsStore",
    "Observer",
    "Occupied",
    "OnCommit",
    "Outcomes",
    "PacingCap",
    "PipelineAnswer",
    "RecordPage",
    "RecordQuery",
    "Refused",
    "RestaurantsHost",
    "ReverseAgreement",
    "RolloutRevision",
    "RolloutStore",
    "Seen",
    "ShadowBundle",
    "ShadowCase",
    "ShadowStore",
    "ShadowVerdict",
    "Side",
    "StaleFlags",
    "StoredCase",
    "TableBlock",
    "UnreadFlags",
    "UnreadableBooking",
    "Volume",
    "Waiting",
    "WakeOrder",
    "Wanted",
    "Watch",
    "Whereabouts",
    "alone",
    "check_caps",
    "in_page",
    "in_turn",
    "is_ahead",
    "is_unfinished",
    "may_be_due",
    "place_in_queue",
    "read_bookings",
    "read_place",
    "unknown_tables",
    "urgency",
    "waits",
    "woken_at",
]
