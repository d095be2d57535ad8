"""The tables in the pages on concepts are the code's."""

import re
from pathlib import Path

import pytest

from assignment_pipeline import TRANSITIONS, AssignmentState, Outcome, Reason
from assignment_pipeline.planning.base import Rule

DOCS = Path(__file__).parents[2] / "docs"


def table(page, heading):
    """The rows of the first table under a heading, without its head."""
    text = (DOCS / page).read_text(encoding="utf-8")
    _, _, section = text.partition(f"\n## {heading}\n")
    assert section, f"{page} has no heading {heading!r}"
    lines = re.match(r"[^|]*\n((?:\|.*\n)+)", section)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1].splitlines()[2:]]


def words(cell):
    """What is set as code in a cell."""
    return tuple(re.findall(r"`([^`]+)`", cell))


def test_the_states_are_all_there():
    """In their order."""
    rows = table("concepts/lifecycle.md", "States")
    assert [words(row[0]) for row in rows] == [(state.value,) for state in AssignmentState]


def test_the_triggers_lead_where_they_lead():
    """From the same states to the same."""
    rows = table("concepts/lifecycle.md", "Triggers")
    shown = [(*words(row[0]), words(row[1]), row[2].strip("`")) for row in rows]
    assert shown == [
        (row.trigger.value, tuple(state.value for state in row.sources), row.dest.value if row.dest else "itself")
        for row in TRANSITIONS
    ]


@pytest.mark.parametrize(
    ("page", "heading", "named"),
    [
        ("concepts/flow.md", "Outcomes", set(Outcome)),
        ("concepts/flow.md", "Reasons", set(Reason)),
        ("concepts/planning.md", "What turned a table away", set(Rule)),
    ],
)
def test_everything_that_may_be_answered_is_explained(page, heading, named):
    """Each once, and nothing that does not exist."""
    shown = [name for row in table(page, heading) for name in words(row[0])]
    assert sorted(shown) == sorted(member.value for member in named)
