"""The documentation says what the code does."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

import assignment_pipeline
from assignment_pipeline.lifecycle import diagram
from assignment_pipeline.rollout.flags.environment import VARIABLES

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FLAGS = (ROOT / "docs/how-to/environment-flags.md").read_text(encoding="utf-8")

RUN = {"python"}
SHOWN = {"console", "dotenv", "json", "mermaid", "sh", "postgresql", "sql", "text", "toml"}
"""Code blocks that are run as tests, and those that are not."""


def described(page):
    """What a page of the reference has the docstrings of."""
    for kind, name in re.findall(r"^\.\. auto(module|class|exception|function):: (\S+)", page, re.MULTILINE):
        home, _, last = name.rpartition(".")
        if kind != "module":
            yield getattr(importlib.import_module(home), last)
            continue
        module = importlib.import_module(name)
        own = [key for key, value in vars(module).items() if getattr(value, "__module__", None) == name]
        yield from (getattr(module, key) for key in getattr(module, "__all__", own))


def test_the_reference_has_every_public_class():
    """Who writes a host by the documentation finds each class that can be imported, and what its fields mean."""
    pages = (page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs/reference").glob("*.md")))
    known = {id(value) for page in pages for value in described(page)}
    offered = {name: getattr(assignment_pipeline, name) for name in assignment_pipeline.__all__}
    classes = {name for name, value in offered.items() if inspect.isclass(value) or inspect.isfunction(value)}
    assert sorted(name for name in classes if id(offered[name]) not in known) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_code_block_says_what_it_is(page):
    """No example escapes being run by a misspelt language, or by none."""
    fences = re.findall(r"^\s*```+(.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    languages = {language.strip() for language in fences[::2]}
    assert languages <= RUN | SHOWN


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_is_plain_markdown(page):
    """A git host shows it as it is meant: no roles, directives and empty links, which only Sphinx knows."""
    text = page.read_text(encoding="utf-8")
    prose = re.sub(r"^ *```.*?^ *```|<!--.*?-->", "", text, flags=re.DOTALL | re.MULTILINE)
    assert re.findall(r"\{(?:doc|ref|py:\w+)\}`|^:::|\[\]\(", prose, re.MULTILINE) == []


def listed(index):
    """The pages and titles in the lists of links that the sidebar is made of."""
    links = re.findall(r"^(?:- |\| )\[(.*?)\]\((.*?)\)", index.read_text(encoding="utf-8"), re.MULTILINE)
    return {(index.parent / page).resolve(): title for title, page in links}


def test_the_indexes_list_every_page():
    """Under its heading; those of the guide are called by their phase."""
    docs, guide = ROOT / "docs/index.md", ROOT / "docs/guide/index.md"
    pages = {page for page in docs.parent.rglob("*.md") if "_build" not in page.parts}
    assert {*listed(docs), *listed(guide)} == pages - {docs}
    for page, title in listed(docs).items():
        assert f"# {title}\n" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("variable", VARIABLES.values(), ids=lambda variable: variable.name)
def test_every_variable_is_documented(variable):
    """With what it takes, and what it is unless it is set."""
    default = f"`{variable.default}`" if variable.default else "none"
    assert f"| `{variable.name}` | {variable.takes} | {default} |" in FLAGS


def test_the_diagram_is_the_lifecycle():
    """The page shows the diagram that the table of transitions makes."""
    page = (ROOT / "docs/concepts/lifecycle.md").read_text(encoding="utf-8")
    assert f"```mermaid\n{diagram()}```" in page


@pytest.mark.parametrize("end", ["-m assignment_pipeline demo", "-m pytest"])
def test_the_readme_has_each_of_its_commands_once(end):
    """The checks run them as they stand there, so they must be found, each on a line of its own."""
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if line.startswith("python3 ") and line.endswith(end)]) == 1
