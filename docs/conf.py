"""
How the documentation is built: ``python -m sphinx -W docs docs/_build``.

The pages are plain Markdown, which a git host shows as well. What Sphinx needs beyond that is made of them here: the
sidebar of the lists of links, the reference of comments, and pictures of Mermaid's text.
"""

import base64
import datetime as dt
import enum
import inspect
import re
import typing
from importlib.metadata import version as version_of
from typing import Any

import attrs
import mermaidx
from docutils import nodes
from pygments.lexers.sql import PostgresLexer
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.inspect import stringify_signature

project = "assignment-pipeline"
author = "The assignment-pipeline authors"
project_copyright = f"2026, {author}"
release = version_of("assignment-pipeline")
version = release.rpartition(".")[0]

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["_build"]
default_role = "py:obj"

myst_enable_extensions = ["alert", "deflist", "dollarmath"]
myst_fence_as_directive = ["mermaid"]
myst_heading_anchors = 3

add_module_names = False
python_maximum_signature_line_length = 88
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True}
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = f"{project} {release}"
html_static_path = ["_static"]
html_css_files = ["docs.css"]

LONGEST_DEFAULT = 80
"""Characters of a default that a signature shows."""

_AUTODOC = re.compile(r"^<!-- autodoc\n(.*?)^-->$", re.DOTALL | re.MULTILINE)
_ELSEWHERE = re.compile(r"^On a git host, .*?\n\n", re.DOTALL | re.MULTILINE)
_LISTED = re.compile(r"^(?:- |\| )\[[^\]]*\]\(([\w/-]+)\.md\)", re.MULTILINE)


def add_directives(_app: Sphinx, docname: str, source: list[str]) -> None:
    """
    Turn comments into directives, and the lists of links of an index page into toctrees.

    A git host shows neither. A section's list becomes one toctree, whose caption is the section's heading: the lines
    of the list that begin with a link, or the rows of a table that do.
    """
    source[0] = _AUTODOC.sub(r"```{eval-rst}\n\1```", _ELSEWHERE.sub("", source[0]))
    if docname.rpartition("/")[2] == "index":
        for section in re.split(r"^##+ ", source[0], flags=re.MULTILINE)[1:]:
            if pages := _LISTED.findall(section):
                caption = section.partition("\n")[0]
                source[0] += "\n".join(
                    ["\n\n```{toctree}", f":caption: {caption}", ":hidden:", "", *pages, "```"]
                )


class Mermaid(SphinxDirective):
    """A diagram as two pictures, one for light pages and one for dark ones. Mermaid runs here, not in the browser."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Draw it."""
        diagram = "\n".join(self.content)
        return [
            nodes.raw("", picture(diagram, theme="neutral", shown="only-light"), format="html"),
            nodes.raw("", picture(diagram, theme="dark", shown="only-dark"), format="html"),
        ]


def picture(diagram: str, *, theme: str, shown: str) -> str:
    """One picture, within the page: wide ones are scrolled."""
    svg = mermaidx.render(diagram, theme=theme).svg()
    width = float(re.search(r"max-width: ([\d.]+)px", svg)[1])
    data = base64.b64encode(svg.encode()).decode()
    image = f'<img alt="A diagram" style="--width: {width:.0f}px" src="data:image/svg+xml;base64,{data}">'
    return f'<div class="diagram {shown}">{image}</div>'


def show_enum_members(_app: Sphinx, _what: str, _name: str, member: Any, *hints: Any) -> bool:
    """An enum's members are what it is about, docstring or not."""
    skip, _options = hints
    return skip and not isinstance(member, enum.Enum)


def keep_colons(
    _app: Sphinx, what: str, _name: str, _obj: Any, _options: Any, lines: list[str]
) -> None:
    """Napoleon takes what is before the first colon of a constant's docstring for its type: give it an empty one."""
    if what in {"attribute", "data", "property"} and lines:
        lines[0] = f": {lines[0]}"


@attrs.frozen(repr=False)
class Shown:
    """A default that is shown as the text given."""

    text: str

    def __repr__(self) -> str:
        return self.text


def show_defaults(
    _app: Sphinx, what: str, _name: str, obj: Any, _options: Any, signature: str, returns: str
) -> tuple[str, str] | None:
    """Of a class made by attrs, show the fields' defaults and types: its source has ``attr_dict[...].default``."""
    if what == "exception" and getattr(obj, "fields", ()):
        return stringify_signature(typed(obj), unqualified_typehints=True), returns
    if (
        what not in {"class", "exception"}
        or not attrs.has(obj)
        or not re.search("attr_dict|NOTHING", signature or "")
    ):
        return None
    fields = {field.alias: field for field in attrs.fields(obj)}
    try:
        hints = typing.get_type_hints(obj)
    except NameError:  # A name that is imported for type checkers only.
        hints = {}
    parameters = []
    for name, parameter in inspect.signature(obj).parameters.items():
        field = fields[name]
        hint = parameter.annotation
        # Else it is what a converter takes.
        if hint == field.type or hint in {parameter.empty, "Any"}:
            hint = hints.get(field.name, field.type)
        parameters.append(parameter.replace(annotation=hint, default=default_of(field.default)))
    return stringify_signature(
        inspect.Signature(parameters), unqualified_typehints=True
    ), returns


def typed(error: Any) -> inspect.Signature:
    """What an error is made of, with its types: its constructor is that of all errors."""
    hints = typing.get_type_hints(error)
    signature = error.signature()
    parameters = signature.parameters.values()
    return signature.replace(
        parameters=[each.replace(annotation=hints[each.name]) for each in parameters]
    )


def default_of(declared: Any) -> Any:
    """A field's default as a reader would write it; one that is computed or long is left out."""
    if declared is attrs.NOTHING:
        return inspect.Parameter.empty
    if isinstance(declared, attrs.Factory):
        return Shown("...") if declared.takes_self else declared.factory()
    if isinstance(declared, dt.timedelta):
        return Shown(f"timedelta(seconds={declared.total_seconds():g})")
    if inspect.isroutine(declared):
        return Shown("...")
    return (
        Shown(f"{type(declared).__name__}(...)")
        if len(repr(declared)) > LONGEST_DEFAULT
        else declared
    )


def setup(app: Sphinx) -> None:
    """Connect all that."""
    app.add_directive("mermaid", Mermaid)
    app.add_lexer("sql", PostgresLexer)  # It knows functions' bodies between dollar signs.
    app.connect("source-read", add_directives)
    app.connect("autodoc-skip-member", show_enum_members)
    app.connect("autodoc-process-docstring", keep_colons, priority=100)
    app.connect("autodoc-process-signature", show_defaults)
