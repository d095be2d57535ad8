"""Which versions of Python are supported is said once, in the classifiers; what repeats it says the same."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CLASSIFIER = "Programming Language :: Python :: 3."
SUPPORTED = [named.rpartition(" ")[2] for named in PROJECT["project"]["classifiers"] if named.startswith(CLASSIFIER)]


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_oldest_is_what_the_package_requires():
    """Pip, mypy and ruff go by the same version, and so do the README and CONTRIBUTING."""
    oldest = SUPPORTED[0]
    assert PROJECT["project"]["requires-python"] == f">={oldest}"
    assert PROJECT["tool"]["mypy"]["python_version"] == oldest
    assert PROJECT["tool"]["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"
    for name in ("README.md", "CONTRIBUTING.md", ".ci/run"):
        assert set(re.findall(r"Python (3\.\d+) or later", text_of(name))) == {oldest}


def test_the_page_on_releases_has_each():
    """In order, in the first sentence of its section."""
    [said] = re.findall(r"^## Supported versions\n\nPython ([\d., ]+)\.", text_of("docs/releases.md"), re.MULTILINE)
    assert said.split(", ") == SUPPORTED


def test_the_workflow_runs_each():
    """And tries the next one, which fails nothing."""
    workflow = text_of(".github/workflows/checks.yml")
    [listed] = re.findall(r"^ +python: \[(.*)\]$", workflow, re.MULTILINE)
    assert re.findall(r'"(.*?)"', listed) == SUPPORTED
    tried = re.findall(r'- python: "(.*?)"\n +tried: true', workflow)
    assert tried == [f"3.{int(SUPPORTED[-1].removeprefix('3.')) + 1}"]
    assert re.findall(r'^TRIED = \["(.*)"\]$', text_of("noxfile.py"), re.MULTILINE) == tried
