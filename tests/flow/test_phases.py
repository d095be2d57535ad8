"""Each phase of the rollout does what its row says, set by the environment or by the database."""

from __future__ import annotations

import attrs
import pytest

from assignment_pipeline import EnvFlags, LegacyResult, Mode, Outcome, Reason
from assignment_pipeline.rollout.control import PHASES, Rollout
from assignment_pipeline.rollout.flags import DEFAULT_SALT, LayeredFlags, StoreFlags, bucket
from assignment_pipeline.rollout.flags.environment import VARIABLES

V3 = "FEATURE_ASSIGNMENT_PIPELINE_V3"
ACTIVE = ("local", "staging-full", "production-10", "production-50", "production-100")
SHADOW = ("staging-shadow", "production-shadow")


def row(enabled, shadow):
    """Three variables, as they stand in one row of the quick reference."""
    return {V3: enabled, f"{V3}_SHADOW": shadow, f"{V3}_MAX_PARALLEL": "3"}


ROWS = {
    **dict.fromkeys(ACTIVE, row("true", "false")),
    **dict.fromkeys(SHADOW, row("false", "true")),
    "rollback": row("false", "false"),
}


class Legacy:
    """A legacy planner that notes whom it was asked for."""

    def __init__(self):
        self.asked = []

    def __call__(self, booking):
        self.asked.append(booking.id)
        return LegacyResult(("T3",))


@pytest.fixture
def legacy():
    return Legacy()


def assigned(house, legacy, flags):
    """What comes of a booking under those flags."""
    with house.coordinator(flags=flags, legacy=legacy) as coordinator:
        result = coordinator.assign(house.booking())
        if coordinator.shadow is not None:
            coordinator.shadow.flush(20)
    return result


def last_read(house):
    """Flags from the database as it is now, which do not look again by themselves."""
    flags = StoreFlags(house.store, clock=house.clock)
    flags.refresh_now()
    flags.close()
    return flags


def check(phase, result, house, legacy):
    """That it is what the phase's section describes."""
    if phase in ACTIVE:
        assert (result.outcome, result.handled, legacy.asked) == (Outcome.CONFIRMED, True, [])
        assert result.tables == house.record().tables
        assert "booking.assignment_state_transition" in [event.type for event in house.store.events]
    else:
        assert (result.outcome, legacy.asked) == (Outcome.NOOP, ["B1"])
        assert result.legacy.tables == ("T3",)
        assert house.record() is None
    if phase in SHADOW:
        assert result.reason is Reason.SHADOW
        assert "shadow" in {event.context.get("mode") for event in house.sink.events}
    if phase == "rollback":
        assert result.reason is Reason.PIPELINE_DISABLED


@pytest.mark.parametrize("phase", PHASES)
def test_a_row_of_three_variables(house, legacy, phase):
    """As they are copied: active, in shadow, or off, for every restaurant."""
    check(phase, assigned(house, legacy, EnvFlags(ROWS[phase])), house, legacy)


@pytest.mark.parametrize("phase", PHASES)
def test_our_rows_are_those_and_a_percentage(phase):
    """What the command line prints for a phase has the same three, and where something is on, how much of it."""
    variables = PHASES[phase].variables
    assert variables | ROWS[phase] == variables
    assert set(variables) - set(ROWS[phase]) == ({f"{V3}_PERCENT"} if phase in ACTIVE else set())
    assert EnvFlags(variables).settings == PHASES[phase].settings


@pytest.mark.parametrize(("phase", "points"), [("production-10", 1_000), ("production-50", 5_000)])
@pytest.mark.parametrize("inside", [True, False])
def test_a_percentage_is_one(house, legacy, phase, points, inside):
    """With its percentage, a partial phase is active where that covers the restaurant, and off elsewhere."""
    name = next(name for name in map(str, range(1000)) if (bucket(name, DEFAULT_SALT) < points) is inside)
    house.venue = attrs.evolve(house.venue, id=name)
    house.host.put_venue(house.venue)
    result = assigned(house, legacy, EnvFlags(PHASES[phase].variables))
    check(phase if inside else "rollback", result, house, legacy)


@pytest.mark.parametrize("phase", PHASES)
def test_the_database_says_the_same(house, legacy, phase):
    """A phase that is entered does what its row does, without a variable."""
    rollout = Rollout(house.store, clock=house.clock)
    if phase == "rollback":
        rollout.rollback(actor="dana", reason="a drill")
    else:
        rollout.enter(phase, actor="dana", reason="a drill", force=True)
    rollout.list_restaurants(actor="dana", reason="a pilot", always=[house.venue.id])
    flags = last_read(house)
    check(phase, assigned(house, legacy, LayeredFlags(EnvFlags({}), flags)), house, legacy)


def test_a_rollback_refuses_what_is_under_way(house, legacy):
    """What was decided before a rollback does not land after it, and the flags as they are then decide."""
    rollout = Rollout(house.store, clock=house.clock)
    rollout.enter("production-100", actor="dana", reason="a drill", force=True)
    flags = last_read(house)

    def roll_back():
        rollout.rollback(actor="dana", reason="a drill")
        flags.refresh_now()

    house.store.behind["load"] = [roll_back]
    check("rollback", assigned(house, legacy, flags), house, legacy)


def test_workers_that_have_not_heard_of_it_wait(house, legacy):
    """Until its flags are read again, a worker commits nothing and calls nobody: it is to be tried again."""
    rollout = Rollout(house.store, clock=house.clock)
    rollout.enter("production-100", actor="dana", reason="a drill", force=True)
    flags = last_read(house)
    rollout.rollback(actor="dana", reason="a drill")
    assert flags.resolve(house.venue.id).mode is Mode.ACTIVE
    result = assigned(house, legacy, flags)
    assert (result.outcome, result.reason, legacy.asked) == (Outcome.RETRY, Reason.CONFLICT, [])
    assert house.store.asked.count("load") == 1
    assert house.record() is None


def test_every_variable_is_ours():
    """The names in this test are those that are read."""
    assert {name for values in ROWS.values() for name in values} <= {variable.name for variable in VARIABLES.values()}
