"""The shadow: what the pipeline would have done, held against what legacy did."""

from typing import TYPE_CHECKING

from assignment_pipeline.on_use import on_use

if TYPE_CHECKING:
    from assignment_pipeline.rollout.shadow.bundles import Rerun, rerun
    from assignment_pipeline.rollout.shadow.candidate import Trial
    from assignment_pipeline.rollout.shadow.judging import Judgement
    from assignment_pipeline.rollout.shadow.lanes import ShadowCounts
    from assignment_pipeline.rollout.shadow.runner import ShadowRunner
    from assignment_pipeline.rollout.shadow.settings import Runs, Shadow
else:
    __getattr__ = on_use(
        __name__,
        {
            "rollout.shadow.bundles": "Rerun rerun",
            "rollout.shadow.candidate": "Trial",
            "rollout.shadow.judging": "Judgement",
            "rollout.shadow.lanes": "ShadowCounts",
            "rollout.shadow.runner": "ShadowRunner",
            "rollout.shadow.settings": "Runs Shadow",
        },
    )

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
