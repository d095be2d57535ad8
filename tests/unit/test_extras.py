"""A part whose packages are missing names the extra that brings them."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
sys.modules[sys.argv[1]] = None  # As if it were not installed.
try:
    __import__(sys.argv[2])
except ImportError as error:
    print(type(error).__name__, error, end="")
"""


@pytest.mark.parametrize(
    ("package", "extra", "module"),
    [
        ("redis", "redis", "adapters.redis"),
        ("celery", "celery", "adapters.celery"),
        ("opentelemetry", "otel", "adapters.opentelemetry"),
        ("psycopg", "postgres", "adapters.postgres"),
        ("sqlalchemy", "sqlalchemy", "adapters.sqlalchemy"),
        ("starlette", "console", "console"),
    ],
)
def test_a_missing_package_is_named(package, extra, module):
    """With the line that installs it."""
    command = [sys.executable, "-c", PROGRAM, package, f"assignment_pipeline.{module}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    install = f"pip install 'assignment-pipeline[{extra}]'"
    assert done.stdout == f"MissingExtraError {package} is not installed: {install}."
