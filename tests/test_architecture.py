"""Who may import whom, that no imports form a circle, where packages of the extras may be imported, and some names."""

import ast
import re
import sys
from pathlib import Path

import pytest

import assignment_pipeline
from assignment_pipeline.lifecycle import AssignmentState

PACKAGE = "assignment_pipeline"
ROOT = Path(assignment_pipeline.__file__).parent
TESTS = Path(__file__).parent
BENCHMARKS = TESTS.parent / "benchmarks"

VALUES = {"domain", "driving", "errors", "lifecycle", "on_use", "plain", "redaction"}
HEART = VALUES | {"flow", "planning", "ports"}
WIRING = HEART | {
    "adapters",
    "circuit",
    "clock",
    "handlers",
    "event_dispatcher",
    "staff",
    "staff_reads",
    "staff_service",
    "processes",
    "rollout",
    "version",
}
LIBRARY = WIRING | {"__init__", "coordinator", "host_check", "joined", "base_coordinator"}
MAY_IMPORT = {
    "driving": set(),
    "errors": {"plain"},
    "on_use": set(),
    "plain": set(),
    "redaction": {"errors"},
    "lifecycle": {"errors", "plain"},
    "domain": {"errors", "lifecycle", "plain"},
    "clock": set(),
    "version": set(),
    "planning": VALUES,
    "ports": VALUES,
    "flow": VALUES | {"planning", "ports"},
    "processes": set(),
    "adapters": VALUES | {"clock", "ports", "processes", "version"},
    "circuit": VALUES | {"ports", "processes"},
    "event_dispatcher": VALUES | {"ports", "processes"},
    "rollout": HEART | {"clock", "processes", "version"},
    "handlers": HEART | {"circuit", "clock", "event_dispatcher"},
    "staff": HEART | {"staff_reads", "staff_service"},
    "staff_service": HEART,
    "staff_reads": HEART,
    "base_coordinator": WIRING,
    "joined": HEART | {"handlers"},
    "host_check": HEART,
    "coordinator": WIRING | {"joined", "base_coordinator"},
    "__init__": LIBRARY,
    "testing": LIBRARY,
    "console": LIBRARY,
    "cli": LIBRARY | {"console"},
    "__main__": {"cli"},
}
"""For each part of the package, the others that it may import."""

EVERYWHERE = {"attrs"}
ONLY_IN = {
    "adapters": {"celery", "openfeature", "opentelemetry", "orjson", "psycopg", "redis", "sqlalchemy"},
    "lifecycle": {"transitions"},
    "planning": {"highspy"},
    "rollout": {"grafana_foundation_sdk", "jinja2", "markupsafe", "matplotlib"},
    "cli": {"rich", "typer"},
    "console": {"jinja2", "markupsafe", "starlette", "uvicorn"},
    "testing": {"hypothesis", "psycopg", "pytest"},
}
"""The packages from elsewhere: those that every part may import, and the parts of the others."""


def imported(tree, module):
    """The dotted names that a module imports, wherever in it; each with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = module[: len(module) - node.level] if node.level else []
            base = [*origin, *(node.module.split(".") if node.module else [])]
            if base == [PACKAGE]:
                yield from ((f"{PACKAGE}.{alias.name}", node.lineno) for alias in node.names)
            else:
                yield ".".join(base), node.lineno


def part_of(name, parts):
    """The part of the package that a dotted name of ours belongs to."""
    _, _, rest = name.partition(".")
    first = rest.partition(".")[0]
    return first if first in parts else "__init__"


def violations(root):
    """A line for each import that is not allowed."""
    parts = {path.stem for path in root.iterdir() if path.suffix == ".py" or path.is_dir()}
    found = []
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        part = Path(relative.parts[0]).stem
        if part not in MAY_IMPORT:
            found.append(f"{relative}: the table above says nothing about {part}")
            continue
        allowed = EVERYWHERE | ONLY_IN.get(part, set())
        for name, line in imported(ast.parse(path.read_text()), [PACKAGE, *relative.with_suffix("").parts]):
            top = name.partition(".")[0]
            if top == PACKAGE:
                target = part_of(name, parts)
                good = target == part or target in MAY_IMPORT[part]
            else:
                good = top in sys.stdlib_module_names or top in allowed
            if not good:
                found.append(f"{relative}:{line}: {part} must not import {name}")
    return found


def test_every_import_is_allowed():
    """Imports lead down: cli, then coordinator, rollout and adapters, then flow, planning, domain."""
    assert violations(ROOT) == []


@pytest.mark.parametrize(
    ("file", "source", "violation"),
    [
        (
            "domain/a.py",
            "import assignment_pipeline.flow.assign",
            "domain must not import assignment_pipeline.flow.assign",
        ),
        ("ports.py", "from assignment_pipeline.flow import drive", "ports must not import assignment_pipeline.flow"),
        (
            "adapters/a.py",
            "def f():\n    from assignment_pipeline import flow",
            "must not import assignment_pipeline.flow",
        ),
        ("adapters/a.py", "from ..flow.assign import assign", "must not import assignment_pipeline.flow.assign"),
        ("adapters/b/a.py", "from ... import coordinator", "must not import assignment_pipeline.coordinator"),
        ("coordinator.py", "from assignment_pipeline.cli import main", "must not import assignment_pipeline.cli"),
        ("testing/a.py", "import assignment_pipeline.cli", "testing must not import assignment_pipeline.cli"),
        ("flow/a.py", "from assignment_pipeline import Coordinator", "must not import assignment_pipeline.Coordinator"),
        (
            "__init__.py",
            "from assignment_pipeline.testing import FakeClock",
            "must not import assignment_pipeline.testing",
        ),
        ("planning/a.py", "import typer", "planning must not import typer"),
        ("flow/a.py", "import highspy", "flow must not import highspy"),
        ("cli/a.py", "import pytest", "cli must not import pytest"),
        ("domain/a.py", "from transitions import Machine", "domain must not import transitions"),
        ("surprise.py", "", "the table above says nothing about surprise"),
    ],
)
def test_a_violation_is_found(tmp_path, file, source, violation):
    """Each kind of wrong import, in a package made up for it."""
    for folder in ("flow", "cli", "testing"):
        (tmp_path / folder).mkdir()
    (tmp_path / "coordinator.py").touch()
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    [found] = violations(tmp_path)
    assert violation in found


def module_name(root, package, path):
    """The dotted name of a module."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join((package, *(parts[:-1] if parts[-1] == "__init__" else parts)))


def import_graph(root, package):
    """
    For each module below *root*, the modules there that it imports.

    Every import counts, wherever it stands: at the top, in a function, and under ``if TYPE_CHECKING``. ``from package
    import name`` is an import of the module ``package.name`` where there is one, else of ``package``. That Python runs
    the ``__init__`` of each package on the way does not count: it would forbid a package to offer its modules' names.
    """
    paths = {module_name(root, package, path): path for path in sorted(root.rglob("*.py"))}

    def targets(name, path):
        inside = name.split(".") if path.stem == "__init__" else name.split(".")[:-1]
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                origin = inside[: len(inside) - node.level + 1] if node.level else []
                base = ".".join([*origin, *(node.module.split(".") if node.module else [])])
                for alias in node.names:
                    yield f"{base}.{alias.name}" if f"{base}.{alias.name}" in paths else base

    return {name: {target for target in targets(name, path) if target in paths} for name, path in paths.items()}


def circles(graph):
    """The groups of modules that reach each other, each in order."""
    reached = {}
    for start in graph:
        seen, wanted = set(), list(graph[start])
        while wanted:
            name = wanted.pop()
            if name not in seen:
                seen.add(name)
                wanted += graph[name]
        reached[start] = seen
    groups = {tuple(sorted(other for other in graph[name] | reached[name] if name in reached[other])) for name in graph}
    return sorted(group for group in groups if group)


@pytest.mark.parametrize(("root", "package"), [(ROOT, PACKAGE), (TESTS, "tests"), (BENCHMARKS, "benchmarks")])
def test_no_imports_form_a_circle(root, package):
    """Each module can be read after those that it imports, inside each folder, too."""
    assert circles(import_graph(root, package)) == []


@pytest.mark.parametrize(
    "back",
    [
        "from thing.a import first",
        "import thing.a",
        "from thing import a",
        "from . import a",
        "from .a import first",
        "def f():\n    from thing.a import first",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from thing.a import first",
    ],
)
def test_a_circle_is_found(tmp_path, back):
    """However the import that closes it is written."""
    (tmp_path / "__init__.py").write_text("from thing.a import first")
    (tmp_path / "a.py").write_text("from thing import b\nfirst = 1")
    (tmp_path / "b.py").write_text("import thing.c")
    (tmp_path / "c.py").write_text(back)
    assert circles(import_graph(tmp_path, "thing")) == [("thing.a", "thing.b", "thing.c")]


def test_a_package_may_offer_what_its_modules_have(tmp_path):
    """That is no circle: the module does not import from the package's ``__init__``."""
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "__init__.py").write_text("from .a import first\nfrom . import b")
    (tmp_path / "inner" / "a.py").write_text("from thing.inner.b import first")
    (tmp_path / "inner" / "b.py").write_text("first = 1")
    assert circles(import_graph(tmp_path, "thing")) == []


STATES = {state.value for state in AssignmentState} - {"confirmed", "failed", "cancelled"}
"""Those that are nothing else, such as a status of the host's or the name of a count."""

MAY_SPELL_STATES = {
    "lifecycle.py": "the states themselves",
    "domain/reasons.py": "outcomes, some of which are called like states",
    "testing/checker/invariants.py": "a copy, on purpose: what is wrong with the library's own table shows",
}
_QUOTED = re.compile(r"'(\w+)'")
_LIST_OF_STATES = re.compile(r"IN \(\s*'(?:" + "|".join(sorted(STATES)) + r")'")


def spelled_states(source):
    """The states that a module spells: as a text of their own, or quoted in one, such as in SQL."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            words = {node.value, *_QUOTED.findall(node.value)}
            yield from ((word, node.lineno) for word in sorted(words & STATES))


def test_states_are_spelled_in_one_place():
    """Everything else takes them from the enum, and SQL in Python from `in_sql`."""
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if name not in MAY_SPELL_STATES:
            found += [f"{name}:{line}: {word}" for word, line in spelled_states(path.read_text())]
    assert found == []


def test_lists_of_states_in_sql_are_named():
    """A file of SQL names a set of states, as `in_sql` has it, so that a new state reaches all of them."""
    assert [path.name for path in sorted(ROOT.rglob("*.sql")) if _LIST_OF_STATES.search(path.read_text())] == []


@pytest.mark.parametrize("source", ["x = 'manual_review'", "x = f\"state = 'assigned' AND {y}\"", "f(state='created')"])
def test_a_spelled_state_is_found(source):
    """Bare, in SQL, or as an argument."""
    assert list(spelled_states(source))


def makers_without_the_prefix(source):
    """The lines on which a module calls `maker`, and does not call what it gets ``_unchecked_...``."""
    tree = ast.parse(source)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _is_maker(node.func)]
    named = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            pairs = zip(_each(node.targets[0]), _each(node.value), strict=False)
            named |= {id(value) for target, value in pairs if ast.unparse(target).startswith("_unchecked_")}
    return [node.lineno for node in calls if id(node) not in named]


def _is_maker(called):
    return ast.unparse(called).rpartition(".")[2] == "maker"


def _each(node):
    return node.elts if isinstance(node, ast.Tuple) else [node]


def test_what_makes_values_without_a_check_says_so():
    """Its name begins with ``_unchecked_``, so that a call of it says so, too: see `domain/made.py`."""
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        lines = makers_without_the_prefix(path.read_text())
        found += [f"{path.relative_to(ROOT).as_posix()}:{line}" for line in lines]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "_slot = maker(Slot)",
        "_unchecked_slot, _room = maker(Slot), maker(Room)",
        "made = [maker(Slot)]",
        "def f():\n    return maker(Slot)(start=start)",
        "_slot = made.maker(Slot)",
    ],
)
def test_what_does_not_say_so_is_found(source):
    """Alone, among several, in a list, or called at once."""
    assert makers_without_the_prefix(source)
    assert not makers_without_the_prefix("_unchecked_slot, _unchecked_room = maker(Slot), maker(Room)")
