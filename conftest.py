"""Makes a test of every Python block in the README and the documentation, and says at the end what was skipped."""

import gc
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from functools import partial

import pytest
from hypothesis import settings  # Before `gc.freeze`, after which it finds nothing that refers to its random numbers.
from sybil import Sybil
from sybil.parsers.myst import PythonCodeBlockParser, SkipParser

PATCHES = pytest.MonkeyPatch()


def measure_by_computing(_):
    """Have coordinators make engines that measure searches by the time that these compute, and not by the clock's."""
    from assignment_pipeline import base_coordinator  # noqa: PLC0415 - tests/conftest.py is to be first

    engine = partial(base_coordinator.TableEngine, monotonic=time.thread_time)
    PATCHES.setattr(base_coordinator, "TableEngine", engine)


# What a page shows does not depend on who else keeps the machine busy.
pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    patterns=["README.md", "docs/*.md", "docs/**/*.md"],
    setup=measure_by_computing,
    teardown=lambda _: PATCHES.undo(),
).pytest()


def in_memory(folder="/dev/shm"):  # noqa: S108 - `tempfile` makes the names in it
    """Have temporary files, servers' databases among them, in memory where that has room: on disks they take longer."""
    if "TMPDIR" in os.environ or not os.access(folder, os.W_OK):
        return
    if shutil.disk_usage(folder).free > 4 << 30 and not os.statvfs(folder).f_flag & os.ST_NOEXEC:
        os.environ["TMPDIR"] = folder
        tempfile.tempdir = None  # Whatever was found before.


in_memory()

# The tests start some hundred processes, and each would compile the library anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
gc.disable()  # Imports and collected tests all stay, so there is no garbage yet: see `pytest_collection_finish`.

settings.register_profile("default", max_examples=40, deadline=None)
settings.register_profile("thorough", max_examples=2_000, deadline=None)

LONG = ("tests/examples/", "tests/faults/", "tests/benchmarks/", "tests/integration/", "tests/cli/", "tests/simulator/")
"""Where the files are that take longest: they come first, so that no process waits at the end for another's last."""


def pytest_collection_modifyitems(items):
    """Sort the files that take longest to the front. The tests of a file stay together, in their order."""
    items.sort(key=lambda item: next((place for place, folder in enumerate(LONG) if item.nodeid.startswith(folder)), 9))


def pytest_collection_finish():
    """Garbage is collected from now on, and what is there by now is not looked at for it again."""
    gc.freeze()
    gc.set_threshold(700, 10, 200)  # Objects that have stayed for long are gone through a twentieth as often.
    gc.enable()


def pytest_terminal_summary(terminalreporter):
    """Say how many tests were skipped and why: one line for each reason."""
    reasons = Counter(str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", ()))
    for reason, count in sorted(reasons.items()):
        said = " ".join(reason.removeprefix("Skipped: ").split())
        terminalreporter.write_line(f"skipped {count}: {said}")
