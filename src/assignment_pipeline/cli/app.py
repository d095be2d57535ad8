"""The application: its commands, and how they end."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.main import get_command

from assignment_pipeline.cli import (
    assign,
    availability,
    db,
    demo,
    diagram,
    host,
    reoptimize,
    review,
    service,
    sweep,
    tables,
    worker,
)
from assignment_pipeline.cli.failures import (
    BAD_INPUT,
    BROKEN_PIPE,
    GOOD,
    INTERRUPTED,
    NO,
    RefusedError,
    application_frames,
    raised,
)
from assignment_pipeline.cli.output import complain
from assignment_pipeline.cli.rollout import alerts, dashboard, doctor, env, flags, sql, watch
from assignment_pipeline.cli.rollout import commands as rollout
from assignment_pipeline.cli.rollout import plan as rollout_plan
from assignment_pipeline.cli.rollout import report as rollout_report
from assignment_pipeline.cli.shadow import backtest, replay
from assignment_pipeline.cli.shadow import commands as shadow
from assignment_pipeline.errors import (
    AssignmentPipelineError,
    HostContradictionError,
    IllegalTransitionError,
    NoTablesError,
    NotBegunError,
    PlacementRefusedError,
    RolloutRefusedError,
    StaleRecordError,
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
    StaleRecordError,
    IllegalTransitionError,
    NoTablesError,
    NotBegunError,
)

app = typer.Typer(
    name=NAME,
    help="Assigns tables to restaurant bookings.",
    epilog="Exit codes: 0 good, 1 the answer is no, 2 bad usage or input.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("assign")(assign.assign)
app.command("availability")(availability.availability)
app.add_typer(review.app, name="review")
app.add_typer(service.app, name="service")
app.add_typer(tables.app, name="tables")
app.command("sweep")(sweep.sweep)
app.command("worker")(worker.worker)
app.command("reoptimize")(reoptimize.reoptimize)
app.add_typer(db.app, name="db")
app.add_typer(host.app, name="host")
app.command("diagram")(diagram.diagram)
app.add_typer(flags.app, name="flags")
rollout.app.command("watch")(watch.watch)
rollout.app.command("plan")(rollout_plan.plan)
rollout.app.command("report")(rollout_report.report)
rollout.app.command("archive")(rollout_report.archive)
app.add_typer(rollout.app, name="rollout")
app.add_typer(alerts.app, name="alerts")
app.command("metrics")(alerts.metrics)
app.command("sql")(sql.sql)
app.command("doctor")(doctor.doctor)
app.command("env")(env.env)
app.add_typer(dashboard.app, name="dashboard")
app.add_typer(shadow.app, name="shadow")
app.command("replay")(replay.replay)
app.command("backtest")(backtest.backtest)


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
    # Typer would read the signatures of all of them again at each call.
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
        return _failed(error, show=asked.traceback)
    return code if isinstance(code, int) else GOOD


def _failed(error: Any, *, show: bool) -> int:
    if isinstance(error, _UsageError):
        command = error.ctx.command_path if error.ctx else NAME
        if type(error).__name__ != "NoArgsIsHelpError":  # That one has printed the help.
            complain(f"{command}: {error.format_message()} ({command} --help tells more)")
        return BAD_INPUT
    if show and (error.__cause__ is not None or not isinstance(error, AssignmentPipelineError)):
        traceback.print_exception(error)
    if isinstance(error, AssignmentPipelineError):
        complain(error)
    elif isinstance(error, OSError) and not application_frames(error):
        complain(f"{NAME}: {error}")  # A full disk, say.
    else:
        complain(f"{NAME}: {raised(error)} ({NAME} --traceback ... shows what it says)")
    return NO if isinstance(error, _ANSWERS) else BAD_INPUT


def _nobody_listens() -> int:
    # What is still buffered would be written when the interpreter ends, and fail again.
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return BROKEN_PIPE
