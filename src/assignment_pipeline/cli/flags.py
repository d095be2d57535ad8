"""``flags``: what the feature flags of the environment say."""

from __future__ import annotations

from typing import Annotated

import attrs
import typer

from assignment_pipeline.cli.output import print_json
from assignment_pipeline.rollout.environment import EnvFlags

app = typer.Typer(help="Explain the feature flags.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    pass


@app.command()
def explain(
    restaurant: Annotated[str, typer.Argument(help="The id of a restaurant.", metavar="RESTAURANT")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say what the pipeline does at a restaurant, by this environment's flags, and why."""
    explanation = EnvFlags().explain(restaurant)
    if as_json:
        print_json({**attrs.asdict(explanation), "sentence": explanation.sentence})
    else:
        print(explanation.sentence)
