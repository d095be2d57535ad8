"""``env``: what to set in the environment for a phase."""

from __future__ import annotations

import enum
import json
import re
import shlex
from collections.abc import Callable, Mapping
from typing import Annotated

import typer

from assignment_pipeline.cli.failures import refuse
from assignment_pipeline.cli.output import print_json
from assignment_pipeline.cli.wiring import JsonOption
from assignment_pipeline.rollout.control import PHASES, Phase
from assignment_pipeline.rollout.flags.cohorts import BUCKETS, percentage
from assignment_pipeline.rollout.flags.environment import VARIABLES

_PLAIN = re.compile(r"[A-Za-z0-9_.:/@%+,-]*")
_MORE_THAN_CHARACTERS = str.maketrans({"\\": "\\\\", '"': '\\"', "$": "\\$", "`": "\\`", "\n": "\\n"})
_PLATFORM = {"local": "development", "staging": "staging"}


class Format(enum.StrEnum):
    """How it is written."""

    DOTENV = "dotenv"
    SHELL = "shell"
    VERCEL = "vercel"
    DOCKER = "docker"
    K8S = "k8s"


def env(
    phase: Annotated[str, typer.Argument(metavar="PHASE", help=f"One of {', '.join(PHASES)}.")],
    form: Annotated[Format, typer.Option("--format", help="The output format.")] = Format.DOTENV,
    as_json: JsonOption = False,
) -> None:
    """
    Print the environment variables of a rollout phase.

    Formats: a dotenv file, a shell script, commands for Vercel, a file for docker's
    --env-file, or a Kubernetes ConfigMap.
    """
    found = PHASES.get(phase)
    if found is None:
        refuse("PHASE", f"one of {', '.join(PHASES)}", repr(phase))
    if as_json:
        print_json(found.variables)
        return
    for line in (f"Assignment pipeline: {found.title}.", *_warnings(found)):
        print(f"# {line}")
    print("\n".join(WRITERS[form](found)))


def _warnings(phase: Phase) -> list[str]:
    percent = VARIABLES["percent"].name
    if 0 < phase.exposure < BUCKETS:
        share = percentage(phase.exposure)
        return [f"{percent} is what makes it {share} %: without it, it is 100 %."]
    if phase.exposure == BUCKETS and phase.name.startswith("production"):
        return [f"{percent} says so, in case a smaller one was set before."]
    return []


def dotenv(phase: Phase) -> list[str]:
    """Lines of a file that dotenv reads."""
    return [f"{name}={_dotenv_value(value)}" for name, value in phase.variables.items()]


def _dotenv_value(value: str) -> str:
    return value if _PLAIN.fullmatch(value) else f'"{value.translate(_MORE_THAN_CHARACTERS)}"'


def shell(phase: Phase) -> list[str]:
    """Commands of a POSIX shell."""
    return [f"export {name}={shlex.quote(value)}" for name, value in phase.variables.items()]


def vercel(phase: Phase) -> list[str]:
    """Commands of Vercel's command line, which reads values from its input: a newline would be part of them."""
    target = _PLATFORM.get(phase.name.partition("-")[0], "production")
    return [
        *(
            f"printf %s {shlex.quote(value)} | vercel env add {name} {target} --force"
            for name, value in phase.variables.items()
        ),
        "# They count for what is deployed from now on: deploy again.",
    ]


def docker(phase: Phase) -> list[str]:
    """Lines of a file for ``docker run --env-file``, which takes every character as it is, quotes too."""
    return [f"{name}={value}" for name, value in phase.variables.items()]


def k8s(phase: Phase) -> list[str]:
    """A ConfigMap, for ``envFrom``; without quotes, its values would be no texts."""
    return [
        "apiVersion: v1",
        "kind: ConfigMap",
        "metadata:",
        "  name: assignment-pipeline",
        "data:",
        *(f"  {name}: {json.dumps(value, ensure_ascii=False)}" for name, value in phase.variables.items()),
    ]


WRITERS: Mapping[Format, Callable[[Phase], list[str]]] = {
    Format.DOTENV: dotenv,
    Format.SHELL: shell,
    Format.VERCEL: vercel,
    Format.DOCKER: docker,
    Format.K8S: k8s,
}
