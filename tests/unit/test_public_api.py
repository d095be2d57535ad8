"""What ``import assignment_pipeline`` gives, and what it costs."""

import inspect
import json
import subprocess
import sys

import pytest

import assignment_pipeline

LOADED = """
import json, sys
before = set(sys.modules)
import assignment_pipeline
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
"""
WITHOUT = """
import runpy, sys
sys.modules[{package!r}] = None
sys.argv = ["assignment-pipeline", *{arguments!r}]
runpy.run_module("assignment_pipeline", run_name="__main__", alter_sys=False)
"""


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)


def in_order(name):
    """Constants, then classes, then functions, each by name: as ruff has it."""
    return not name.isupper(), not name[0].isupper(), name


def test_the_public_names_are_in_order():
    """None of them twice."""
    names = assignment_pipeline.__all__
    assert list(names) == sorted(set(names), key=in_order)


def test_nothing_public_is_left_out():
    """What the package imports for its users is in ``__all__``; the rest is underscored or a module."""
    found = {
        name
        for name, value in vars(assignment_pipeline).items()
        if not name.startswith("_") and not inspect.ismodule(value) and name != "annotations"
    }
    assert found == {name for name in assignment_pipeline.__all__ if not name.startswith("_")}


@pytest.mark.parametrize("name", assignment_pipeline.__all__)
def test_every_public_name_is_there_and_documented(name):
    """A class or function has a docstring of its own."""
    value = getattr(assignment_pipeline, name)
    if inspect.isclass(value) or inspect.isroutine(value):
        assert value.__doc__
        assert value.__doc__.strip()


def test_importing_it_loads_no_extra():
    """Nor transitions, which is wanted with the first transition only."""
    done = python(LOADED)
    assert done.stderr == ""
    from_elsewhere = set(json.loads(done.stdout)) - sys.stdlib_module_names
    assert {name for name in from_elsewhere if not name.startswith("_")} == {"assignment_pipeline", "attr", "attrs"}


@pytest.mark.parametrize("package", ["typer", "rich"])
@pytest.mark.parametrize("arguments", [[], ["--help"], ["demo"]])
def test_without_its_extra_the_command_line_says_which(package, arguments):
    """One line that names the extra, and exit code 2."""
    done = python(WITHOUT.format(package=package, arguments=arguments))
    assert done.returncode == 2
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert "assignment-pipeline[cli]" in line
