"""``flags``: what the feature flags say."""

from __future__ import annotations

from typing import Annotated, Any

import attrs
import typer

from assignment_pipeline.cli.apps import from_app
from assignment_pipeline.cli.failures import refuse
from assignment_pipeline.cli.output import print_json, say
from assignment_pipeline.cli.rollout.steering import steered, up_to_date
from assignment_pipeline.cli.wiring import AppOption, DbOption, JsonOption
from assignment_pipeline.ports import FlagResolver
from assignment_pipeline.rollout.flags import EnvFlags

app = typer.Typer(help="Explain the feature flags.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    pass


@app.command()
def explain(
    restaurant: Annotated[str, typer.Argument(help="The id of a restaurant.", metavar="RESTAURANT")],
    app: AppOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Show what the pipeline does at a restaurant, and why.

    Reads the environment's flags. With --db, reads the rollout in that database, unless the
    environment rolls it back. With --app, reads your application's flags.
    """
    if not restaurant.strip():
        refuse("RESTAURANT", "the id of a restaurant", repr(restaurant))
    if db is not None:
        with steered(None, db) as steering:
            _tell(up_to_date(steering.flags), restaurant, as_json=as_json)
    elif app is not None:
        with from_app(app) as coordinator:
            _tell(up_to_date(coordinator.flags), restaurant, as_json=as_json)
    else:
        _tell(EnvFlags(), restaurant, as_json=as_json)


def _tell(flags: FlagResolver, restaurant: str, *, as_json: bool) -> None:
    explain_it: Any = getattr(flags, "explain", None)
    if explain_it is None:
        decision = flags.resolve(restaurant)
        sentence = f"Restaurant {restaurant!r} is {decision.mode.value}, by {decision.source}: {decision.reason}."
        found = {"restaurant_id": restaurant, **attrs.asdict(decision)}
    else:
        explanation = explain_it(restaurant)
        sentence, found = explanation.sentence, attrs.asdict(explanation)
    if as_json:
        print_json({**found, "sentence": sentence})
    else:
        say(sentence)
