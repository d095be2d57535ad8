"""The backends among the examples work, on real PostgreSQL, as their READMEs say."""

from __future__ import annotations

import datetime as dt
import itertools
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.servers.loopback import free_port

EXAMPLES = Path(__file__).parents[2] / "examples"
DJANGO = (EXAMPLES.parent / "docs/how-to/django.md").read_text(encoding="utf-8")
FLAG = "FEATURE_ASSIGNMENT_PIPELINE_V3"


class Project:
    """A copy of an example, with a database of its own."""

    def __init__(self, folder, database):
        self.folder = folder
        self.database = database
        readme = (folder / "README.md").read_text(encoding="utf-8")
        self.commands = re.findall(r"```sh\n(.*?)\n```", readme, re.DOTALL)
        self.statement = next(iter(re.findall(r"```sql\n(.*?)\n```", readme, re.DOTALL)), None)

    def start(self, command, *more, **changes):
        """Start a line of the README."""
        words = shlex.split(command)
        variables = list(itertools.takewhile(lambda word: "=" in word, words))
        given = dict(pair.split("=", 1) for pair in variables) | {"DATABASE_URL": self.database}
        _python, *arguments = words[len(variables) :]
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-B", *arguments, *more],
            cwd=self.folder,
            env=os.environ | given | {"TEST_DATABASE_URL": self.database} | changes,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, command, *more, **changes):
        """Run a line of the README: its output, and its errors."""
        with self.start(command, *more, **changes) as process:
            try:
                out, err = process.communicate(timeout=100)
            except BaseException:
                process.kill()
                raise
        assert process.returncode == 0, out + err
        return out, err


@pytest.fixture
def project(tmp_path, request, postgres_database):
    """A project, by its folder's name."""
    pytest.importorskip(request.param, reason=f"{request.param} is not installed")
    postgres = pytest.importorskip("tests.servers.postgres", exc_type=ImportError)
    folder = shutil.copytree(
        EXAMPLES / request.param, tmp_path / "project", ignore=shutil.ignore_patterns("__pycache__")
    )
    with postgres.database(postgres_database) as database:
        yield Project(folder, database)


@pytest.mark.parametrize("project", ["django"], indirect=True)
def test_the_django_backend_works(project):
    """Its own tests pass on a database that Django makes; its migrations are complete, and make all that is needed."""
    install, test, review = project.commands
    _, told = project.run(test)
    assert re.search(r"Ran \d\d tests", told)
    project.run(install.partition(" && ")[2])
    project.run("python manage.py makemigrations --check --dry-run")
    assert project.run(review)[0] == "Nothing waits for a person.\n"
    assert project.run("python manage.py sweep", **{FLAG: "true"})[0] == ""
    worker = re.search(r"^python (-m assignment_pipeline worker --app \S+)", DJANGO, re.MULTILINE)[1]
    project.run(f"DJANGO_SETTINGS_MODULE=project.settings python {worker}", "--once")


@pytest.mark.parametrize("project", ["fastapi"], indirect=True)
def test_the_fastapi_backend_passes_its_tests(project):
    """On the databases that they make."""
    assert " passed" in project.run("python -m pytest -q")[0]


@pytest.mark.parametrize("project", ["fastapi"], indirect=True)
def test_the_fastapi_backend_runs(project):
    """With its README's commands: a server that follows the rollout, takes a booking, and ends well when told to."""
    httpx = pytest.importorskip("httpx")
    install, enter, serve = project.commands
    ready, _ = project.run(install.partition(" && ")[2])
    project.run(enter, ASSIGNMENT_PIPELINE_DB=project.database)
    restaurant_id = re.search(r"at restaurant (\S+)\.", ready)[1]
    port = free_port()
    start_at = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).replace(second=0, microsecond=0)
    asked = {"restaurant_id": restaurant_id, "guest": "Guest 12", "party_size": 2, "start_at": start_at.isoformat()}
    with project.start(serve, "--port", str(port)) as process:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
                assert answers(client)
                booking = client.post("/bookings", json=asked).json()
                assert (booking["status"], booking["tables"]) == ("confirmed", ["T1"])
                assert client.get("/openapi.json").status_code == 200
            process.send_signal(signal.SIGTERM)
            _, told = process.communicate(timeout=30)
        finally:
            process.kill()
    assert "Application shutdown complete." in told
    assert "coordinator.confirmed" in told
    assert "Traceback" not in told


@pytest.mark.parametrize("project", ["sqlalchemy"], indirect=True)
def test_the_sqlalchemy_backend_works(project):
    """On threads and with asyncio; its README's commands make the tables, begin the rollout and check the host."""
    pytest.importorskip("fastapi")
    psycopg = pytest.importorskip("psycopg")
    install, enter, _serve, check, worker = project.commands
    project.run(install.partition(" && ")[2])
    project.run(enter, ASSIGNMENT_PIPELINE_DB=project.database)
    with psycopg.connect(project.database) as connection:
        connection.execute(project.statement)
    for module in ("app", "aio"):
        told, _ = project.run(check.replace("app:", f"{module}:"))
        assert told.startswith("ok      schema")
        assert "wrong" not in told
    project.run(worker, "--once")
    assert "2 passed" in project.run("python -m pytest -q")[0]


def answers(client):
    """Whether the server is up, after a while."""
    httpx = pytest.importorskip("httpx")
    for _ in range(300):
        try:
            return client.get("/health").json()["status"] == "ok"
        except httpx.TransportError:
            time.sleep(0.1)
    return False
