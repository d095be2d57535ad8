"""The rollout as one page to look at."""

from assignment_pipeline.rollout.report.cleanup import Item, is_due, left_to_do
from assignment_pipeline.rollout.report.findings import Findings, archived, find
from assignment_pipeline.rollout.report.headlines import headlines
from assignment_pipeline.rollout.report.html import page

__all__ = [
    "Findings",
    "Item",
    "archived",
    "find",
    "headlines",
    "is_due",
    "left_to_do",
    "page",
]
