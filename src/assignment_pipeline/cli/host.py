"""``host``: the backend's own class, tried out."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from assignment_pipeline.cli.apps import from_app, itself
from assignment_pipeline.cli.failures import GOOD, NO, refuse
from assignment_pipeline.cli.output import print_json, stdout
from assignment_pipeline.cli.wiring import AppOption, JsonOption
from assignment_pipeline.host_check import CheckAnswer, Say, all_is_well
from assignment_pipeline.host_check import check as check_host

app = typer.Typer(help="Test your backend's Host class.", no_args_is_help=True)

_STYLES = {Say.OK: "green", Say.SKIPPED: "yellow", Say.WRONG: "bold red"}


@app.callback()
def _group() -> None:
    """Keep the command's name, although there is only one."""


@app.command("check")
def check(
    app: AppOption = None,
    restaurant: Annotated[
        str | None,
        typer.Option(
            "--restaurant", metavar="ID", help="The restaurant to test. The default is one with a pending booking."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """
    Check what your backend's Host class returns and writes. Changes nothing.

    Prints one line for each check: ok, skipped with the reason, or the fault with what to do.
    Each check runs in a transaction that is rolled back. Exits with 1 if there is a fault.
    """
    if app is None:
        refuse("--app", "module:factory", "none")
    answers = _answers(app, restaurant)
    if as_json:
        rows = [{"check": one.check, "says": one.says.value, "text": one.text} for one in answers]
        print_json({"ok": all_is_well(answers), "checks": rows})
    else:
        console = stdout()
        for one in answers:
            console.print(f"{one.says.value:<8}{one.check}: {one.text}", style=_STYLES[one.says], soft_wrap=True)
    raise typer.Exit(GOOD if all_is_well(answers) else NO)


def _answers(spec: str, restaurant: str | None) -> list[CheckAnswer]:
    with from_app(spec) as coordinator:
        store: Any = coordinator.store
        if not hasattr(store, "probe"):
            refuse(f"--app {spec}", "a store of this library, which can roll back", f"a {type(itself(store)).__name__}")
        return list(check_host(store, restaurant, settings=coordinator.settings))
