"""What commands need of a database: a SQLite file, or one in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.ports import AssignmentStore, RolloutStore


class OwnStore(AssignmentStore, Protocol):
    """A store whose host keeps its bookings in the same database."""

    def write(self, work: Callable[[Any], Any]) -> Any:
        """Run *work* in a transaction of its own."""
        ...


class SteeredStore(AssignmentStore, RolloutStore, Protocol):
    """A store with the rollout that gates its commits."""


class OwnHost(Protocol):
    """That host."""

    def booking(self, connection: Any, booking_id: str) -> Booking | None: ...

    def put_booking(self, connection: Any, booking: Booking) -> None:
        """Have a booking, or change it."""
        ...

    def put_venue(self, connection: Any, venue: Venue) -> None:
        """Have a restaurant, or change it."""
        ...


class Database(Protocol):
    """A database; its text is what people call it, and has no password."""

    @property
    def versions(self) -> tuple[int, int]:
        """The versions that this library works with: of the pipeline's tables, and of a standalone host's."""
        ...

    def init(self, *, standalone: bool) -> None:
        """
        Make the tables, or bring them up to date.

        Raises:
            BadInputError: There is something else in their place.
        """
        ...

    def check(self, *, standalone: bool, whole: bool = True) -> None:
        """
        Make sure that the tables are there and of this version.

        Args:
            standalone: Whether a standalone host's are wanted too.

            whole: Whether each table, view and function is looked for, and not the version alone.

        Raises:
            SchemaMismatchError: They are not.
            BadInputError: There is no such database.
        """
        ...

    def openings(self) -> tuple[tuple[str, str, str], ...]:
        """
        What is open in it that others share: the check, what was found, and what to do.

        Raises:
            BadInputError: Our tables are not there.
        """
        ...

    def prepare(self) -> None:
        """
        Have a database of our own: make it if there is none, and bring it up to date.

        Raises:
            BadInputError: There is something else in its place.
        """
        ...

    def host(self) -> OwnHost:
        """The host that keeps its bookings there."""
        ...

    def open(self, *, synchronous: str = "FULL") -> AbstractContextManager[OwnStore]:
        """The store on it; *synchronous* is for a SQLite file that goes soon."""
        ...

    def steer(self, *, standalone: bool) -> AbstractContextManager[SteeredStore]:
        """The store on it, for its rollout; *standalone* says whether restaurants and bookings are kept there too."""
        ...
