"""Feature flags: what they say about a restaurant, and why."""

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
