"""What is wrong with an installation, and what to do about it."""

from assignment_pipeline.rollout.doctor.checks import examine
from assignment_pipeline.rollout.doctor.diagnosis import Finding, Health
from assignment_pipeline.rollout.doctor.host import examine_host

__all__ = [
    "Finding",
    "Health",
    "examine",
    "examine_host",
]
