"""The application: its commands, and how they end."""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import os
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from assignment_pipeline.cli.failures import (
    BAD_INPUT,
    BROKEN_PIPE,
    GOOD,
    INTERRUPTED,
    NO,
    RefusedError,
    application_frames,
    as_input,
    is_of_input,
    raised,
    refuse,
)
from assignment_pipeline.cli.output import complain
from assignment_pipeline.errors import (
    AssignmentPipelineError,
    HostContradictionError,
    PlacementRefusedError,
    RolloutRefusedError,
    StaleRolloutError,
    TableConflictError,
)
from assignment_pipeline.version import installed_version

NAME = "assignment-pipeline"
TRACEBACK_VARIABLE = "ASSIGNMENT_PIPELINE_TRACEBACK"

# Typer brings a Click of its own, older ones use the public one: both call this UsageError.
_UsageError: Any = typer.BadParameter.__mro__[1]

_ANSWERS = (
    RefusedError,
    PlacementRefusedError,
    RolloutRefusedError,
    StaleRolloutError,
    TableConflictError,
    HostContradictionError,
)
"""What makes the answer no: others have the tables, or a rule forbids it. All else is bad input, or a fault."""

COMMANDS = {
    "demo": "demo:demo",
    "assign": "assign:assign",
    "availability": "availability:availability",
    "audit": "audit:audit",
    "review": "cases:app",
    "service": "walk_in:app",
    "tables": "tables:app",
    "floor": "floor:floor",
    "console": "console:console",
    "show": "show:show",
    "sweep": "sweep:sweep",
    "worker": "worker:worker",
    "reoptimize": "reoptimize:reoptimize",
    "db": "db:app",
    "host": "host:app",
    "diagram": "diagram:diagram",
    "flags": "rollout.flags:app",
    "rollout": "rollout.group:app",
    "alerts": "rollout.alerts:app",
    "metrics": "rollout.alerts:metrics",
    "sql": "rollout.sql:sql",
    "doctor": "rollout.doctor:doctor",
    "env": "rollout.env:env",
    "dashboard": "rollout.dashboard:app",
    "shadow": "shadow.commands:app",
    "replay": "shadow.replay:replay",
    "backtest": "shadow.backtest:backtest",
}
"""For each command, in the order of the help: its module, and there its function or its group of commands."""


@functools.cache
def _command(name: str) -> Any:
    # Typer would read its signature again at each call.
    module, _, attribute = COMMANDS[name].partition(":")
    found = getattr(importlib.import_module(f"assignment_pipeline.cli.{module}"), attribute)
    holder = typer.Typer(add_completion=False)
    if isinstance(found, typer.Typer):
        holder.add_typer(found, name=name)
    else:
        holder.command(name)(found)
        holder.callback()(lambda: None)  # With it, one command is a group of one.
    group: Any = get_command(holder)
    command = group.commands[name]
    _join_lines(command)
    _refuse_repeats(command)
    return command


def _join_lines(command: Any) -> None:
    """Have each paragraph of a command's help in one line, for the terminal to break: Typer does so with the first."""
    paragraphs = (command.help or "").split("\n\n")
    command.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    for inner in getattr(command, "commands", {}).values():
        _join_lines(inner)


def _refuse_repeats(command: Any) -> None:
    """
    Have a command refuse a second value of an option that takes one.

    Click would drop all but the last: the numbers of `metrics --restaurant a --restaurant b` would be those of b. The
    options that a variable can stand for may be overruled: a script names a database, and who calls it another one.
    """
    for inner in getattr(command, "commands", {}).values():
        _refuse_repeats(inner)
    make_parser = command.make_parser

    def make(ctx: Any) -> Any:
        parser = make_parser(ctx)
        parse = parser.parse_args

        def parse_args(args: list[str]) -> Any:
            parsed = parse(args)
            given = [param for param in parsed[2] if param.param_type_name == "option"]
            for param in given:
                takes_one = not (param.is_flag or param.multiple or param.envvar)
                if takes_one and given.count(param) > 1:
                    refuse(param.opts[0], "one value", str(given.count(param)))
            return parsed

        parser.parse_args = parse_args
        return parser

    command.make_parser = make


class _Commands(Mapping[str, Any]):
    """The commands by name. A command's module is imported when the command is asked for: all of them take 200 ms."""

    def __getitem__(self, name: str) -> Any:
        return _command(name)

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class _Group(TyperGroup):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands: Any = _Commands()


app = typer.Typer(
    cls=_Group,
    name=NAME,
    help="Assigns tables to restaurant bookings.",
    epilog="Exit codes: 0 good, 1 the answer is no, 2 bad usage or input.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"{NAME} {installed_version()}")
        raise typer.Exit


class _Asked:
    """
    What was asked for before the command.

    Attributes:
        traceback: Whether errors that are not ours are shown in full.
    """

    traceback = False


@app.callback()
def _root(
    ctx: typer.Context,
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
    show: Annotated[
        bool,
        typer.Option(
            "--traceback",
            envvar=TRACEBACK_VARIABLE,
            help="Show errors of your application's code in full. They may contain personal data of guests.",
        ),
    ] = False,
) -> None:
    """Nothing of its own."""
    ctx.obj.traceback = show


@functools.cache
def _commands() -> Any:
    return get_command(app)


def run(arguments: Sequence[str] | None = None) -> int:
    """
    Run a command line, by default that of this process.

    Returns:
        The exit code.
    """
    for stream, errors in ((sys.stdout, "replace"), (sys.stderr, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)
    asked = _Asked()
    try:
        code = _commands()(args=arguments, prog_name=NAME, standalone_mode=False, obj=asked)
        print(end="", flush=True)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except (BrokenPipeError, SystemExit) as error:
        # Typer and Rich end the process themselves when nobody listens any more.
        if isinstance(error, SystemExit) and error.code != NO:
            raise
        return _nobody_listens()
    except Exception as error:  # noqa: BLE001 - an application's code may raise anything
        return _failed(error, sys.argv[1:] if arguments is None else arguments, show=asked.traceback)
    return code if isinstance(code, int) else GOOD


def _failed(error: Any, arguments: Sequence[str], *, show: bool) -> int:
    if isinstance(error, _UsageError):
        from assignment_pipeline.cli.usage import asked_for, sentence  # noqa: PLC0415 - few command lines are wrong

        words, command = asked_for(arguments, _commands(), NAME)
        if type(error).__name__ != "NoArgsIsHelpError":  # That one has printed the help.
            complain(f"{words}: {sentence(error, command)} ({words} --help tells more)")
        return BAD_INPUT
    if is_of_input(error):
        error = as_input(error)
    if show and (error.__cause__ is not None or not isinstance(error, AssignmentPipelineError)):
        traceback.print_exception(error)
    if isinstance(error, AssignmentPipelineError):
        complain(error)
    elif isinstance(error, OSError) and not application_frames(error):
        complain(f"{NAME}: {error}")  # A full disk, say.
    else:
        complain(f"{NAME}: {raised(error)} ({NAME} --traceback ... shows what it says)")
    return NO if isinstance(error, _ANSWERS) and not _names_nothing(error) else BAD_INPUT


def _names_nothing(error: Exception) -> bool:
    """Whether it is about a table that is not there."""
    return isinstance(error, PlacementRefusedError) and "unknown_table" in error.rules


def _nobody_listens() -> int:
    # What is still buffered would be written when the interpreter ends, and fail again.
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return BROKEN_PIPE
