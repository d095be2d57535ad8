"""Feature flags: what they say about a restaurant, and why."""

from typing import TYPE_CHECKING

from assignment_pipeline.on_use import on_use

if TYPE_CHECKING:
    from assignment_pipeline.rollout.flags.cohorts import basis_points, bucket
    from assignment_pipeline.rollout.flags.environment import EnvFlags
    from assignment_pipeline.rollout.flags.layered import LayeredFlags
    from assignment_pipeline.rollout.flags.settings import (
        DEFAULT_SALT,
        Deciding,
        ExplainedFlags,
        Explanation,
        FixedFlags,
        FlagRule,
        FlagSettings,
    )
    from assignment_pipeline.rollout.flags.stored import StoreFlags
else:
    __getattr__ = on_use(
        __name__,
        {
            "rollout.flags.cohorts": "basis_points bucket",
            "rollout.flags.environment": "EnvFlags",
            "rollout.flags.layered": "LayeredFlags",
            "rollout.flags.settings": (
                "DEFAULT_SALT Deciding ExplainedFlags Explanation FixedFlags FlagRule FlagSettings"
            ),
            "rollout.flags.stored": "StoreFlags",
        },
    )

__all__ = [
    "DEFAULT_SALT",
    "Deciding",
    "EnvFlags",
    "ExplainedFlags",
    "Explanation",
    "FixedFlags",
    "FlagRule",
    "FlagSettings",
    "LayeredFlags",
    "StoreFlags",
    "basis_points",
    "bucket",
]
