"""``rollout``: where it stands, on, and back."""

from __future__ import annotations

import getpass
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import attrs
import typer

from assignment_pipeline.cli.failures import NO, refuse, refuse_value
from assignment_pipeline.cli.output import complain, print_json
from assignment_pipeline.cli.rollout import standing as views
from assignment_pipeline.cli.rollout.numbers import compared_in, print_with_headlines
from assignment_pipeline.cli.rollout.steering import Steering, steered, without_environment
from assignment_pipeline.cli.wiring import JsonOption, a_name, command, unknown_restaurants
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.errors import InvalidValueError
from assignment_pipeline.rollout.control import Standing
from assignment_pipeline.rollout.report import Item, is_due, left_to_do
from assignment_pipeline.rollout.watching import Alerts

app = typer.Typer(help="Manage the rollout: status, next phase, rollback.", no_args_is_help=True)

ActorOption = Annotated[
    str | None,
    typer.Option(
        "--actor", metavar="NAME", callback=a_name, help="Your name, for the history. Default: the login name."
    ),
]
ReasonOption = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="The reason, for the history.")]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Ignore gates that do not pass. Needs --reason, and is recorded.")
]
SignedOption = Annotated[
    list[str] | None,
    typer.Option("--signed-off-by", metavar="ROLE=NAME", help="A sign-off that the phase requires. Repeatable."),
]
PhaseArgument = Annotated[str, typer.Argument(metavar="PHASE", help="The phase.")]


@command(app, opened=steered)
def status(steering: Steering, as_json: JsonOption = False) -> None:
    """Show the phase, its start, its restaurants, and the result of each criterion."""
    standing = steering.rollout.status()
    cohort = views.cohort_of(steering)
    cleanup = _cleanup(steering, standing)

    def document() -> dict[str, Any]:
        return {**views.document(standing, cohort), "cleanup": [attrs.asdict(item) for item in cleanup]}

    def show() -> None:
        views.show(standing, cohort, steering)
        views.show_cleanup(cleanup)

    print_with_headlines(compared_in(steering.rollout.store), document, show, as_json=as_json)


@command(app, opened=steered)
def check(steering: Steering, signed_off_by: SignedOption = None, as_json: JsonOption = False) -> None:
    """Check whether the rollout may advance. Exits with 0 if so, 1 if not."""
    standing = _valid(lambda: steering.rollout.status(_signatures(signed_off_by)))
    print_with_headlines(
        compared_in(steering.rollout.store),
        lambda: views.document(standing),
        lambda: views.show_check(standing),
        as_json=as_json,
    )
    if not standing.passes:
        raise typer.Exit(NO)


@command(app, opened=steered)
def advance(
    steering: Steering,
    actor: ActorOption = None,
    reason: ReasonOption = None,
    force: ForceOption = False,
    signed_off_by: SignedOption = None,
    as_json: JsonOption = False,
) -> None:
    """Advance to the next phase if every gate passes. Exits with 1 if one does not."""
    _require_reason(reason, force=force)
    who, signed = _actor(actor), _signatures(signed_off_by)
    revision = _valid(lambda: steering.rollout.advance(actor=who, reason=reason, force=force, signed_off=signed))
    _done(steering, revision, as_json=as_json)


@command(app, opened=steered)
def enter(
    steering: Steering,
    phase: PhaseArgument,
    actor: ActorOption = None,
    reason: ReasonOption = None,
    force: ForceOption = False,
    signed_off_by: SignedOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Start a phase: the first, the one after a rollback, or any other.

    A phase that activates more restaurants needs the gates of the phase before it to pass,
    or --force.
    """
    _require_reason(reason, force=force)
    who, signed = _actor(actor), _signatures(signed_off_by)
    revision = _valid(
        lambda: steering.rollout.enter(phase, actor=who, reason=reason, force=force, signed_off=signed),
        phase="PHASE",
    )
    _done(steering, revision, as_json=as_json)


@command(app, opened=without_environment)
def rollback(
    steering: Steering,
    to: Annotated[
        str | None, typer.Option("--to", metavar="PHASE", help="An earlier phase. The default is off everywhere.")
    ] = None,
    actor: ActorOption = None,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Roll back at once, without any gate. Safe to repeat.

    After the command returns, no earlier plan is committed. Every worker follows
    within about a second.
    """
    who = _actor(actor)
    revision = _valid(
        lambda: steering.rollout.rollback(to, actor=who, reason=reason or "No reason was given."), phase="--to"
    )
    _done(steering, revision, as_json=as_json)


@command(app, "list", opened=steered)
def list_restaurants(
    steering: Steering,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="The reason, for the history.")],
    always: Annotated[
        list[str] | None,
        typer.Option("--always", metavar="IDS", help="Ids that are always in, with commas; '' for none. Repeatable."),
    ] = None,
    never: Annotated[
        list[str] | None,
        typer.Option("--never", metavar="IDS", help="Ids that are always off. It wins over the others. Repeatable."),
    ] = None,
    shadow: Annotated[
        list[str] | None,
        typer.Option("--shadow", metavar="IDS", help="Ids in shadow while they are not active. Repeatable."),
    ] = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set the restaurants that are in or out regardless of the percentage. A list that is not given stays."""
    who = _actor(actor)
    lists = {
        name: _ids(f"--{name}", given) for name, given in (("always", always), ("never", never), ("shadow", shadow))
    }
    if all(ids is None for ids in lists.values()):
        refuse("--always, --never and --shadow", "one of them: what is not given stays", "none")
    revision = _valid(lambda: steering.rollout.list_restaurants(actor=who, reason=reason, **lists))
    _done(steering, revision, as_json=as_json)
    if not as_json:
        views.show_lists(revision)
    named = set().union(*filter(None, lists.values()))
    unknown = unknown_restaurants(steering.rollout.store, named)
    if unknown:
        complain(f"Not known here, and so listed for later only: {', '.join(unknown)}. Upper and lower case count.")


@command(app, opened=without_environment)
def history(
    steering: Steering,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="The largest number of changes.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Show the changes of the rollout, newest first, with actor, time and reason."""
    revisions = steering.rollout.history(limit)
    if as_json:
        print_json({"revisions": [views.revision_document(revision) for revision in revisions]})
    else:
        views.show_history(revisions)


def _cleanup(steering: Steering, standing: Standing) -> tuple[Item, ...]:
    """What is left to do before the old planner goes, once it may."""
    store: Any = steering.rollout.store
    if not is_due(standing) or not hasattr(store, "measure"):
        return ()
    history = steering.rollout.history()
    alerts = Alerts(store).check(store.now(), history[0].created_at)
    return left_to_do(standing, history, store, alerts)


# -- What the options say -----------------------------------------------------------------------------------------


def _actor(given: str | None) -> str:
    if given is not None:
        return given
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        refuse("--actor", "who decides it", "nobody, and nobody is logged in")


def _require_reason(reason: str | None, *, force: bool) -> None:
    if force and not (reason or "").strip():
        refuse("--reason", "why it is forced", "nothing")


def _signatures(given: Sequence[str] | None) -> Mapping[str, str]:
    signed = {}
    for text in given or ():
        role, _, name = text.partition("=")
        if not role.strip() or not name.strip():
            refuse("--signed-off-by", "a role and a name, such as qa=Ada", repr(text))
        signed[role.strip()] = name.strip()
    return signed


def _ids(option: str, given: Sequence[str] | None) -> tuple[str, ...] | None:
    if not given:
        return None
    text = ",".join(given)
    ids = tuple(part.strip() for part in text.split(",")) if text.strip() else ()
    if not all(ids):
        refuse(option, "ids with a comma between two, or '' for none", repr(text))
    return ids


def _valid(work: Any, **places: str) -> Any:
    """What *work* returns; what it finds wrong is bad input: to the option of that name, or where *places* has it."""
    try:
        return work()
    except InvalidValueError as error:
        option = f"--{error.field.replace('_', '-')}"
        refuse_value(error, **{error.field: option, "signed_off": "--signed-off-by", **places})


def _done(steering: Steering, revision: RolloutRevision, *, as_json: bool) -> None:
    if as_json:
        print_json(views.revision_document(revision))
    else:
        views.show_change(revision)
        views.warn(steering)
