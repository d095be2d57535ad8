"""What a run of the tests says of those that it has skipped."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = """
import pytest

@pytest.mark.parametrize("number", range(3))
def test_a_server(number):
    pytest.skip("no server\\nis here")

@pytest.mark.skipif(True, reason="only on Windows")
def test_a_system():
    pass

def test_it_runs():
    pass
"""


@pytest.mark.parametrize("processes", ["0", "2"])
def test_each_reason_is_one_line_with_how_many(tmp_path, processes):
    """At the end, and nothing else about them, in however many processes it runs."""
    shutil.copy(ROOT / "conftest.py", tmp_path)
    (tmp_path / "test_some.py").write_text(TESTS)
    options = shutil.copy(ROOT / "pyproject.toml", tmp_path)
    command = [sys.executable, "-m", "pytest", "-c", options, "-n", processes, "-p", "no:cacheprovider", "test_some.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout
    told = re.findall(r"(?im)^.*skipped.*$", done.stdout)
    assert told[:2] == ["skipped 3: no server is here", "skipped 1: only on Windows"]
    assert [re.sub(r" in .*", "", line).strip("= ") for line in told[2:]] == ["1 passed, 4 skipped"]
