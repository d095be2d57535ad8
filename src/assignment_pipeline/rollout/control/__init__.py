"""The phases of a rollout, the gates between them, and who moves it."""

from assignment_pipeline.rollout.control.bounds import Bound
from assignment_pipeline.rollout.control.course import Look
from assignment_pipeline.rollout.control.exposure import Part, Stretch
from assignment_pipeline.rollout.control.ladder import LADDER, Ladder
from assignment_pipeline.rollout.control.metrics import Count
from assignment_pipeline.rollout.control.phases import PHASES, ROLLBACK, Criterion, Phase, SignOff
from assignment_pipeline.rollout.control.rollout import Rollout
from assignment_pipeline.rollout.control.standing import Standing
from assignment_pipeline.rollout.control.store_gates import StoreGates
from assignment_pipeline.rollout.control.verdicts import Answer, Gates, Verdict

__all__ = [
    "LADDER",
    "PHASES",
    "ROLLBACK",
    "Answer",
    "Bound",
    "Count",
    "Criterion",
    "Gates",
    "Ladder",
    "Look",
    "Part",
    "Phase",
    "Rollout",
    "SignOff",
    "Standing",
    "StoreGates",
    "Stretch",
    "Verdict",
]
