"""Every error says a sentence, and survives being sent to another process."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from pathlib import Path

import pytest

import assignment_pipeline.cli.failures  # noqa: F401 - it has errors of its own
from assignment_pipeline import errors
from assignment_pipeline.errors import (
    AssignmentPipelineError,
    IllegalTransitionError,
    InvalidValueError,
    MissingExtraError,
    MissingRightsError,
)

FACTS = {"str": "Zoë's", "int": 7, "tuple[str, ...]": ("T 1", "T2"), "str | None": "what"}
"""A fact for each type that an error's field may have."""


def subclasses(kind):
    """All kinds of error below *kind*."""
    return [below for direct in kind.__subclasses__() for below in (direct, *subclasses(direct))]


ERRORS = subclasses(AssignmentPipelineError)


def facts_of(kind):
    """What an error of that kind is made of, in order."""
    types = {name: each for owner in reversed(kind.__mro__) for name, each in inspect.get_annotations(owner).items()}
    return [FACTS[types[name]] for name in kind.fields]


def facts(error):
    """What it carries, by name."""
    return {name: getattr(error, name) for name in error.fields}


@pytest.fixture(params=ERRORS, ids=lambda kind: kind.__name__)
def kind(request):
    """Each kind of error in turn."""
    return request.param


@pytest.fixture
def error(kind):
    """One of that kind."""
    return kind(*facts_of(kind))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_is_pickled_whole(error, protocol):
    """A process pool hands on what was raised, with its facts."""
    other = pickle.loads(pickle.dumps(error, protocol))
    assert type(other) is type(error)
    assert facts(other) == facts(error)
    assert (str(other), other.args, other.code) == (str(error), error.args, error.code)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_it_is_copied_whole(error, copied):
    """A copy is another error with the same facts."""
    other = copied(error)
    assert other is not error
    assert type(other) is type(error)
    assert facts(other) == facts(error)


def test_it_says_a_sentence(error):
    """What an operator reads is one line, a sentence in the library if not on the command line, and has the facts."""
    said = str(error)
    assert said.endswith(".") or type(error).__module__.startswith("assignment_pipeline.cli.")
    assert "\n" not in said
    assert "  " not in said
    for fact in facts(error).values():
        for part in fact if isinstance(fact, tuple) else [fact]:
            assert str(part) in said


def test_it_can_be_raised_with_a_traceback(error):
    """It carries a traceback and a cause, as exceptions do."""
    cause = OSError("no route to host")
    with pytest.raises(AssignmentPipelineError) as raised:
        raise error from cause
    assert raised.value is error
    assert raised.value.__cause__ is cause
    assert raised.value.__traceback__ is not None


def test_it_is_made_of_positional_facts(kind):
    """Facts are positional, which is what pickling relies on."""
    assert kind(*facts_of(kind)).args == tuple(facts_of(kind))
    by_name = dict(zip(kind.fields, facts_of(kind), strict=True))
    assert kind(**by_name).args == tuple(facts_of(kind))


@pytest.mark.parametrize("given", [(), ("a", "b", "c", "d", "e")])
def test_too_few_or_too_many_facts_are_refused(kind, given):
    """As those of any constructor."""
    with pytest.raises(TypeError):
        kind(*given)


def test_a_fact_that_it_does_not_have_is_refused(kind):
    """And so is one that is given twice."""
    for named in ({"whom": 1}, {kind.fields[0]: "twice"}):
        with pytest.raises(TypeError):
            kind(*facts_of(kind), **named)


def test_it_prints_its_facts(error):
    """For people who debug."""
    shown = ", ".join(f"{name}={value!r}" for name, value in facts(error).items())
    assert repr(error) == f"{type(error).__name__}({shown})"


def test_an_error_of_a_host_takes_what_an_exception_takes():
    """One that declares no facts."""

    class TheirError(AssignmentPipelineError):
        pass

    assert (str(TheirError("as they say")), TheirError().args) == ("as they say", ())


def test_a_fact_with_a_default_may_be_left_out():
    """It is a fact all the same."""
    error = MissingRightsError("db: no right")
    assert error.args == ("db: no right", MissingRightsError.remedy)
    assert pickle.loads(pickle.dumps(error)).remedy == error.remedy


def test_codes_are_unique():
    """A code tells errors apart for programs, in one style."""
    codes = [kind.code for kind in (AssignmentPipelineError, *ERRORS)]
    assert len(set(codes)) == len(codes)
    assert all(code == code.lower() and code.isidentifier() for code in codes)


def test_all_are_listed():
    """The module exports each of its errors, sorted."""
    own = {kind.__name__ for kind in (AssignmentPipelineError, *ERRORS) if kind.__module__ == errors.__name__}
    assert errors.__all__ == sorted(own)


def test_a_missing_extra_is_an_import_error():
    """Code that guards an import with ImportError catches it, and it says what to install."""
    error = MissingExtraError("postgres", "psycopg")
    assert isinstance(error, ImportError)
    assert str(error) == "psycopg is not installed: pip install 'assignment-pipeline[postgres]'."


def test_the_sentence_of_an_illegal_transition():
    """It is told in the words of the lifecycle."""
    assert str(IllegalTransitionError("confirmed", "confirm")) == "An assignment that is confirmed cannot confirm."
    ended = "An assignment that is failed cannot confirm. `reinstate` puts it back ("
    assert str(IllegalTransitionError("failed", "confirm")).startswith(ended)


def test_an_invalid_value_says_what_is_wrong_as_data():
    """Nobody has to take the sentence apart."""
    error = InvalidValueError("party_size", "a whole number from 1 to 100", "0")
    assert str(error) == "party_size: expected a whole number from 1 to 100, got 0"
    assert str(InvalidValueError("", "several", "one")) == "expected several, got one"
    for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (other.field, other.expected, other.got) == (error.field, error.expected, error.got)
        assert isinstance(other, ValueError)


def test_nothing_takes_the_sentence_of_an_error_apart():
    """What is wrong stands in its attributes."""
    parsing = re.compile(r"str\(\w*error\)\.(r?partition|split\([^)]|removeprefix|removesuffix)|match\(str\(error")
    found = [path.name for path in Path(errors.__file__).parent.rglob("*.py") if parsing.search(path.read_text())]
    assert found == []
