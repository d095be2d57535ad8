"""Gates and alerts are as rarely wrong, and as soon right, as is published: a small run, with a seed of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "benchmarks.gates", "--json", "--seed", "17", "--runs", "40", "--traffic", "4"]


@pytest.fixture(scope="module")
def found():
    root = Path(__file__).parents[2]
    return json.loads(subprocess.run(COMMAND, cwd=root, check=True, capture_output=True, text=True).stdout)


def test_they_are_wrong_as_rarely_as_they_say(found):
    """Each Monte Carlo interval allows the error that is stated."""
    assert found["false_fail"]["low"] <= 0.05
    assert found["false_pass"]["low"] <= 0.05
    assert found["three_points_worse_passes"]["low"] <= 0.05
    assert found["false_rollback_week"]["4"]["low"] <= 0.05
    assert found["full_evenings_rollback_week"]["0.05"]["low"] <= 0.05
    assert max(each["low"] for each in found["beside_legacy_rollback_week"].values()) <= 0.05
    assert min(each["high"] for each in found["coverage"].values()) >= 0.93


def test_they_are_right_soon_enough(found):
    """Half of the bad releases are rolled back within 40 bookings, and equal planners pass with what the plan says."""
    assert found["detect_80_median"]["low"] <= 40
    assert found["detect_80_at_once_median"]["low"] <= 40
    assert found["beside_legacy_detect_80_median"]["low"] <= 40
    assert found["equal_passes"]["high"] >= 0.8


def test_programs_get_one_object(found):
    """Each number has its value and the end of its interval."""
    assert set(found["coverage"]) == {"0", "0.02", "0.05", "0.1"}
    assert set(found["false_rollback_week"]) == {"4"}
    for name in ("false_fail", "false_pass", "detect_80_median", "equal_passes"):
        assert {"value", "high"} <= set(found[name])


def test_it_says_what_the_best_limit_could_do():
    """For each traffic, by how alike the bookings of an hour are and are taken to be."""
    command = [*COMMAND[:3], "--attainable", "--traffic", "4", "--runs", "10"]
    said = subprocess.run(command, cwd=Path(__file__).parents[2], check=True, capture_output=True, text=True).stdout
    lines = said.splitlines()
    assert len(lines) == 8
    assert all("   4 an hour" in line and "caught after" in line for line in lines)
