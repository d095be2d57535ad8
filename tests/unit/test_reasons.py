"""Reasons are rows of one table, and everything else about them follows."""

import pickle
import re
from pathlib import Path

import pytest

import assignment_pipeline
from assignment_pipeline.domain.in_sql import in_sql
from assignment_pipeline.domain.reasons import FACTS, Outcome, Reason, Role, reasons_for, sentence_of

ROOT = Path(assignment_pipeline.__file__).parent


def test_a_reason_is_its_code():
    """It compares, pickles and reads as the text that stores keep."""
    assert Reason.NO_FIT == "no_fit"
    assert Reason("no_fit") is Reason.NO_FIT
    assert pickle.loads(pickle.dumps(Reason.NO_FIT)) is Reason.NO_FIT


@pytest.mark.parametrize("reason", list(Reason))
def test_a_row_says_all_of_it(reason):
    """Each has words for people and for the documentation, in one line, and outcomes that exist."""
    facts = reason.facts
    assert facts.sentence
    assert facts.meaning
    assert "|" not in facts.meaning
    assert all(isinstance(outcome, Outcome) for outcome in facts.outcomes)


def test_words_of_a_reason():
    """None has none, and a code that another version wrote is shown as it is."""
    assert [sentence_of(None), sentence_of("no_fit"), sentence_of("made_up")] == [
        "",
        "no free tables were found",
        "made up",
    ]
    assert "made_up" not in FACTS


def test_what_is_impossible_does_not_wait_for_tables():
    """The one is final, the other is not."""
    assert not reasons_for(Role.IMPOSSIBLE) & reasons_for(Role.WAITS_FOR_TABLES)


def test_queries_name_roles_not_codes():
    """A list of reasons in SQL is put in by `in_sql`, so that a new reason of a role reaches every query."""
    files = sorted(ROOT.rglob("*.sql"))
    assert files
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"reason\s+(NOT )?IN \('(?!infeasible', \{)", text), path
    assert in_sql("reason IN ({WAITS_FOR_TABLES})") == "reason IN ('pacing', 'no_fit', 'infeasible')"
