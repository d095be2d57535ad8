"""From facts to pages: everything is escaped, what cannot be seen too."""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import importlib.resources
from collections.abc import Iterable
from typing import Any

from assignment_pipeline.console.board import LEAST_FIT, MOST_STEPS, Kind
from assignment_pipeline.domain.reasons import sentence_of
from assignment_pipeline.errors import MissingExtraError
from assignment_pipeline.redaction import printable

_DAY_MINUTES = 24 * 60


def visible(value: Any) -> Any:
    """*value* as it is written into a page: a text without characters that nobody sees, or that turn others around."""
    if value is None:
        return ""
    return printable(value) if type(value) is str else value


@functools.cache
def environment() -> Any:
    """
    The templates.

    Raises:
        MissingExtraError: Jinja is not installed.
    """
    try:
        import jinja2  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise MissingExtraError("console", error.name or "jinja2") from error
    made = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: read(f"templates/{name}")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"words": words, "reason": sentence_of, "span": span_of, "number": number, "day": day_of}
    made.filters["fitting"] = fitting
    made.globals |= {"kinds": tuple(kind.value for kind in Kind)}
    return made


def render(template: str, **facts: Any) -> str:
    """A page."""
    made: str = environment().get_template(template).render(**facts)
    return made


def read(name: str) -> str:
    """A file of the package."""
    return importlib.resources.files(__package__ or "").joinpath(name).read_text(encoding="utf-8")


@functools.cache
def style_sheet() -> str:
    """The style sheet. Where a bar stands is a class, for the policy of the pages allows no style of their own."""
    places = [f".a{step}{{--a:{step}}}" for step in range(MOST_STEPS + 1)]
    lengths = [f".l{step}{{--l:{step}}}" for step in range(1, MOST_STEPS + 1)]
    boards = [f".n{steps}{{--n:{steps}}}" for steps in range(12, MOST_STEPS + 1, 12)]
    sheets = [f".z{fit}{{--z:{fit / 100:g}}}" for fit in range(LEAST_FIT, 101)]
    return read("static/console.css") + "".join(places + lengths + boards + sheets)


@functools.cache
def script() -> str:
    """The script, which is never needed."""
    return read("static/console.js")


@functools.cache
def icon() -> str:
    """The picture in the browser's tab."""
    return read("static/console.svg")


@functools.cache
def version_of(name: str) -> str:
    """Changes whenever that file does."""
    text = {"console.css": style_sheet, "console.js": script, "console.svg": icon}[name]()
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


# -- Filters ------------------------------------------------------------------------------------------------------


def words(code: Any) -> str:
    """A code in words."""
    return str(code).replace("_", " ")


def span_of(span: dt.timedelta) -> str:
    """How long something lasts: ``3 min``, ``2 h 10 min``, ``4 d 3 h``."""
    minutes = max(int(span.total_seconds() // 60), 0)
    if minutes < 60:  # noqa: PLR2004 - minutes an hour
        return f"{minutes} min"
    if minutes < _DAY_MINUTES:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // _DAY_MINUTES} d {minutes % _DAY_MINUTES // 60} h"


def fitting(acts: Iterable[Any], record: Any) -> list[Any]:
    """Those acts that can be done to a booking."""
    return [act for act in acts if act.fits(record)]


def number(value: Any) -> str:
    """A number, or several things, in a line."""
    if isinstance(value, tuple | list):
        return " + ".join(map(number, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def day_of(date: dt.date) -> str:
    """A date for people: ``Saturday 28 November 2026``."""
    return f"{date:%A} {date.day} {date:%B %Y}"
