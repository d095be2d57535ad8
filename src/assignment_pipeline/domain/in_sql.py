"""
States, outcomes and reasons in SQL: their values stand in the enums only, and queries name them.

``state IN ({UNSETTLED})`` stands for a list of states, ``reason IN ({WAITS_FOR_TABLES})`` for the reasons of a role,
``state = {MANUAL_REVIEW}`` for one state, ``WHERE {UNFINISHED}`` for a condition on records.

The condition of an index has no list: SQLite would make a table of the list for each row that is written.
``{state IN OUTCOMES}`` stands for ``(state = 'confirmed' OR ...)``, which says the same.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from enum import StrEnum

from assignment_pipeline.domain.metrics import OUTCOMES
from assignment_pipeline.domain.reasons import PLANNED, Outcome, Reason, Role, reasons_for
from assignment_pipeline.lifecycle import UNSETTLED, WAKEABLE, AssignmentState


def _listed(kind: type[StrEnum], members: Collection[StrEnum]) -> str:
    # In the enum's order: an index is only used by a query that has its very text.
    return ", ".join(f"'{member.value}'" for member in kind if member in members)


def _any_of(column: str, listed: str) -> str:
    return "(" + " OR ".join(f"{column} = {value}" for value in listed.split(", ")) + ")"


# What `ports.records.is_unfinished` says. An index has it, and is only used by a query that has its very text.
_UNFINISHED = (
    f"((owner = 'pipeline' AND state = '{AssignmentState.MANUAL_REVIEW.value}')"
    f" OR (next_attempt_at IS NULL AND {_any_of('state', _listed(AssignmentState, UNSETTLED))}"
    f" AND (owner = 'pipeline' OR state = '{AssignmentState.ASSIGNMENT_IN_PROGRESS.value}')))"
)

WORDS: Mapping[str, str] = {
    **{state.name: f"'{state.value}'" for state in AssignmentState},
    "UNSETTLED": _listed(AssignmentState, UNSETTLED),
    "WAKEABLE": _listed(AssignmentState, WAKEABLE),
    "OUTCOMES": _listed(AssignmentState, OUTCOMES),
    "PLANNED": _listed(Outcome, PLANNED),
    **{role.name: _listed(Reason, reasons_for(role)) for role in Role},
    "UNFINISHED": _UNFINISHED,
}
"""What may be named in SQL, and the text that it stands for."""

_NAME = re.compile(r"\{([A-Z_]+)\}")
_ANY_OF = re.compile(r"\{([a-z_.]+) IN ([A-Z_]+)\}")


def in_sql(text: str) -> str:
    """
    *text* with the values of all that it names.

    Raises:
        KeyError: It names what is not in `WORDS`.
    """
    text = _ANY_OF.sub(lambda found: _any_of(found[1], WORDS[found[2]]), text)
    return _NAME.sub(lambda found: WORDS[found[1]], text)
