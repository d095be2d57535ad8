"""Alerts on what the rollout does, and who looks at them again and again."""

from assignment_pipeline.rollout.watching.alerts import Alert, Alerts, AlertState
from assignment_pipeline.rollout.watching.cusum import Cusum
from assignment_pipeline.rollout.watching.rules import AlertRule
from assignment_pipeline.rollout.watching.watcher import Demote, Stopping, WatchedStore, Watcher, WatchReport

__all__ = [
    "Alert",
    "AlertRule",
    "AlertState",
    "Alerts",
    "Cusum",
    "Demote",
    "Stopping",
    "WatchReport",
    "WatchedStore",
    "Watcher",
]
