"""How the documentation is built: ``python -m sphinx -W docs docs/_build``."""

import enum
from importlib.metadata import version as version_of
from typing import Any

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

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

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

add_module_names = False
python_maximum_signature_line_length = 100
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True}
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = f"{project} {release}"


def show_enum_members(_app: Sphinx, _what: str, _name: str, member: Any, *hints: Any) -> bool:
    """An enum's members are what it is about, docstring or not."""
    skip, _options = hints
    return skip and not isinstance(member, enum.Enum)


def keep_colons(_app: Sphinx, what: str, _name: str, _obj: Any, _options: Any, lines: list[str]) -> None:
    """Napoleon takes what is before the first colon of a constant's docstring for its type: give it an empty one."""
    if what in {"attribute", "data", "property"} and lines:
        lines[0] = f": {lines[0]}"


def setup(app: Sphinx) -> None:
    """Mermaid diagrams are shown as text: drawing them would take a script from the network, or a browser."""
    app.add_lexer("mermaid", TextLexer)
    app.connect("autodoc-skip-member", show_enum_members)
    app.connect("autodoc-process-docstring", keep_colons, priority=100)
