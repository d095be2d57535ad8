"""What is wrong with an installation, and what to do about it."""

from assignment_pipeline.rollout.doctor.checks import Examined, examine
from assignment_pipeline.rollout.doctor.diagnosis import Finding, Health
from assignment_pipeline.rollout.doctor.host import Loads, examine_host

__all__ = [
    "Examined",
    "Finding",
    "Health",
    "Loads",
    "examine",
    "examine_host",
]
