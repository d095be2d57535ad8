"""What is wrong with an installation, and what to do about it."""

from assignment_pipeline.rollout.doctor.app_flags import AppFlags
from assignment_pipeline.rollout.doctor.checks import Examined, examine
from assignment_pipeline.rollout.doctor.clocks import examine_clock
from assignment_pipeline.rollout.doctor.diagnosis import Finding, Health
from assignment_pipeline.rollout.doctor.host import Loads, examine_host
from assignment_pipeline.rollout.doctor.restaurants import Restaurants
from assignment_pipeline.rollout.doctor.room import examine_room
from assignment_pipeline.rollout.doctor.timezones import KnowsZones, examine_timezones
from assignment_pipeline.rollout.doctor.venues import examine_venues

__all__ = [
    "AppFlags",
    "Examined",
    "Finding",
    "Health",
    "KnowsZones",
    "Loads",
    "Restaurants",
    "examine",
    "examine_clock",
    "examine_host",
    "examine_room",
    "examine_timezones",
    "examine_venues",
]
