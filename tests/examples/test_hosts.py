"""The backends among the examples work, on real PostgreSQL, as their READMEs say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def project(tmp_path, request, postgres_database):
    """A copy of an example, and what runs its commands there, on the database."""
    pytest.importorskip(request.param, reason=f"{request.param} is not installed")
    folder = shutil.copytree(EXAMPLES / request.param, tmp_path / "project")

    def run(command, **changes):
        """Run a line of the README."""
        variables, command = re.fullmatch(r"((?:\w+=\S+ )*)(.*)", command).groups()
        given = dict(pair.split("=", 1) for pair in variables.split()) | {"DATABASE_URL": postgres_database}
        _python, *arguments = command.split()
        return subprocess.run(
            [sys.executable, "-W", "error", "-B", *arguments],
            cwd=folder,
            env=os.environ | given | changes,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    run.commands = re.findall(r"```sh\n(.*?)\n```", (folder / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    return run


@pytest.mark.parametrize("project", ["django"], indirect=True)
def test_the_django_backend_works(project):
    """Its own tests pass on a database that Django makes; its migrations are complete, and make all that is needed."""
    install, test, review = project.commands
    done = project(test)
    assert done.returncode == 0, done.stderr
    assert re.search(r"Ran \d\d tests", done.stderr)
    done = project(install.partition(" && ")[2])
    assert done.returncode == 0, done.stderr
    done = project("python manage.py makemigrations --check --dry-run")
    assert done.returncode == 0, done.stdout
    done = project(review)
    assert (done.returncode, done.stdout) == (0, "Nothing waits for a person.\n"), done.stderr
    done = project("python manage.py sweep", FEATURE_ASSIGNMENT_PIPELINE_V3="true")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
