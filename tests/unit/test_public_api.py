"""What ``import assignment_pipeline`` gives, and what it costs."""

import ast
import importlib
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


LOADED_OF_OURS = """
import contextlib, io, json, runpy, sys
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    exec({code!r})
print(json.dumps([name for name in sys.modules if name.startswith("assignment_pipeline")]))
"""
MADE = """
import attr._make
made = 0
build = attr._make._ClassBuilder.build_class
def counted(builder):
    global made
    made += 1
    return build(builder)
attr._make._ClassBuilder.build_class = counted
from assignment_pipeline import Coordinator
print(made)
"""
DIAGRAM = "sys.argv = ['assignment-pipeline', 'diagram']; runpy.run_module('assignment_pipeline', run_name='__main__')"
ON_USE = ("assignment_pipeline", "assignment_pipeline.ports", "assignment_pipeline.adapters.memory")


def loaded(code):
    """The modules of ours that *code* loads, without the first part of their names."""
    done = python(LOADED_OF_OURS.format(code=code))
    assert done.stderr == ""
    return {name.partition(".")[2] for name in json.loads(done.stdout)}


def in_order(name):
    """Constants, then classes, then functions, each by name: as ruff has it."""
    return not name.isupper(), not name[0].isupper(), name


def test_the_public_names_are_in_order():
    """None of them twice."""
    names = assignment_pipeline.__all__
    assert list(names) == sorted(set(names), key=in_order)


def test_nothing_public_is_left_out():
    """What the package imports for its users is in ``__all__``; the rest is underscored or a module."""
    names = {*assignment_pipeline.__all__}
    assert names == set(imported_for_types("assignment_pipeline"))
    assert names <= {*dir(assignment_pipeline)}


def imported_for_types(package):
    """What the ``__init__`` of a package imports for the type checker: each name with its module."""
    tree = ast.parse(inspect.getsource(importlib.import_module(package)))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    return {alias.name: node.module for node in block.body for alias in node.names}


@pytest.mark.parametrize("package", ON_USE)
def test_a_name_is_the_one_that_the_type_checker_sees(package):
    """What a package imports on use comes from where it says so to the type checker, and nothing is left out."""
    module = importlib.import_module(package)
    homes = imported_for_types(package)
    assert set(homes) == {*module.__all__}
    for name, home in homes.items():
        assert getattr(module, name) is getattr(importlib.import_module(home), name)


@pytest.mark.parametrize("package", ON_USE)
def test_a_name_that_is_not_there_is_said(package):
    """As Python says it of any module."""
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'Tabel'"):
        importlib.import_module(package).Tabel  # noqa: B018 - it is looked up


@pytest.mark.parametrize("name", assignment_pipeline.__all__)
def test_every_public_name_is_there_and_documented(name):
    """A class or function has a docstring of its own."""
    value = getattr(assignment_pipeline, name)
    if inspect.isclass(value) or inspect.isroutine(value):
        assert value.__doc__
        assert value.__doc__.strip()


def test_importing_it_loads_what_is_used():
    """The package alone loads nothing else of ours; a value, the values; a coordinator, what assigns."""
    assert loaded("import assignment_pipeline") == {"", "on_use"}
    values = loaded("from assignment_pipeline import Booking, FloorPlan, Venue")
    assert {name.partition(".")[0] for name in values} == {"", "domain", "errors", "on_use", "plain"}
    coordinator = loaded("from assignment_pipeline import Coordinator")
    assert len(coordinator) <= 80
    unwanted = ("cli", "testing", "host_check", "adapters.memory.store", "adapters.metrics", "adapters.logging")
    unwanted += ("flow.legacy.", "ports.records", "domain.room", "domain.review", "rollout.flags")
    unwanted += ("flow.staff.", "flow.sweeping.", "planning.availability", "planning.tiers", "rollout.shadow.runner")
    unwanted += ("rollout.control", "rollout.watching", "rollout.report", "rollout.exports", "domain.metrics")
    assert [name for name in coordinator if name.startswith(unwanted)] == []


def test_importing_it_makes_few_classes():
    """Attrs compiles each class of its own, which was two thirds of the time of an import."""
    done = python(MADE)
    assert done.stderr == ""
    assert int(done.stdout) <= 66


def test_a_command_loads_what_it_needs():
    """`diagram` loads the lifecycle, and no other command, no coordinator, no store."""
    found = loaded(DIAGRAM)
    assert "cli.diagram" in found
    assert {name for name in found if name.startswith("cli.")} == {
        "cli.app",
        "cli.diagram",
        "cli.failures",
        "cli.output",
    }
    assert {name.partition(".")[0] for name in found} <= {
        "",
        "__main__",
        "cli",
        "errors",
        "lifecycle",
        "on_use",
        "plain",
        "redaction",
        "version",
    }


@pytest.mark.parametrize(
    "statement", ["from assignment_pipeline import Coordinator", "from assignment_pipeline import *"]
)
def test_importing_it_loads_no_extra(statement):
    """Nor transitions, which is wanted with the first transition only."""
    done = python(LOADED.replace("import assignment_pipeline", statement))
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
