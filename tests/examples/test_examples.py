"""The examples run, and what they claim is so."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
PROGRAMS = sorted(
    path for path in (*EXAMPLES.glob("*.py"), *EXAMPLES.glob("*/main.py")) if not path.name.startswith("test_")
)
SUITES = sorted(EXAMPLES.glob("test_*.py"))  # Those of whole backends: see `test_hosts`.


def named(path: Path) -> str:
    return str(path.relative_to(EXAMPLES))


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-B", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.parametrize("path", PROGRAMS, ids=named)
def test_an_example_runs(path: Path, tmp_path: Path) -> None:
    """It asserts what it shows, leaves nothing where it is run, and says something."""
    done = run(str(path), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", SUITES, ids=named)
def test_an_examples_own_suite_passes(path: Path, tmp_path: Path) -> None:
    """In a project of its own, as a host would run it."""
    project = shutil.copytree(path.parent, tmp_path / "project")
    done = run("-m", "pytest", "-q", path.name, cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


@pytest.mark.parametrize("path", PROGRAMS, ids=named)
def test_an_example_says_what_it_shows(path: Path) -> None:
    """At its top, with the command that runs it."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    assert "It shows" in text
    assert f"python examples/{named(path)}" in text


def test_there_are_examples() -> None:
    """The tests above look at something."""
    assert len(PROGRAMS) >= 5
    assert SUITES
