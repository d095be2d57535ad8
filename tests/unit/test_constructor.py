"""How a coordinator is made: what it takes, and what it says where something is missing."""

import inspect
import typing
import warnings

import pytest

from assignment_pipeline import AsyncCoordinator, Coordinator, EnvFlags, FixedFlags, LegacyResult, Mode, Settings
from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore
from assignment_pipeline.ports import AsyncLockManager, LockManager
from assignment_pipeline.rollout.control import Rollout
from assignment_pipeline.rollout.flags import LayeredFlags, StoreFlags
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


MISWIRED = {
    "a path for a store of flags": (lambda: StoreFlags("backend.db"), r"^store: expected a store that keeps a rollout"),
    "a class": (lambda: StoreFlags(MemoryStore), r"^store: .* got the class MemoryStore itself. Make one"),
    "a path for a rollout": (lambda: Rollout("backend.db"), r"^store: expected a store that keeps a rollout"),
    "layers the other way round": (
        lambda: LayeredFlags(StoreFlags(MemoryStore(MemoryHost())), EnvFlags({})),
        r"^environment: expected an EnvFlags, got a StoreFlags. The environment comes first",
    ),
    "a store for flags": (
        lambda: LayeredFlags(EnvFlags({}), MemoryStore(MemoryHost())),
        r"^store: expected flags that say why, such as StoreFlags\(store\), got a MemoryStore",
    ),
}


@pytest.mark.parametrize("mistake", MISWIRED)
def test_flags_and_rollouts_refuse_what_does_not_fit(mistake):
    """Where it is handed in, and not in a thread that reads flags later."""
    make, sentence = MISWIRED[mistake]
    with pytest.raises(TypeError, match=sentence):
        make()


WORDS = {
    "takeover": (lambda: Settings(takeover="always"), "takeover: expected one of never, on_touch, got 'always'"),
    "in_flight": (lambda: Settings(in_flight=None), "in_flight: expected one of .*, got None"),
    "confirmation": (lambda: Settings(confirmation="x"), "confirmation: expected one of immediate, external, got 'x'"),
    "impossible": (lambda: Settings(impossible="x"), "impossible: expected one of .*, got 'x'"),
    "mode": (lambda: FixedFlags("on"), "mode: expected one of off, shadow, active, got 'on'"),
}


@pytest.mark.parametrize("name", WORDS)
def test_a_word_that_is_none_is_refused_with_those_that_are(name):
    """By the name of the setting."""
    make, sentence = WORDS[name]
    with pytest.raises(ValueError, match=f"^{sentence}"):
        make()
