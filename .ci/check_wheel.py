"""Run by the Python of an environment that holds the wheel and what it depends on, and no extra."""

import importlib
import importlib.metadata
import pkgutil
import subprocess
import sys
from pathlib import Path

import assignment_pipeline

EXPECTED = {"assignment-pipeline", "attrs", "six", "transitions"}
OPTIONAL = (
    "assignment_pipeline.adapters.celery",
    "assignment_pipeline.adapters.openfeature",
    "assignment_pipeline.adapters.opentelemetry",
    "assignment_pipeline.adapters.postgres",
    "assignment_pipeline.adapters.redis",
    "assignment_pipeline.adapters.sqlalchemy",
    "assignment_pipeline.cli.",
    "assignment_pipeline.console",
    "assignment_pipeline.rollout.exports.dashboard",
    "assignment_pipeline.testing",
    "assignment_pipeline.__main__",
)

installed = {distribution.name for distribution in importlib.metadata.distributions()}
if installed != EXPECTED:
    sys.exit(f"expected {sorted(EXPECTED)} to be installed, found {sorted(installed)}")
print(f"installed: {', '.join(sorted(installed))}")

package = Path(assignment_pipeline.__file__).parent
if not (package / "py.typed").exists():
    sys.exit("py.typed is missing: type checkers would not look at the annotations")

modules = [module.name for module in pkgutil.walk_packages([str(package)], "assignment_pipeline.")]
core = [name for name in modules if not name.startswith(OPTIONAL)]
for name in core:
    importlib.import_module(name)
print(f"imported: {len(core)} modules")

script = Path(sys.executable).with_name("assignment-pipeline")
for command in ([str(script), "demo"], [sys.executable, "-m", "assignment_pipeline", "demo"]):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 2 or done.stdout or done.stderr.count("\n") != 1 or "[cli]" not in done.stderr:
        sys.exit(f"{command}: expected exit code 2 and a line that names the extra cli, got {done}")
print(f"without its extra: {done.stderr.strip()}")
