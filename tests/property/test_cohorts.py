"""Cohorts: who is in at a percentage."""

import collections

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assignment_pipeline.domain.result import Mode
from assignment_pipeline.rollout.flags import EnvFlags, FlagRule, FlagSettings, bucket
from assignment_pipeline.rollout.flags.cohorts import BUCKETS, basis_points, percentage

IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50)
SALTS = st.text(st.characters(max_codepoint=127), max_size=64)
POINTS = st.integers(0, BUCKETS)
MANY = [f"restaurant-{number}" for number in range(100_000)]


def settings(points):
    return FlagSettings(enabled=True, percent=points)


def is_active(points, restaurant_id, salt="s"):
    return settings(points).explain(restaurant_id, source="test", salt=salt).mode is Mode.ACTIVE


@given(IDS, SALTS)
def test_a_bucket_is_a_number_of_basis_points(restaurant_id, salt):
    """It is in range, and the same whenever it is asked for."""
    assert 0 <= bucket(restaurant_id, salt) < BUCKETS
    assert bucket(restaurant_id, salt) == bucket(restaurant_id, salt)


def test_buckets_never_change():
    """A release that drew other buckets would swap restaurants in the middle of a rollout."""
    assert [bucket(name, "assignment-pipeline-v3") for name in ("r1", "r2", "Café")] == [5656, 559, 1858]


@given(IDS, POINTS, POINTS)
def test_a_rising_percentage_only_adds(restaurant_id, one, other):
    """Who is in stays in."""
    low, high = sorted((one, other))
    assert is_active(low, restaurant_id) <= is_active(high, restaurant_id)


@given(IDS, SALTS)
def test_nobody_at_0_and_everybody_at_100_percent(restaurant_id, salt):
    """The ends of the scale are exact."""
    assert not is_active(0, restaurant_id, salt)
    assert is_active(BUCKETS, restaurant_id, salt)


def test_buckets_are_uniform():
    """Of 100,000 restaurants, each tenth of the buckets holds a tenth within 1 %, and so does each percentage."""
    buckets = [bucket(name, "uniform") for name in MANY]
    tenths = collections.Counter(place * 10 // BUCKETS for place in buckets)
    assert all(abs(tenths[tenth] - len(MANY) / 10) <= len(MANY) / 100 for tenth in range(10))
    for percent in (1, 5, 10, 25, 50, 75):
        share = sum(place < percent * 100 for place in buckets) / len(MANY)
        assert abs(share - percent / 100) <= 0.01


def test_salts_are_independent():
    """Who is in the one rollout's half is in the other's as often as anyone."""
    both = sum(bucket(name, "one") < BUCKETS / 2 and bucket(name, "other") < BUCKETS / 2 for name in MANY)
    assert abs(both / len(MANY) - 0.25) <= 0.01


def test_a_salt_does_not_run_into_the_id():
    """Moving a letter from the salt to the id makes another pair."""
    assert bucket("bc", "a") != bucket("c", "ab")


@given(POINTS)
def test_percentages_are_read_exactly(points):
    """Every basis point can be written, and comes back as it was."""
    assert basis_points(percentage(points)) == points
    assert basis_points(f"{points // 100}.{points % 100:02}") == points


@pytest.mark.parametrize(
    ("text", "points"),
    [("12.5", 1250), ("0", 0), ("100", 10_000), ("100.00", 10_000), ("0.01", 1), ("33.33", 3333), ("0.29", 29)],
)
def test_some_percentages(text, points):
    """Also those that a float gets wrong."""
    assert basis_points(text) == points


@given(st.text(max_size=8))
def test_what_is_not_a_percentage_is_refused(text):
    """Either it is read as a number from 0 to 10,000, or it is a `ValueError`."""
    try:
        points = basis_points(text)
    except ValueError:
        return
    assert 0 <= points <= BUCKETS
    assert float(text) == pytest.approx(points / 100)


@given(
    POINTS,
    st.booleans(),
    st.booleans(),
    POINTS,
    IDS,
    st.sets(st.sampled_from(["restaurants", "exclude", "shadow_restaurants"])),
)
def test_the_first_rule_that_applies_decides(points, enabled, shadow, shadow_points, restaurant_id, lists):
    """Disabled, then excluded, then listed, then the percentage."""
    listed = {name: frozenset({restaurant_id}) for name in lists}
    flags = FlagSettings(enabled=enabled, shadow=shadow, percent=points, shadow_percent=shadow_points, **listed)
    found = flags.explain(restaurant_id, source="test", salt="s")
    if not (enabled or shadow):
        expected = (Mode.OFF, FlagRule.DISABLED)
    elif "exclude" in lists:
        expected = (Mode.OFF, FlagRule.EXCLUDED)
    elif enabled and "restaurants" in lists:
        expected = (Mode.ACTIVE, FlagRule.LISTED)
    elif enabled and found.bucket < points:
        expected = (Mode.ACTIVE, FlagRule.PERCENT)
    elif shadow and "shadow_restaurants" in lists:
        expected = (Mode.SHADOW, FlagRule.LISTED)
    elif shadow and found.bucket < shadow_points:
        expected = (Mode.SHADOW, FlagRule.PERCENT)
    else:
        expected = (Mode.OFF, FlagRule.PERCENT)
    assert (found.mode, found.rule) == expected


def test_the_cohort_is_the_same_in_every_process():
    """Two resolvers, made apart, agree on each restaurant."""
    env = {"FEATURE_ASSIGNMENT_PIPELINE_V3": "yes", "FEATURE_ASSIGNMENT_PIPELINE_V3_PERCENT": "37.5"}
    one, other = EnvFlags(env), EnvFlags(env)
    assert all(one.resolve(name) == other.resolve(name) for name in MANY[:1000])
