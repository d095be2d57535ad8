"""Whether a host does what its protocol says: one list of checks, for the command line and for tests."""

from assignment_pipeline.host_check.checks import CHECKS
from assignment_pipeline.host_check.run import CheckAnswer, acheck, all_is_well, check
from assignment_pipeline.host_check.sample import Say

__all__ = [
    "CHECKS",
    "CheckAnswer",
    "Say",
    "acheck",
    "all_is_well",
    "check",
]
