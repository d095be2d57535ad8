"""From ``--db`` or ``--app`` to a coordinator."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, NamedTuple

import typer

from assignment_pipeline.cli.absent_host import AbsentHost
from assignment_pipeline.cli.apps import from_app
from assignment_pipeline.cli.database import Database, OwnHost, OwnStore
from assignment_pipeline.cli.databases import database, keeps_bookings
from assignment_pipeline.cli.failures import refuse
from assignment_pipeline.coordinator import Coordinator
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.checks import require_actor
from assignment_pipeline.domain.result import AssignmentResult, Mode
from assignment_pipeline.errors import InvalidValueError, VenueNotFoundError
from assignment_pipeline.flow.assigning.decision_context import Target
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.flow.sweeping.sweep import look_for_freed
from assignment_pipeline.ports import AssignmentStore, LoadQuery
from assignment_pipeline.rollout.control.traffic import restaurants_of
from assignment_pipeline.rollout.flags import FixedFlags

APP_VARIABLE = "ASSIGNMENT_PIPELINE_APP"
DB_VARIABLE = "ASSIGNMENT_PIPELINE_DB"

_NEEDS_APP = "one whose bookings an application keeps: this takes its code, --app MODULE:FACTORY"


def _unless_it_is_told(ctx: typer.Context, param: typer.CallbackParam, value: Database | None) -> Database | None:
    """
    The database, unless only the environment names it and an application or a file is named as well.

    Raises:
        BadInputError: The command line names both.
    """
    _refuse_both(ctx)
    source = ctx.get_parameter_source(param.name or "")
    by_environment = source is not None and source.name == "ENVIRONMENT"
    others = (ctx.params.get(name) for name in ("app", "service_file"))
    return None if by_environment and any(other is not None for other in others) else value


def _alone(ctx: typer.Context, value: str | None) -> str | None:
    """
    The application.

    Raises:
        BadInputError: The command line names a database as well.
    """
    _refuse_both(ctx)
    return value


def _refuse_both(ctx: typer.Context) -> None:
    sources = [ctx.get_parameter_source(name) for name in ("db", "app")]  # None of what has not been read yet.
    if all(source is not None and source.name == "COMMANDLINE" for source in sources):
        refuse("--db and --app", "one of them", "both")


AppOption = Annotated[
    str | None,
    typer.Option(
        "--app",
        metavar="MODULE:FACTORY",
        envvar=APP_VARIABLE,
        callback=_alone,
        help="The factory of your coordinator, such as backend.tables:coordinator.",
    ),
]
DbOption = Annotated[
    Database | None,
    typer.Option(
        "--db",
        metavar="PATH-or-DSN",
        parser=database,
        envvar=DB_VARIABLE,
        callback=_unless_it_is_told,
        help="A database made by db init or assign.",
    ),
]
KeepingOption = Annotated[
    Database | None,
    typer.Option(
        "--db",
        metavar="PATH-or-DSN",
        parser=database,
        envvar=DB_VARIABLE,
        help="The database that stores the day. It is created if it is missing.",
    ),
]


def a_name(value: str | None) -> str | None:
    """
    Who does it.

    Raises:
        BadInputError: It is no name.
    """
    if value is not None:
        try:
            require_actor(value)
        except InvalidValueError as error:
            refuse("--actor", error.expected, error.got)
    return value


RestaurantOption = Annotated[
    str | None, typer.Option("--restaurant", metavar="ID", help="Only this restaurant. The default is all restaurants.")
]


def require_restaurant(store: AssignmentStore, restaurant_id: str | None, *, found: bool) -> None:
    """
    Refuse a restaurant that the host does not have. For commands that found nothing for it.

    A database whose bookings an application keeps has no host at hand: then those pass that have records, or that the
    shadow has seen.

    Args:
        store: Where the command looked.

        restaurant_id: What ``--restaurant`` names; None for all restaurants.

        found: Whether it found anything.

    Raises:
        VenueNotFoundError: The host has no such restaurant.
        BadInputError: There is no host at hand, and nothing is known of such a restaurant.
    """
    if restaurant_id is None or found:
        return
    if _has_no_host(store):
        if unknown_restaurants(store, (restaurant_id,)):
            refuse("--restaurant", "one that the database knows, or --app, which asks your host", repr(restaurant_id))
    else:
        store.load(LoadQuery(restaurant_id=restaurant_id))


def unknown_restaurants(store: Any, restaurant_ids: Iterable[str]) -> list[str]:
    """Those that the host does not have; without a host at hand, those that the database has not heard of. Sorted."""
    known = restaurants_of(store) if hasattr(store, "restaurants") else frozenset[str]()
    others = [name for name in sorted(set(restaurant_ids) - known) if not _has_bundles(store, name)]
    return others if _has_no_host(store) else [name for name in others if not _is_at_host(store, name)]


def _is_at_host(store: Any, restaurant_id: str) -> bool:
    try:
        store.load(LoadQuery(restaurant_id=restaurant_id))
    except VenueNotFoundError:
        return False
    except Exception:  # noqa: BLE001, S110 - whatever a host's code raises, it is about a restaurant that it knows
        pass
    return True


def _has_no_host(store: Any) -> bool:
    return isinstance(getattr(getattr(store, "checked_host", None), "host", None), AbsentHost)


def _has_bundles(store: Any, restaurant_id: str) -> bool:
    return hasattr(store, "bundles") and bool(store.bundles(restaurant_id=restaurant_id, limit=1))


JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@contextlib.contextmanager
def opened(app: str | None, db: Database | None, *, reads: bool = False) -> Iterator[Coordinator]:
    """
    The coordinator that the options name, for the length of the block.

    Args:
        app: The application.

        db: The database.

        reads: Whether only the pipeline's own tables are read: then the bookings may be an application's.

    Raises:
        BadInputError: They name none, or a database whose bookings are an application's.
    """
    if db is not None:
        has_bookings = keeps_bookings(db)
        if not has_bookings and not reads:
            refuse(str(db), "a database that keeps restaurants and bookings, too", _NEEDS_APP)
        with db.steer(standalone=has_bookings) as store, _coordinator(store) as coordinator:
            yield coordinator
    elif app is not None:
        with from_app(app) as coordinator:
            yield coordinator
    else:
        refuse("--db or --app", "one of them", "none")


read_only = functools.partial(opened, reads=True)
"""`opened`, for a command that reads only the pipeline's own tables."""


def _sources(*, app: AppOption = None, db: DbOption = None) -> None:
    """The options that name a coordinator."""


_SOURCES = tuple(inspect.signature(_sources, eval_str=True).parameters.values())


def command(
    group: typer.Typer,
    name: str | None = None,
    *,
    opened: Callable[[str | None, Database | None], contextlib.AbstractContextManager[Any]] = opened,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """
    Make a command of a function whose first argument is what ``--app`` or ``--db`` names: by default, a coordinator.

    The command has the function's other arguments, then these two options, and ``--json`` last if the function has it.

    Args:
        group: The commands that it is one of.

        name: Its name; by default that of the function.

        opened: What opens it, for the length of the command.
    """

    def add(body: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(body)
        def run(*, app: str | None, db: Database | None, **given: Any) -> None:
            with opened(app, db) as found:
                body(found, **given)

        _, *own = inspect.signature(body, eval_str=True).parameters.values()
        ordered = sorted((*own, *_SOURCES), key=lambda each: each.name == "as_json")
        shown = inspect.Signature([each.replace(kind=each.KEYWORD_ONLY) for each in ordered])
        vars(run)["__signature__"] = shown  # What Typer reads the options from.
        group.command(name)(run)
        return body

    return add


# -- A database of our own ----------------------------------------------------------------------------------------


class OwnCoordinator(Coordinator):
    """A coordinator that also does for one booking what a sweep does for all that are due."""

    def look_for_freed(self, booking: Booking) -> AssignmentResult:
        """
        Seat a booking in review that is due at tables that have come free. Where they do not do, it stays as it is.

        Raises:
            VenueNotFoundError: The host has no such restaurant.
        """
        return self._run(look_for_freed(Target.of(booking), self.settings))


class Workplace(NamedTuple):
    """A coordinator on a database of our own, its store, and the host that keeps its bookings there."""

    coordinator: OwnCoordinator
    store: OwnStore
    host: OwnHost


@contextlib.contextmanager
def standalone(db: Database, settings: Settings | None = None, *, synchronous: str = "FULL") -> Iterator[Workplace]:
    """
    A coordinator on a database of our own that is there already.

    Its locks are this process's own: they save work, the commit guards the truth, and they do not outlive a run
    that was killed.
    """
    with db.open(synchronous=synchronous) as store, _coordinator(store, settings) as coordinator:
        yield Workplace(coordinator, store, db.host())


def _coordinator(store: AssignmentStore, settings: Settings | None = None) -> OwnCoordinator:
    return OwnCoordinator(store, flags=FixedFlags(Mode.ACTIVE), settings=settings, sinks=())
