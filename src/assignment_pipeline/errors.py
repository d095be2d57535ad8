"""Everything that this library raises on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from assignment_pipeline.plain import Plain

__all__ = [
    "AssignmentPipelineError",
    "BlockNotFoundError",
    "BookingNotFoundError",
    "BookingOverError",
    "BookingUnreadableError",
    "CommitUnknownError",
    "FlagError",
    "FlagsUnreadError",
    "HostContradictionError",
    "HostError",
    "IllegalTransitionError",
    "LockManagerUnavailableError",
    "MissingExtraError",
    "MissingRightsError",
    "NoRecordError",
    "NoTablesError",
    "NotBegunError",
    "OtherRestaurantError",
    "OtherTablesError",
    "PartySitsError",
    "PlacementRefusedError",
    "RolloutRefusedError",
    "SchemaMismatchError",
    "StaleRecordError",
    "StaleRolloutError",
    "StoreUnavailableError",
    "TableConflictError",
    "TableNotFoundError",
    "UnexpectedError",
    "VenueNotFoundError",
    "ZoneNotFoundError",
]


ENDED = frozenset({"failed", "cancelled"})
"""The states in which an assignment has ended, as text: `lifecycle.FINAL` is made of them."""


def _way_back(state: str) -> str:
    """What undoes the end of an assignment, as another sentence; nothing of one that has not ended."""
    return " `reinstate` puts it back (`assignment-pipeline service reinstate`)." if state in ENDED else ""


class AssignmentPipelineError(Plain, Exception):
    """
    The root of every error of this library.

    Subclasses carry their facts as positional fields, which keeps them
    picklable, and put them into one sentence with ``str()``.

    Attributes:
        code: A stable, machine-readable name of the error.
    """

    code: ClassVar[str] = "assignment_pipeline_error"

    def __init__(self, *given: Any, **named: Any) -> None:
        if self.fields or named:
            super().__init__(*given, **named)
            self.args = tuple(getattr(self, name) for name in self.fields)


LONGEST_GOT = 500
"""Of what somebody passed, a sentence repeats so many characters at most."""


def shown(got: str) -> str:
    """What was got, as a sentence quotes it: its beginning, where it is long."""
    return got if len(got) <= LONGEST_GOT else f"{got[:LONGEST_GOT]}... ({len(got):,} characters)"


class InvalidValueError(ValueError):
    """
    A value that is not as it has to be, with what is wrong as data: nobody has to read the sentence for it.

    Attributes:
        field: Which value; empty where it has no name.

        expected: What it has to be, such as ``a whole number from 1 to 100``.

        got: What it was, for people; no more than its type where it may be a guest's.
    """

    def __init__(self, field: str, expected: str, got: str) -> None:
        super().__init__(field, expected, got)
        self.field = field
        self.expected = expected
        self.got = got

    def __str__(self) -> str:
        said = f"expected {self.expected}, got {shown(self.got)}"
        return f"{self.field}: {said}" if self.field else said


class BookingNotFoundError(AssignmentPipelineError):
    """
    Neither the host nor the pipeline knows a booking.

    Attributes:
        booking_id: The id that was asked for.
    """

    code: ClassVar[str] = "booking_not_found"

    booking_id: str

    def __str__(self) -> str:
        return f"Booking {shown(repr(self.booking_id))} is known neither to the host nor to the pipeline."


class NoRecordError(BookingNotFoundError):
    """
    The host knows a booking, and the pipeline has no record of it.

    Attributes:
        booking_id: The id that was asked for.

        status: What the host calls its state.

        todo: What to do about it, in a few words.
    """

    code: ClassVar[str] = "no_record"

    status: str
    todo: str

    def __str__(self) -> str:
        return f"Booking {self.booking_id!r} is {self.status} at the host and has no record here: {self.todo}."


class VenueNotFoundError(AssignmentPipelineError):
    """
    The host has no venue for a restaurant.

    Attributes:
        restaurant_id: The id that was asked for.
    """

    code: ClassVar[str] = "venue_not_found"

    restaurant_id: str

    def __str__(self) -> str:
        return f"The host has no venue for restaurant {self.restaurant_id!r}."


class TableNotFoundError(AssignmentPipelineError):
    """
    A restaurant has no such table.

    Attributes:
        restaurant_id: The restaurant.

        table_id: The id that was asked for.
    """

    code: ClassVar[str] = "table_not_found"

    restaurant_id: str
    table_id: str

    def __str__(self) -> str:
        return f"Restaurant {self.restaurant_id!r} has no table {self.table_id!r}."


class ZoneNotFoundError(AssignmentPipelineError):
    """
    No table of a restaurant stands in such a zone.

    Attributes:
        restaurant_id: The restaurant.

        zone: The zone that was asked for.
    """

    code: ClassVar[str] = "zone_not_found"

    restaurant_id: str
    zone: str

    def __str__(self) -> str:
        return f"Restaurant {self.restaurant_id!r} has no table in a zone {self.zone!r}."


class BlockNotFoundError(AssignmentPipelineError):
    """
    A restaurant has no such block on one of its tables.

    Attributes:
        restaurant_id: The restaurant.

        block_id: The id that was asked for.
    """

    code: ClassVar[str] = "block_not_found"

    restaurant_id: str
    block_id: str

    def __str__(self) -> str:
        return f"Restaurant {self.restaurant_id!r} has no block {self.block_id!r}."


class NoTablesError(AssignmentPipelineError):
    """
    What is asked for makes sense only of a booking with tables.

    Attributes:
        booking_id: The booking.

        state: The state that its assignment is in.
    """

    code: ClassVar[str] = "no_tables"

    booking_id: str
    state: str

    def __str__(self) -> str:
        return f"Booking {self.booking_id!r} has no tables: its assignment is {self.state}.{_way_back(self.state)}"


class BookingOverError(AssignmentPipelineError):
    """
    What is asked for makes no sense once the time of the booking is over.

    Attributes:
        booking_id: The booking.

        end_at: When its time ended, in the restaurant's time with its offset.
    """

    code: ClassVar[str] = "booking_over"

    booking_id: str
    end_at: str

    def __str__(self) -> str:
        return f"The time of booking {self.booking_id!r} ended at {self.end_at}: make a new booking."


class PartySitsError(AssignmentPipelineError):
    """
    What is asked for would take the tables of a party that sits there.

    Attributes:
        booking_id: The booking.

        table_ids: Its tables.
    """

    code: ClassVar[str] = "party_sits"

    booking_id: str
    table_ids: tuple[str, ...]

    def __str__(self) -> str:
        where = ", ".join(self.table_ids)
        return f"The party of booking {self.booking_id!r} sits at {where}: call left first, or place to move it."


class NotBegunError(AssignmentPipelineError):
    """
    What is asked for makes sense only once the party's turn has begun.

    Attributes:
        booking_id: The booking.

        start_at: When its turn begins, in the restaurant's time with its offset.

        remedy: What to do about it; None where that is to wait.
    """

    code: ClassVar[str] = "not_begun"

    booking_id: str
    start_at: str
    remedy: str | None = None

    def __str__(self) -> str:
        remedy = f": {self.remedy}" if self.remedy else ""
        return f"The turn of booking {self.booking_id!r} begins only at {self.start_at}{remedy}."


class IllegalTransitionError(AssignmentPipelineError):
    """
    A trigger was fired in a state that it does not leave.

    Attributes:
        state: The state that the assignment is in.

        trigger: The trigger that was fired.
    """

    code: ClassVar[str] = "illegal_transition"

    state: str
    trigger: str

    def __str__(self) -> str:
        return f"An assignment that is {self.state} cannot {self.trigger}.{_way_back(self.state)}"


class PlacementRefusedError(AssignmentPipelineError):
    """
    A person's placement breaks rules that were not allowed away.

    Attributes:
        booking_id: The booking to be placed.

        rules: The names of the rules that it breaks, as ``allow=`` takes them.

        unknown_tables: The tables that the floor does not have, sorted.
    """

    code: ClassVar[str] = "placement_refused"

    booking_id: str
    rules: tuple[str, ...]
    unknown_tables: tuple[str, ...] = ()

    def __str__(self) -> str:
        names = ", ".join(shown(repr(name)) for name in self.unknown_tables)
        unknown = f": there is no table {names}" if names else ""
        return f"Booking {self.booking_id!r} cannot be placed so: it breaks {', '.join(self.rules)}{unknown}."


class TableConflictError(AssignmentPipelineError):
    """
    A table in the change is already taken for part of its window.

    Attributes:
        table_ids: The contested tables, sorted.
    """

    code: ClassVar[str] = "table_conflict"

    table_ids: tuple[str, ...]

    def __str__(self) -> str:
        return f"Already taken for part of the window: {', '.join(self.table_ids)}."


class StaleRecordError(AssignmentPipelineError):
    """
    Something that the change takes for granted has moved since it was read.

    Attributes:
        booking_id: The booking whose change was refused.

        what: What moved: ``version``, ``booking``, ``venue``, ``schedule`` or ``pinned``.
    """

    code: ClassVar[str] = "stale_record"

    booking_id: str
    what: str

    def __str__(self) -> str:
        return f"The {self.what} of booking {self.booking_id!r} has changed since it was read."


class OtherTablesError(StaleRecordError):
    """
    A booking that a person moves is not at the tables that the person took it to be at.

    Attributes:
        expected: The tables that it was to leave, sorted.

        found: The tables that it has, sorted.
    """

    code: ClassVar[str] = "other_tables"

    expected: tuple[str, ...]
    found: tuple[str, ...]

    def __str__(self) -> str:
        return f"Booking {self.booking_id!r} is at {', '.join(self.found)}, not at {', '.join(self.expected)}."


class OtherRestaurantError(AssignmentPipelineError):
    """
    A call named another restaurant than the host's booking has: the host's decides.

    Attributes:
        booking_id: The booking.

        given: The restaurant that the call named.

        found: The restaurant that the booking is of, by the host.
    """

    code: ClassVar[str] = "other_restaurant"

    booking_id: str
    given: str
    found: str

    def __str__(self) -> str:
        return f"The host has booking {self.booking_id!r} at restaurant {self.found!r}; the call named {self.given!r}."


class StaleRolloutError(AssignmentPipelineError):
    """
    The rollout has moved on since the flags were resolved.

    Attributes:
        expected: The rollout's generation that the change was made under.

        found: The generation in force.
    """

    code: ClassVar[str] = "stale_rollout"

    expected: int
    found: int

    def __str__(self) -> str:
        return f"The rollout is at generation {self.found}; this change was made under {self.expected}."


class CommitUnknownError(AssignmentPipelineError):
    """
    The store did not answer a commit: it may have landed or not.

    Attributes:
        detail: What the store's driver said.
    """

    code: ClassVar[str] = "commit_unknown"

    detail: str

    def __str__(self) -> str:
        return f"It is unknown whether the commit has landed: {self.detail}."


class StoreUnavailableError(AssignmentPipelineError):
    """
    The store cannot be reached or cannot work; nothing was written.

    Attributes:
        detail: What the store's driver said.
    """

    code: ClassVar[str] = "store_unavailable"

    detail: str

    def __str__(self) -> str:
        return f"The assignment store is unavailable: {self.detail}."


class FlagsUnreadError(StoreUnavailableError):
    """
    The flags were not read yet: nobody knows which planner is in charge. Nothing was written, and no planner was run.

    Attributes:
        detail: What has not answered.
    """

    code: ClassVar[str] = "flags_unread"

    def __str__(self) -> str:
        return f"The feature flags were not read yet: {self.detail}. Try again."


class MissingRightsError(StoreUnavailableError):
    """
    The database is there, and does not let this role do what was asked. Nothing was written.

    Attributes:
        detail: The database, and what it said.

        remedy: What to do about it.
    """

    code: ClassVar[str] = "missing_rights"

    remedy: str = "grant it what `assignment-pipeline db grants` prints"

    def __str__(self) -> str:
        return f"The database role lacks a right: {self.detail}: {self.remedy}."


class SchemaMismatchError(AssignmentPipelineError):
    """
    The database does not hold the schema that this version works with.

    Attributes:
        where: The database.

        expected: What was expected there.

        found: What is there.

        remedy: What to do about it; None where that is not known.
    """

    code: ClassVar[str] = "schema_mismatch"

    where: str
    expected: str
    found: str
    remedy: str | None = None

    @classmethod
    def of_version(cls, where: str, part: str, wanted: int, found: int | None) -> SchemaMismatchError:
        """A *part* of the schema is missing (None), or of another version than *wanted*."""
        if found is None:
            remedy = "make the tables with `assignment-pipeline db init`, with --embedded beside tables of your own"
        elif found < wanted:
            remedy = "bring the tables up to date with `assignment-pipeline db init`"
        else:
            remedy = "this version of assignment-pipeline is older than the database: install a newer one"
        got = "none" if found is None else f"version {found}"
        return cls(where, f"version {wanted} of the {part} schema", got, remedy)

    @classmethod
    def of_missing(cls, where: str, part: str, missing: Sequence[str], *, holds_data: bool) -> SchemaMismatchError:
        """Some things of a *part* of the schema are gone; *holds_data* is whether there are tables among them."""
        remedy = "make them anew with `assignment-pipeline db init`: they hold no data"
        if holds_data:
            remedy = "restore the tables from a backup: `assignment-pipeline db init` makes no table that is gone"
        return cls(where, f"all tables, views and functions of the {part} schema", f"no {', '.join(missing)}", remedy)

    @classmethod
    def of_unreleased(cls, where: str, part: str, wanted: int, remedy: str) -> SchemaMismatchError:
        """A build before the first release made it; *remedy* is how to get rid of it."""
        remedy = f"{remedy}, and run `assignment-pipeline db init`; its data is not carried over"
        return cls(where, f"version {wanted} of the {part} schema", "that of a build before the first release", remedy)

    def __str__(self) -> str:
        return f"{self.where}: expected {self.expected}, found {self.found}{f': {self.remedy}' if self.remedy else ''}."


STORE_DOWN = (StoreUnavailableError, SchemaMismatchError)
"""What says that the store itself cannot be asked. All else may be about one restaurant or booking."""


class LockManagerUnavailableError(AssignmentPipelineError):
    """
    The lock server cannot be reached.

    Attributes:
        detail: What its driver said.
    """

    code: ClassVar[str] = "lock_unavailable"

    detail: str

    def __str__(self) -> str:
        return f"The lock manager is unavailable: {self.detail}."


class BookingUnreadableError(AssignmentPipelineError):
    """
    The host's row of a booking makes no sense, such as a party of 0.

    Attributes:
        booking_id: The booking.

        problem: What the host's code raised, in one line without anybody's data.
    """

    code: ClassVar[str] = "booking_unreadable"

    booking_id: str
    problem: str

    def __str__(self) -> str:
        return f"Booking {self.booking_id!r}: the host's row cannot be read ({self.problem}). Mend the row."


class HostError(AssignmentPipelineError):
    """
    A method of the host answered something else than its protocol says, or the database did not take its query.

    Attributes:
        method: The class and the method.

        expected: What it takes.

        got: What came, without anything that is in it.
    """

    code: ClassVar[str] = "host_error"

    method: str
    expected: str
    got: str

    def __str__(self) -> str:
        return f"{self.method}: expected {self.expected}, got {self.got}."


class HostContradictionError(AssignmentPipelineError):
    """
    A booking was to give its tables back and wait, while the host's row would not say that it waits.

    Nothing was written: the guest keeps the tables. Otherwise nobody would ever seat that guest again.

    Attributes:
        booking_id: The booking.

        state: The state that its assignment was to go to.

        status: What ``booking`` said of it after ``on_commit``.

        hook: What was to write it, such as ``MyHost.on_commit``; empty where the host has none.
    """

    code: ClassVar[str] = "host_contradiction"

    booking_id: str
    state: str
    status: str
    hook: str

    def __str__(self) -> str:
        mend = f"{self.hook} has to write" if self.hook else "the host has no on_commit that writes"
        return (
            f"Booking {self.booking_id!r} keeps its tables: it was to wait again ({self.state}), but the host's row"
            f" still reads as {self.status!r}. For that state, {mend} a word that booking() reads back as 'pending';"
            " StatusMap has one for each state."
        )


class FlagError(AssignmentPipelineError):
    """
    A feature flag holds a value that cannot be read.

    Attributes:
        variable: The name of the environment variable.

        got: What it holds.

        expected: What it takes.
    """

    code: ClassVar[str] = "flag_error"

    variable: str
    got: str
    expected: str

    def __str__(self) -> str:
        return f"{self.variable}: expected {self.expected}, got {self.got!r}."


class RolloutRefusedError(AssignmentPipelineError):
    """
    The rollout stays where it is.

    Attributes:
        phase: The phase that it is in; None before the first.

        because: What is in the way, in sentences without a full stop.
    """

    code: ClassVar[str] = "rollout_refused"

    phase: str | None
    because: tuple[str, ...]

    def __str__(self) -> str:
        stays = f"The rollout stays in {self.phase}" if self.phase else "The rollout has not begun"
        return f"{stays}: {'; '.join(self.because)}."


class MissingExtraError(AssignmentPipelineError, ImportError):
    """
    An optional part was used without the packages that it needs.

    Attributes:
        extra: The extra that brings them.

        package: The package that was not found.
    """

    code: ClassVar[str] = "missing_extra"

    extra: str
    package: str

    def __str__(self) -> str:
        return f"{self.package} is not installed: pip install 'assignment-pipeline[{self.extra}]'."


class UnexpectedError(AssignmentPipelineError):
    """
    Code that is not this library's raised. This stands in its place where the text of that error would be logged.

    Attributes:
        what: The class of what was raised, and the database's code where there is one.
    """

    code: ClassVar[str] = "unexpected"

    what: str

    def __str__(self) -> str:
        return f"Unexpected {self.what}: its text is not repeated, it may quote a guest."
