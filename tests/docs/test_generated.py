"""What the documentation takes from the code is the code's."""

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
_spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
generate = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(generate)


@pytest.mark.parametrize("page", generate.pages(), ids=lambda page: str(page.relative_to(DOCS)))
def test_what_a_page_takes_from_the_code_is_up_to_date(page):
    """``python docs/generate.py`` changes nothing."""
    text = page.read_text(encoding="utf-8")
    assert generate.written(text) == text, "run: python docs/generate.py"


def test_every_table_is_shown():
    """Nothing is made for no page."""
    text = "".join(page.read_text(encoding="utf-8") for page in generate.pages())
    assert [name for name in generate.TABLES if f"<!-- table: {name} -->" not in text] == []


def test_an_old_copy_is_replaced():
    """From its comment to the end of its block, and what follows stays. Neither Sybil nor ruff touches the code."""
    before = "<!-- code: docs/generate.py code -->\n"
    old = "<!-- fmt: off -->\n<!-- skip: next -->\n\n```python\nold\n```\n<!-- fmt: on -->\n"
    written = generate.written(f"{before}{old}\nText.\n")
    first, last = old.split("old")
    assert written.startswith(f"{before}{first}def code(names: Iterable[str]) -> str:\n")
    assert written.endswith(f"{last}\nText.\n")
    assert generate.written(written) == written


def test_code_runs_from_the_first_name_to_the_last():
    """With decorators, and without what follows."""
    written = generate.written("<!-- code: examples/django/reservations/pipeline.py conninfo coordinator -->\n```\n")
    assert "\n```python\ndef conninfo() -> str:\n" in written
    assert "\n@functools.cache\ndef coordinator() -> " in written
    assert "def close" not in written


def test_a_method_stands_at_the_margin():
    """Whatever class it is in."""
    written = generate.written("<!-- code: examples/django/reservations/host.py ReservationHost.on_commit -->\n```\n")
    assert "\n```python\ndef on_commit(self, " in written


def test_options_are_those_of_the_help():
    """With what they take, their default, and the variable that does the same."""
    written = generate.written("<!-- options: shadow work -->\n\n| old |\n")
    assert "| `--limit N` | The number of cases in one round. Default: `100`. |\n" in written
    assert "Or the variable `ASSIGNMENT_PIPELINE_DB`. |\n" in written
    assert "old" not in written
    assert "| `--pin`, `--no-pin` |" in generate.written("<!-- options: review place -->\n\n")
    assert "| `--demote <step\\|off\\|no>` |" in generate.written("<!-- options: rollout watch -->\n\n")
