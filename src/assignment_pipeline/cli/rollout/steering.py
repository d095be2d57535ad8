"""From ``--db`` or ``--app`` to the rollout that they steer."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import attrs

from assignment_pipeline.cli.apps import from_app, itself
from assignment_pipeline.cli.database import Database
from assignment_pipeline.cli.databases import of_rollout
from assignment_pipeline.cli.failures import refuse
from assignment_pipeline.ports import FlagResolver
from assignment_pipeline.rollout.control import Rollout
from assignment_pipeline.rollout.flags import EnvFlags, LayeredFlags, StoreFlags
from assignment_pipeline.rollout.flags.layered import followed


@attrs.frozen(eq=False)
class Steering:
    """
    What the options lead to.

    Attributes:
        rollout: The rollout.

        flags: What the application's workers go by.

        followed: Whether they follow the rollout at all.
    """

    rollout: Rollout
    flags: FlagResolver
    followed: bool


@contextlib.contextmanager
def steered(app: str | None, db: Database | None, *, heeds_environment: bool = True) -> Iterator[Steering]:
    """
    The rollout that the options name, for the length of the block.

    Args:
        app: The application.

        db: The database.

        heeds_environment: Whether it matters what the environment says; no typo there stops a rollback.

    Raises:
        BadInputError: They name none.
        FlagError: The environment cannot be read.
    """
    if db is not None:
        with of_rollout(db) as store:
            environment = EnvFlags() if heeds_environment else EnvFlags({})
            flags = LayeredFlags(environment, StoreFlags(store))
            yield Steering(Rollout.of(store, flags), flags, followed=True)
    elif app is not None:
        with from_app(app) as coordinator:
            yield _of_app(app, coordinator.store, coordinator.flags)
    else:
        refuse("--db or --app", "one of them", "none")


without_environment = functools.partial(steered, heeds_environment=False)
"""`steered`, whatever the environment says."""


def _of_app(app: str, store: Any, flags: FlagResolver) -> Steering:
    stored = followed(flags)
    try:
        rollout = Rollout.of(store, flags)
    except TypeError:
        kept = itself(store) if stored is None else stored.store
        refuse(f"--app {app}", "a store that keeps a rollout", f"a {type(kept).__name__}")
    return Steering(rollout, flags, followed=stored is not None)


def up_to_date(flags: FlagResolver) -> FlagResolver:
    """The same flags, after a look at the database where they follow one."""
    stored = followed(flags)
    if stored is not None:
        stored.refresh_now()
    return flags
