"""How a coordinator is made: what it takes, and what it says where something is missing."""

import inspect
import typing
import warnings

import pytest

from assignment_pipeline import AsyncCoordinator, Coordinator, EnvFlags, FixedFlags, LegacyResult, Mode
from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore
from assignment_pipeline.ports import AsyncLockManager, LockManager
from assignment_pipeline.rollout.flags.environment import VARIABLES


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """An environment that sets no flags."""
    for variable in VARIABLES.values():
        monkeypatch.delenv(variable.name, raising=False)
    return monkeypatch


@pytest.fixture
def store():
    return MemoryStore(MemoryHost())


def legacy(booking):
    """A planner that has no table."""
    return LegacyResult()


@pytest.mark.parametrize("kind", [Coordinator, AsyncCoordinator])
def test_without_flags_one_warning_says_what_is_missing(kind, store):
    """It names both ways to switch the pipeline on, and the line that made the coordinator."""
    with pytest.warns(UserWarning, match="off everywhere") as found:
        kind(store)
    [warning] = found
    assert warning.filename == __file__
    assert "FixedFlags(Mode.ACTIVE)" in str(warning.message)
    assert "FEATURE_ASSIGNMENT_PIPELINE_V3=true" in str(warning.message)


@pytest.mark.parametrize("kind", [Coordinator, AsyncCoordinator])
@pytest.mark.parametrize(
    "options", [{"flags": EnvFlags()}, {"flags": FixedFlags(Mode.ACTIVE)}, {"legacy": legacy}], ids=["env", "on", "old"]
)
def test_with_flags_or_an_old_planner_there_is_no_warning(kind, options, store):
    """To be off is what was asked for, or somebody else gives the tables."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kind(store, **options)


@pytest.mark.parametrize("text", ["true", "false"])
def test_where_the_environment_says_anything_there_is_no_warning(text, environment, store):
    """To be switched off there is no oversight."""
    environment.setenv("FEATURE_ASSIGNMENT_PIPELINE_V3", text)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Coordinator(store)


def test_both_take_the_same_by_the_same_names():
    """The constructors differ in the types of store, locks, limiter and legacy planner alone."""
    hints, theirs = (typing.get_type_hints(kind.__init__) for kind in (Coordinator, AsyncCoordinator))
    assert list(inspect.signature(Coordinator).parameters) == list(inspect.signature(AsyncCoordinator).parameters)
    assert {name for name, hint in hints.items() if theirs[name] != hint} == {"store", "locks", "limiter", "legacy"}
    assert hints["locks"] == LockManager | None
    assert theirs["locks"] == LockManager | AsyncLockManager | None


@pytest.mark.parametrize("kind", [Coordinator, AsyncCoordinator])
def test_each_argument_is_described_beside_the_constructor(kind):
    """By the docstring of the class that has it."""
    assert "__init__" in vars(kind)
    for name in inspect.signature(kind).parameters:
        assert f"{name}:" in kind.__doc__ or f"*{name}*" in kind.__doc__
