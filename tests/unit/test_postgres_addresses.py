"""What a store on PostgreSQL says of an address that it cannot use: never a part of a password."""

from __future__ import annotations

import pytest

pytest.importorskip("psycopg")

from assignment_pipeline.adapters.postgres import AsyncPostgresStore, PostgresStore, StandaloneHost, init
from assignment_pipeline.errors import InvalidValueError

EXPECTED = "conninfo: expected postgresql://user@host:port/database, or words such as host=... dbname=..., got "
UNSEEN = "something else, which is not shown: it may hold a password"

USES = {
    "init": init,
    "threads": lambda conninfo: PostgresStore(conninfo, host=StandaloneHost()),
    "asyncio": lambda conninfo: AsyncPostgresStore(conninfo, host=StandaloneHost()),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize(
    ("conninfo", "says"),
    [
        (
            "postgresql+psycopg://ann:hush@h/x",
            f"{EXPECTED}SQLAlchemy's postgresql+psycopg://..., which libpq does not know",
        ),
        ("host=localhost hush", f"{EXPECTED}{UNSEEN}"),
        (
            "postgresql://ann:h/ush@h/x",
            f"conninfo: expected special characters in a password as %40 and the like, got {UNSEEN}",
        ),
    ],
)
def test_an_address_that_is_none(use, conninfo, says):
    """In one line, with the argument's name and what was expected."""
    with pytest.raises(InvalidValueError) as raised:
        use(conninfo)
    assert str(raised.value) == says
