"""What commands write, and where."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from assignment_pipeline.cli.failures import refuse
from assignment_pipeline.redaction import printable, redacted

if TYPE_CHECKING:
    from assignment_pipeline.domain.result import AssignmentResult


class _Plain(Console):
    """A console on which no text from a database or a file moves the cursor, sets a title or hides what follows."""

    def print(self, *objects: Any, **options: Any) -> None:
        """See `rich.console.Console.print`."""
        super().print(*map(_plain, objects), **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """See `rich.console.Console.render_str`: the cells of tables come this way."""
        return super().render_str(printable(text), **options)


def _plain(renderable: Any) -> Any:
    if not isinstance(renderable, Text) or printable(renderable.plain) == renderable.plain:
        return renderable
    plain = renderable.copy()  # One for one: what is styled stays where it is.
    plain.plain = "".join(each if printable(each) == each else "?" for each in renderable.plain)
    return plain


def stdout() -> Console:
    """Where results go."""
    return _Plain(highlight=False, markup=False, emoji=False)


def stderr() -> Console:
    """Where progress goes."""
    return _Plain(stderr=True, highlight=False, markup=False, emoji=False)


def bare_table() -> Table:
    """A table without lines; its headings are bold."""
    return Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")


def print_json(value: Any) -> None:
    """One JSON object, on stdout."""
    json.dump(value, sys.stdout, indent=2, allow_nan=False)
    sys.stdout.write("\n")


def say(text: str) -> None:
    """Text on stdout."""
    print(printable(text))


def print_line(value: Any) -> None:
    """One line on stdout, at once: a sentence, or anything else as JSON."""
    text = printable(value) if isinstance(value, str) else json.dumps(value, allow_nan=False)
    sys.stdout.write(f"{text}\n")  # In one piece: print writes the end of an unbuffered line by itself.
    sys.stdout.flush()


def result_document(result: AssignmentResult) -> dict[str, Any]:
    """What came of a call, as commands print it for programs."""
    return {
        "booking_id": result.booking_id,
        "outcome": result.outcome.value,
        "reason": result.reason.value if result.reason else None,
        "tables": list(result.tables),
        "moved": list(result.moved),
        "displaced": list(result.displaced),
        "until": result.until.isoformat(timespec="minutes") if result.until else None,
        "version": result.record.version if result.record else None,
    }


def print_result(result: AssignmentResult, sentence: str, *, as_json: bool) -> None:
    """What came of a call, for a program or for a person."""
    if as_json:
        print_json(result_document(result))
    else:
        say(sentence)


def complain(error: Exception | str) -> None:
    """One line on stderr: a sentence, or an error without what an application's own would say."""
    text = redacted(error) if isinstance(error, Exception) else " ".join(error.split("\n"))
    print(printable(text), file=sys.stderr)


@contextlib.contextmanager
def progress(total: int) -> Iterator[Callable[[], None]]:
    """A bar on stderr, while it is a terminal and the block lasts; call what it hands over for each step."""
    console = stderr()
    if not console.is_terminal:
        yield lambda: None
        return
    columns = (TextColumn(" Seating"), BarColumn(bar_width=None), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("seating", total=total)
        yield lambda: bar.advance(task)


def write_file(path: Path, where: str, text: str) -> None:
    """
    Write *text* to a file that an option names.

    Raises:
        BadInputError: It cannot be written.
    """
    try:
        with open(path, "w", encoding="utf-8", opener=_private) as file:
            file.write(text)
    except OSError as error:
        refuse(where, "a file that can be written", f"{path}: {error.strerror or error}")


def _private(path: str, flags: int) -> int:
    """A new file is its owner's alone: it names restaurants, bookings and people."""
    return os.open(path, flags, 0o600)


def require_place(path: Path, where: str) -> None:
    """
    Make sure that there can be such a file, before work is done for it.

    Raises:
        BadInputError: It is a folder, or in none.
    """
    if path.is_dir() or not path.absolute().parent.is_dir():
        got = "a directory" if path.is_dir() else f"no folder {path.absolute().parent}"
        refuse(where, "a file in a folder that is there", got)
