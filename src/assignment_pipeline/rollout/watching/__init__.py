"""Alerts on what the rollout does, and who looks at them again and again."""

from assignment_pipeline.rollout.watching.alerts import Alert, Alerts, AlertState
from assignment_pipeline.rollout.watching.watcher import Demote, Watcher, WatchReport

__all__ = [
    "Alert",
    "AlertState",
    "Alerts",
    "Demote",
    "WatchReport",
    "Watcher",
]
