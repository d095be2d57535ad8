"""A schema in PostgreSQL, for commands."""

from __future__ import annotations

import contextlib
import re
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from assignment_pipeline.cli.absent_host import AbsentHost
from assignment_pipeline.cli.database import OwnHost, OwnStore, SteeredStore
from assignment_pipeline.cli.failures import readable, refuse, refuse_schema
from assignment_pipeline.errors import InvalidValueError, SchemaMismatchError
from assignment_pipeline.on_use import module_on_use

if TYPE_CHECKING:
    from assignment_pipeline.adapters import postgres
else:
    postgres = module_on_use("adapters.postgres")  # It is an extra.

_URL = re.compile(r"postgres(ql)?://", re.IGNORECASE)
_WORDS = re.compile(r"\s*[A-Za-z_]+\s*=")


def is_address(given: str) -> bool:
    """Whether *given* is meant to be the address of a PostgreSQL database."""
    return bool(_URL.match(given) or _WORDS.match(given))


@attrs.frozen
class PostgresDatabase:
    """
    A schema in PostgreSQL.

    Attributes:
        conninfo: The database, as libpq takes it.

        place: The same for people, without a password.

        schema: The schema that everything is in.
    """

    conninfo: str = attrs.field(repr=False)
    place: str
    schema: str

    @classmethod
    def of(cls, given: str) -> PostgresDatabase:
        """
        The database that *given* names, in libpq's words, and with ``?schema=`` in an address.

        Raises:
            BadInputError: It names none.
            MissingExtraError: The driver is not installed.
        """
        conninfo, named = _without_schema(given)
        schema = named or postgres.SCHEMA
        try:
            place = postgres.place(conninfo, schema)
        except InvalidValueError as error:
            refuse("--db", error.expected, error.got)
        return cls(conninfo, place, schema)

    def __str__(self) -> str:
        return self.place

    @property
    def versions(self) -> tuple[int, int]:
        return postgres.SCHEMA_VERSION, postgres.STANDALONE_VERSION

    def init(self, *, standalone: bool) -> None:
        try:
            postgres.init(self.conninfo, standalone=standalone, schema=self.schema)
        except SchemaMismatchError as error:
            refuse_schema(self, error)

    def check(self, *, standalone: bool, whole: bool = True) -> None:
        postgres.check(self.conninfo, standalone=standalone, schema=self.schema, whole=whole)

    def bookings_view(self, table: str, columns: Mapping[str, str], statuses: Mapping[str, str], *, apply: bool) -> str:
        """
        The SQL of the view ``bookings`` over that table, and whether to run it.

        Raises:
            BadInputError: There is no such table, column or status, or something else has that name.
        """
        try:
            return postgres.bookings_view(
                self.conninfo, table, columns, statuses=statuses, schema=self.schema, apply=apply
            )
        except SchemaMismatchError as error:
            refuse_schema(self, error)
        except InvalidValueError as error:
            refuse(f"--host-bookings, {error.field}", error.expected, error.got)

    def openings(self) -> tuple[tuple[str, str, str], ...]:
        """See `Database.openings`."""
        try:
            found = postgres.examine_security(self.conninfo, schema=self.schema)
        except SchemaMismatchError as error:
            refuse_schema(self, error)
        return tuple((one.check, one.evidence, one.fix) for one in found)

    def grants(self, role: str, purpose: str) -> str:
        """
        The statements that give *role* what that purpose takes.

        Raises:
            BadInputError: Our tables are not there.
        """
        if not role.strip():
            refuse("--role", "the name of a role", repr(role))
        try:
            return postgres.grants(self.conninfo, role, purpose, schema=self.schema)
        except SchemaMismatchError as error:
            refuse_schema(self, error)

    def check_grants(self, role: str, purpose: str) -> tuple[str, ...]:
        """
        What *role* lacks for that purpose, and what it may do beyond it.

        Raises:
            BadInputError: Our tables, or the role, are not there.
        """
        try:
            return postgres.check_grants(self.conninfo, role, purpose, schema=self.schema)
        except SchemaMismatchError as error:
            refuse_schema(self, error)
        except InvalidValueError as error:
            refuse("--role", error.expected, error.got)

    def prepare(self) -> None:
        try:
            found = postgres.versions(self.conninfo, schema=self.schema)
        except SchemaMismatchError as error:
            refuse_schema(self, error)
        if postgres.PIPELINE in found and postgres.STANDALONE not in found:
            refuse(str(self), "a database of this command, or a schema of its own", "the schema of an application")
        self.init(standalone=True)

    def host(self) -> OwnHost:
        return postgres.StandaloneHost(schema=self.schema)

    @contextlib.contextmanager
    def open(self, *, synchronous: str = "FULL") -> Iterator[OwnStore]:  # noqa: ARG002 - it stays
        host = postgres.StandaloneHost(schema=self.schema)
        with readable(self), postgres.PostgresStore(self.conninfo, host=host, schema=self.schema) as store:
            yield store

    @contextlib.contextmanager
    def steer(self, *, standalone: bool) -> Iterator[SteeredStore]:
        host: Any = postgres.StandaloneHost(schema=self.schema) if standalone else AbsentHost()
        store = postgres.PostgresStore(self.conninfo, host=host, schema=self.schema, pool_size=2)
        with readable(self), store:
            yield store


def _without_schema(given: str) -> tuple[str, str | None]:
    """The driver takes no word that it does not know, such as ``schema``."""
    if not _URL.match(given) or "?" not in given:
        return given, None
    address, _, query = given.partition("?")
    words = urllib.parse.parse_qsl(query, keep_blank_values=True)
    schemas = [value for key, value in words if key == "schema" and value]
    kept = [word for word in words if word[0] != "schema"]
    rest = urllib.parse.urlencode(kept, quote_via=urllib.parse.quote)
    return (f"{address}?{rest}" if rest else address), (schemas[-1] if schemas else None)
