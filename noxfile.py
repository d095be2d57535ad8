"""
The checks one by one, in environments of their own: ``nox -s tests-3.12 -- tests/unit``, ``nox -s lint``.

``bash .ci/run`` is what decides; this is for trying another version of Python, or one check. A version that is not
installed is skipped, and nox says so.
"""

import nox

PROJECT = nox.project.load_toml("pyproject.toml")
SUPPORTED = nox.project.python_versions(PROJECT)  # the classifiers
TRIED = ["3.14"]

nox.needs_version = ">=2024.4.15"
nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["lint", "types", "tests"]


@nox.session(python=SUPPORTED + TRIED)
def tests(session: nox.Session) -> None:
    """Run the tests, or those that are named behind ``--``."""
    session.install("--editable", ".[test]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session(python=SUPPORTED[0])
def lint(session: nox.Session) -> None:
    """Look for what ruff finds; changes nothing."""
    session.install(*(found for found in PROJECT["project"]["optional-dependencies"]["dev"] if "ruff" in found))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session(python=SUPPORTED[0])
def types(session: nox.Session) -> None:
    """Check the types."""
    session.install("--editable", ".[dev]")
    session.run("mypy")


@nox.session(python=SUPPORTED[0])
def docs(session: nox.Session) -> None:
    """Build the documentation with the extra ``docs`` and no other."""
    session.install("--editable", ".[docs]")
    session.run("sphinx-build", "-W", "--keep-going", "docs", "docs/_build")


@nox.session(python=SUPPORTED)
def simulator(session: nox.Session) -> None:
    """Run fleets of workers through faults; behind ``--``, which seeds."""
    session.install("--editable", ".[testing]")
    session.run("python", "-m", "assignment_pipeline.testing.simulator", *(session.posargs or ("--seeds", "500")))
