"""The lifecycle's lookup and its Machine are the same, and lead nowhere that they should not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transitions import MachineError

from assignment_pipeline.errors import IllegalTransitionError
from assignment_pipeline.lifecycle import (
    FINAL,
    SETTLED,
    TRANSITIONS,
    AssignmentState,
    Trigger,
    build_machine,
    diagram,
    step,
    walk,
)

STATES = st.sampled_from(AssignmentState)
TRIGGERS = st.sampled_from(Trigger)


class Model:
    """What a Machine is attached to."""

    state: str


@pytest.mark.parametrize("state", AssignmentState)
@pytest.mark.parametrize("trigger", Trigger)
def test_the_lookup_is_the_machine(state, trigger):
    """In every state, every trigger does the same in both."""
    model = Model()
    machine = build_machine(model)
    machine.set_state(state.value, model)
    try:
        fired = getattr(model, trigger.value)()
    except MachineError:
        with pytest.raises(IllegalTransitionError) as refused:
            step(state, trigger)
        assert refused.value.args == (state.value, trigger.value)
        assert str(refused.value).startswith(f"An assignment that is {state} cannot {trigger}.")
        assert ("`reinstate` puts it back" in str(refused.value)) is (state in FINAL)
    else:
        assert fired
        assert step(state, trigger) == model.state


@given(triggers=st.lists(TRIGGERS, max_size=30))
def test_walks_are_the_machines(triggers):
    """Wherever a walk leads, the Machine has been led there, too."""
    model = Model()
    build_machine(model)
    state = AssignmentState.CREATED
    for trigger in triggers:
        if trigger.value not in build_machine().get_triggers(model.state):
            continue
        assert getattr(model, trigger.value)()
        state = step(state, trigger)
        assert state == model.state


@given(start=STATES, triggers=st.lists(TRIGGERS, min_size=1, max_size=8))
def test_a_walk_is_its_steps(start, triggers):
    """A walk is legal if each of its steps is, and has one state for each of them."""
    state, states = start, []
    for trigger in triggers:
        try:
            state = step(state, trigger)
        except IllegalTransitionError as error:
            refused = error.args
            break
        states.append(state)
    else:
        assert walk(start, tuple(triggers)) == tuple(states)
        return
    with pytest.raises(IllegalTransitionError) as raised:
        walk(start, tuple(triggers))
    assert raised.value.args == refused


@pytest.mark.parametrize("state", sorted(FINAL))
@pytest.mark.parametrize("trigger", Trigger)
def test_what_is_final_is_left_by_reinstating_alone(state, trigger):
    """Nothing else leads out of failed and cancelled, and that leads to where it can begin."""
    if trigger is Trigger.REINSTATE:
        assert step(state, trigger) is AssignmentState.ASSIGNMENT_PENDING
        return
    with pytest.raises(IllegalTransitionError):
        step(state, trigger)


@pytest.mark.parametrize("state", sorted(set(AssignmentState) - FINAL))
def test_what_has_not_ended_is_not_reinstated(state):
    """There is nothing to undo."""
    with pytest.raises(IllegalTransitionError):
        step(state, Trigger.REINSTATE)


def test_everything_else_can_be_cancelled():
    """A guest may cancel whatever the assignment's state."""
    for state in set(AssignmentState) - FINAL:
        assert step(state, Trigger.CANCEL) is AssignmentState.CANCELLED


def test_every_state_can_be_reached():
    """No state of the table is dead, and each leads on."""
    reached = {AssignmentState.CREATED}
    for _ in AssignmentState:
        reached |= {row.dest for row in TRANSITIONS if row.dest and reached & set(row.sources)}
    assert reached == set(AssignmentState)
    assert {source for row in TRANSITIONS for source in row.sources} == set(AssignmentState)
    assert {row.trigger for row in TRANSITIONS} == set(Trigger)


def test_what_is_settled_cannot_begin():
    """What assign() leaves alone, the table does not let it begin with."""
    for state in SETTLED:
        with pytest.raises(IllegalTransitionError):
            step(state, Trigger.BEGIN)


def test_machines_have_no_back_doors():
    """A model can be moved by the triggers alone."""
    model = Model()
    machine = build_machine(model)
    assert set(machine.events) == {trigger.value for trigger in Trigger}
    assert not hasattr(model, "to_confirmed")


def test_a_machine_takes_callbacks():
    """Hosts may hook callbacks into a Machine of their own."""
    seen = []
    model = Model()
    build_machine(model, after_state_change=lambda: seen.append(model.state))
    model.verify()
    model.enqueue()
    assert seen == ["capacity_verified", "assignment_pending"]


def test_the_diagram_has_every_transition():
    """The diagram draws each way from each state once."""
    lines = diagram().splitlines()
    arrows = {f"    {source} --> {row.dest or source}: {row.trigger}" for row in TRANSITIONS for source in row.sources}
    assert arrows <= set(lines)
    assert len(lines) == len(set(lines)) == len(arrows) + len(FINAL) + 2


def test_a_loaded_model_stays_where_it_is():
    """A model that was read from a row keeps its state, and one without any begins at the start."""

    class Loaded:
        state = "confirmed"

    model = Loaded()
    build_machine(model)
    assert model.state == "confirmed"
    model.cancel()
    assert model.state == "cancelled"
    fresh = Loaded()
    build_machine(fresh, initial="manual_review")
    assert fresh.state == "manual_review"
    fresh.state = "nowhere"
    with pytest.raises(ValueError, match="nowhere"):
        build_machine(fresh)
