"""
Writes what the documentation takes from the code: ``python docs/generate.py``.

A table stands under a comment with its name, ``<!-- table: reasons -->``; a command's options stand under one with
the command, ``<!-- options: review list -->``. Code stands under a comment with its file
and the name of a function or class, ``<!-- code: examples/fastapi/app.py lifespan -->``; with two names, the code
runs from the first to the last. `tests/docs/test_generated.py` holds that each is up to date.
"""

import ast
import datetime as dt
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from typer.main import get_command

from assignment_pipeline.cli.app import app
from assignment_pipeline.domain.event_fields import CARRIES, FIELDS
from assignment_pipeline.domain.reasons import Reason
from assignment_pipeline.rollout.control.metrics import METRICS
from assignment_pipeline.rollout.watching.rules import RULES

MINUTE = dt.timedelta(minutes=1)
DOCS = Path(__file__).parent
_TABLE = re.compile(r"(?<=<!-- table: )(\w+) -->\n\n(?:\|.*\n)*")
_OPTIONS = re.compile(r"(?<=<!-- options: )([\w -]+) -->\n\n(?:\|.*\n)*")
_CODE = re.compile(
    r"(?<=<!-- code: )(\S+) ([\w. ]+) -->\n.*?```\n(?:<!-- fmt: on -->\n)?(?!\S)", re.DOTALL
)

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


def metrics() -> Iterable[Row]:
    """Each metric, with its definition."""
    yield ("metric", "of", "definition")
    for metric in METRICS.values():
        yield (code([metric.name]), metric.of, metric.share)


def alerts() -> Iterable[Row]:
    """Each alert, with what it means and how long it has to be so."""
    yield ("alert", "fires when", "over", "for")
    for rule in RULES:
        hold = f"{rule.hold // MINUTE} min" if rule.hold else "at once"
        yield (code([rule.name]), rule.says.rstrip("."), f"{rule.over // MINUTE} min", hold)


def events() -> Iterable[Row]:
    """The types of event, with the fields that their context may carry: one row for those that carry the same."""
    yield ("event", "carries")
    alike: dict[tuple[str, ...], list[str]] = {}
    for kind, fields in CARRIES.items():
        alike.setdefault(tuple(fields), []).append(kind.value)
    for fields, kinds in alike.items():
        yield (code(kinds), code(fields))


def event_fields() -> Iterable[Row]:
    """Each field of a context."""
    yield ("field", "holds", "meaning")
    for name, (kind, meaning) in FIELDS.items():
        yield (code([name]), kind.value, meaning)


TABLES: Mapping[str, Callable[[], Iterable[Row]]] = {
    "alerts": alerts,
    "event_fields": event_fields,
    "events": events,
    "metrics": metrics,
    "reasons": reasons,
}
"""What makes each table: its head, then its rows."""


def table(found: re.Match[str]) -> str:
    """A table, under its comment."""
    head, *rows = TABLES[found[1]]()
    head_line, *lines = (f"| {' | '.join(row)} |\n" for row in (head, *rows))
    return f"{found[1]} -->\n\n{head_line}|{'---|' * len(head)}\n{''.join(lines)}"


def options(found: re.Match[str]) -> str:
    """What a command takes, as its help says."""
    command: Any = get_command(app)
    for name in found[1].split():
        command = command.commands[name]
    context = command.context_class(command)
    records = [
        record
        for each in command.params
        if each.name != "help" and (record := each.get_help_record(context))
    ]
    head = f"{found[1]} -->\n\n| takes | |\n|---|---|\n"
    return head + "".join(
        f"| {taken(names)} | {explained(text)} |\n" for names, text in records
    )


def taken(names: str) -> str:
    """An option or argument, set as code; a table's cell has no bare ``|``."""
    plain = re.sub(r" <(?:str|path|list\[str\])>", "", names)
    numbers = re.sub(r"<(?:int|float)(?: range)?>", "N", plain).replace(
        "<%Y-%m-%d>", "YYYY-MM-DD"
    )
    return f"`{numbers}`".replace("|", "\\|").replace(" / ", "`, `")


def explained(text: str) -> str:
    """The help of an option, and its default or the environment variable that does the same."""
    said, _, more = text.removesuffix("]").partition("  [")
    notes = dict(note.partition(": ")[::2] for note in more.split("; "))
    default = f" Default: `{notes['default']}`." if "default" in notes else ""
    required = " Required." if "required" in notes else ""
    variable = f" Or the variable `{notes['env var']}`." if "env var" in notes else ""
    return f"{said}{default}{variable}{required}"


def included(found: re.Match[str]) -> str:
    """Code, under its comment. It is no test, for it needs the rest of its file, and stays as it is formatted there."""
    source = (DOCS.parent / found[1]).read_text(encoding="utf-8")
    places = [definition(ast.parse(source), name) for name in found[2].split()]
    lines = source.splitlines()[places[0][0] - 1 : places[-1][1]]
    block = ["```python", textwrap.dedent("\n".join(lines)), "```"]
    comments = [f"{found[1]} {found[2]} -->", "<!-- fmt: off -->", "<!-- skip: next -->", ""]
    return "\n".join([*comments, *block, "<!-- fmt: on -->", ""])


def definition(tree: ast.AST, name: str) -> tuple[int, int]:
    """The first line of a class or function, decorators included, and its last."""
    for part in name.split("."):
        (tree,) = (
            node for node in ast.iter_child_nodes(tree) if getattr(node, "name", None) == part
        )
    decorators: list[ast.expr] = getattr(tree, "decorator_list", [])
    return min(node.lineno for node in (tree, *decorators)), tree.end_lineno


def written(text: str) -> str:
    """A page with its tables and its included code as the code has them."""
    return _CODE.sub(included, _OPTIONS.sub(options, _TABLE.sub(table, text)))


def pages() -> Iterable[Path]:
    """The pages of the documentation."""
    return sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)


if __name__ == "__main__":
    for page in pages():
        before = page.read_text(encoding="utf-8")
        if (after := written(before)) != before:
            page.write_text(after, encoding="utf-8")
            print(page.relative_to(DOCS))  # noqa: T201 - that is what it says
