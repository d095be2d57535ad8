"""The shadow: what the pipeline would have done, held against what legacy did."""

from assignment_pipeline.rollout.shadow.bundles import Rerun, rerun
from assignment_pipeline.rollout.shadow.candidate import Trial
from assignment_pipeline.rollout.shadow.judging import Judgement
from assignment_pipeline.rollout.shadow.lanes import ShadowCounts
from assignment_pipeline.rollout.shadow.runner import ShadowRunner
from assignment_pipeline.rollout.shadow.settings import Runs, Shadow

__all__ = [
    "Judgement",
    "Rerun",
    "Runs",
    "Shadow",
    "ShadowCounts",
    "ShadowRunner",
    "Trial",
    "rerun",
]
