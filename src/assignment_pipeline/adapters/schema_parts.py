"""The parts of a database's schema: how each is made, and how one of an earlier release becomes one of today."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from importlib.resources.abc import Traversable

import attrs

from assignment_pipeline.adapters.columns import with_columns
from assignment_pipeline.domain.in_sql import in_sql

PIPELINE = "pipeline"
STANDALONE = "standalone"

_FUNCTION = re.compile(r"^ *CREATE FUNCTION \w+\.(\w+)\(", re.MULTILINE)
_RELATION = re.compile(r"^CREATE (?:TABLE|VIEW) (?:\w+\.)?(\w+)", re.MULTILINE)
_CREATE = re.compile(r"^( *)CREATE (FUNCTION|VIEW)\b", re.MULTILINE)


@attrs.frozen
class Part:
    """
    Tables that are made together, and the functions and views on them.

    A new database runs *tables* and *functions*. One of an earlier release runs the migrations that it lacks, and then
    all *functions* anew, so that each of them is written down once.

    Attributes:
        tables: The file that makes the tables as they are today.

        functions: The files of functions and views.

        migrations: The files that change the tables of earlier releases: the first leads from version 1 to 2. Never
            edited once released.
    """

    tables: Traversable
    functions: Sequence[Traversable] = ()
    migrations: Sequence[Traversable] = ()

    @property
    def version(self) -> int:
        """The version that this code works with."""
        return 1 + len(self.migrations)

    @property
    def function_names(self) -> tuple[str, ...]:
        """The functions that this part makes, without their schema."""
        return tuple(name for file in self.functions for name in _FUNCTION.findall(file.read_text("utf-8")))

    @property
    def table_names(self) -> tuple[str, ...]:
        """The tables that this part makes, without their schema."""
        return tuple(_RELATION.findall(self.tables.read_text("utf-8")))

    @property
    def view_names(self) -> tuple[str, ...]:
        """The views that this part makes, without their schema."""
        return tuple(name for file in self.functions for name in _RELATION.findall(file.read_text("utf-8")))

    @property
    def anew(self) -> Iterator[str]:
        """What makes all functions and views, whether or not they are there. They hold no data."""
        for file in self.functions:
            yield _CREATE.sub(r"\1CREATE OR REPLACE \2", _text(file))

    def scripts(self, found: int | None) -> Iterator[str]:
        """What to run where version *found* is there, in order; None where nothing is."""
        if found is None:
            for file in (self.tables, *self.functions):
                yield _text(file)
        elif found < self.version:
            for file in self.migrations[found - 1 :]:
                yield _text(file)
            yield from self.anew


def _text(file: Traversable) -> str:
    return in_sql(with_columns(file.read_text("utf-8")))
