"""
Writes the tables that the documentation takes from the code: ``python docs/tables.py``.

A table stands under a comment with its name, ``<!-- table: reasons -->``. `tests/docs/test_tables.py` holds that each
is up to date.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from assignment_pipeline.domain.reasons import Reason

DOCS = Path(__file__).parent
_TABLE = re.compile(r"(?<=<!-- table: )(\w+) -->\n\n(?:\|.*\n)*")

Row = tuple[str, ...]


def code(names: Iterable[str]) -> str:
    """Names, set as code."""
    return ", ".join(f"`{name}`" for name in names)


def reasons() -> Iterable[Row]:
    """Each reason, with the outcomes that it comes with and what it means."""
    yield ("reason", "comes with", "meaning")
    for reason in Reason:
        outcomes = code(outcome.value for outcome in reason.facts.outcomes)
        yield (code([reason.value]), outcomes or "none; in the history", reason.facts.meaning)


TABLES: Mapping[str, Callable[[], Iterable[Row]]] = {"reasons": reasons}
"""What makes each table: its head, then its rows."""


def written(text: str) -> str:
    """A page with its tables as the code has them."""

    def table(found: re.Match[str]) -> str:
        head, *rows = TABLES[found[1]]()
        head_line, *lines = (f"| {' | '.join(row)} |\n" for row in (head, *rows))
        return f"{found[1]} -->\n\n{head_line}|{'---|' * len(head)}\n{''.join(lines)}"

    return _TABLE.sub(table, text)


def pages() -> Iterable[Path]:
    """The pages of the documentation."""
    return sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)


if __name__ == "__main__":
    for page in pages():
        before = page.read_text(encoding="utf-8")
        if (after := written(before)) != before:
            page.write_text(after, encoding="utf-8")
            print(page.relative_to(DOCS))  # noqa: T201 - that is what it says
