"""What is open in a database that others share: it is found, and what is said to do about it closes it."""

from __future__ import annotations

import secrets
from contextlib import ExitStack

import pytest

psycopg = pytest.importorskip("psycopg")
from psycopg.conninfo import make_conninfo  # noqa: E402

from assignment_pipeline.adapters.postgres import bookings_view, examine_security, grants, init  # noqa: E402
from assignment_pipeline.adapters.postgres.schema import SCHEMA as NAME  # noqa: E402
from assignment_pipeline.adapters.postgres.schema import _init  # noqa: E402
from assignment_pipeline.adapters.postgres.security import _examine  # noqa: E402
from assignment_pipeline.adapters.postgres.work import run  # noqa: E402
from assignment_pipeline.adapters.schema_parts import PIPELINE, STANDALONE  # noqa: E402
from assignment_pipeline.cli.app import run as cli_run  # noqa: E402
from assignment_pipeline.errors import SchemaMismatchError  # noqa: E402
from tests.servers.postgres import database  # noqa: E402
from tests.servers.postgres_14 import server as server_14  # noqa: E402

SCHEMA = "evening"

SUPABASE = """
CREATE ROLE anon NOLOGIN; CREATE ROLE authenticated NOLOGIN; CREATE ROLE service_role NOLOGIN BYPASSRLS;
GRANT USAGE ON SCHEMA public TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON FUNCTIONS TO anon, authenticated, service_role;
"""
"""What Supabase does for the role that owns a project's database."""

CARELESS = {
    "schema-create": f"GRANT CREATE ON SCHEMA {SCHEMA} TO PUBLIC",
    "grants": f"GRANT SELECT ON {SCHEMA}.assignment_records, {SCHEMA}.bookings TO PUBLIC",
    "public-execute": f"GRANT EXECUTE ON FUNCTION {SCHEMA}.commit(jsonb), {SCHEMA}.due TO PUBLIC",
    "search-path": f"ALTER FUNCTION {SCHEMA}.commit(jsonb) RESET search_path; "
    f"CREATE FUNCTION {SCHEMA}.mine() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
    "row-security": f"ALTER TABLE {SCHEMA}.table_blocks ENABLE ROW LEVEL SECURITY",
    "default-grants": f"ALTER DEFAULT PRIVILEGES IN SCHEMA {SCHEMA} GRANT SELECT ON TABLES TO PUBLIC",
}
"""What somebody in a hurry does, by the check that finds it."""


@pytest.fixture
def shared(postgres_database):
    """A connection to a new database; what is done on it is rolled back, for roles belong to the whole server."""
    with database(postgres_database) as made, psycopg.connect(made) as connection:
        yield connection
        connection.rollback()


def examined(connection, schema):
    """What is open, as the open transaction has it."""
    with connection.transaction():  # What is set for a transaction ends with a savepoint that is rolled back only.
        found = run(_examine(schema, "here"), connection, "here")
    connection.execute("SET LOCAL search_path = public")
    return found


def close(connection, found):
    """Do what is said."""
    for opening in found:
        connection.execute(opening.fix)


def test_a_fresh_install_is_closed(postgres_database):
    """Right after the tables are made, and after each purpose was granted what it takes, nothing is open."""
    schema = f"It's {secrets.token_hex(4)}"
    init(postgres_database, standalone=True, schema=schema)
    assert examine_security(postgres_database, schema=schema) == ()
    with psycopg.connect(postgres_database) as connection:
        roles = {purpose: f"{purpose}_{secrets.token_hex(4)}" for purpose in ("web", "worker", "operator", "reader")}
        for purpose, role in roles.items():
            statements = grants(postgres_database, role, purpose, schema=schema)
            connection.execute(f"CREATE ROLE {role}")
            connection.execute(statements.replace("BEGIN;\n", "").replace("COMMIT;", ""))
        assert examined(connection, schema) == ()
        connection.rollback()


@pytest.mark.usefixtures("views_can_heed_policies")
def test_supabases_defaults(shared):
    """They leave a schema of its own closed; in `public`, all is open to whoever has the API's key."""
    shared.execute(SUPABASE)
    for schema in (SCHEMA, "public"):
        run(_init((PIPELINE, STANDALONE), schema, "here"), shared, "here")
        shared.execute("SET LOCAL search_path = public")
    assert examined(shared, SCHEMA) == ()
    found = examined(shared, "public")
    assert {opening.check for opening in found} == {"default-grants", "grants", "public-execute", "exposed-schema"}
    (held,) = (one for one in found if one.check == "grants" and one.evidence.startswith("anon has "))
    privileges = held.evidence.replace("MAINTAIN, ", "")  # From PostgreSQL 17.
    assert "DELETE, INSERT, REFERENCES, SELECT, TRIGGER, TRUNCATE, UPDATE on assignment_leases, " in privileges
    assert held.evidence.endswith(" more")
    assert '"public".booking_assignment_state_history' in held.fix
    assert any(one.evidence.startswith("anon may execute") and "enqueue(" in one.fix for one in found)
    close(shared, [opening for opening in found if opening.check != "exposed-schema"])
    assert [opening.check for opening in examined(shared, "public")] == ["exposed-schema"]


def test_a_schema_that_the_api_serves(shared):
    """A schema of its own that somebody has added to those of the API is found by the API's setting."""
    run(_init((PIPELINE,), SCHEMA, "here"), shared, "here")
    shared.execute("CREATE ROLE authenticator_of_ours; SET LOCAL search_path = public")
    shared.execute("ALTER ROLE authenticator_of_ours SET pgrst.db_schemas = 'public, other'")
    assert examined(shared, SCHEMA) == ()
    shared.execute(f"ALTER ROLE authenticator_of_ours SET pgrst.db_schemas = 'public, {SCHEMA}'")
    assert [opening.check for opening in examined(shared, SCHEMA)] == ["exposed-schema"]


@pytest.mark.parametrize("check", CARELESS)
def test_a_careless_install(shared, check):
    """Each thing that somebody left open is found by its name, and closed by what is said to do."""
    run(_init((PIPELINE, STANDALONE), SCHEMA, "here"), shared, "here")
    shared.execute("SET LOCAL search_path = public")
    shared.execute(CARELESS[check])
    found = examined(shared, SCHEMA)
    assert {opening.check for opening in found} == {check}
    assert all("\n" not in opening.evidence + opening.fix for opening in found)
    close(shared, found)
    assert examined(shared, SCHEMA) == ()


# -- The view over the host's bookings --------------------------------------------------------------------------------

RESERVATIONS = """
CREATE TABLE public.reservations (
    id bigint PRIMARY KEY, restaurant_id text, party_size integer, start_at timestamptz, status text,
    created_at timestamptz
);
INSERT INTO public.reservations (id, restaurant_id) VALUES (1, 'r-1'), (2, 'r-2');
"""


def secure(connection):
    """Let readers of the host's table find those of one restaurant alone."""
    connection.execute(
        "ALTER TABLE public.reservations ENABLE ROW LEVEL SECURITY; "
        "CREATE POLICY one ON public.reservations USING (restaurant_id = 'r-1')"
    )


@pytest.mark.usefixtures("views_can_heed_policies")
def test_the_view_keeps_to_the_hosts_row_security(postgres_database):
    """Over a table with row-level security, each reader of the view finds what the policies show; nothing is open."""
    role, password = f"reader_{secrets.token_hex(4)}", secrets.token_hex(8)
    with database(postgres_database) as made, psycopg.connect(made, autocommit=True) as connection:
        init(made, schema=SCHEMA)
        connection.execute(RESERVATIONS)
        secure(connection)
        bookings_view(made, "public.reservations", schema=SCHEMA, apply=True)
        assert examine_security(made, schema=SCHEMA) == ()
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
        try:
            connection.execute(grants(made, role, "reader", schema=SCHEMA))
            connection.execute(f"GRANT SELECT ON public.reservations TO {role}")
            with psycopg.connect(make_conninfo(made, user=role, password=password)) as reading:
                assert reading.execute(f"SELECT id FROM {SCHEMA}.bookings").fetchall() == [(1,)]
        finally:
            connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.mark.usefixtures("views_can_heed_policies")
def test_a_view_that_was_there_before_is_found(postgres_database):
    """Where the security came after the view, the view shows all, is found, also behind another view, and mended."""
    with database(postgres_database) as made, psycopg.connect(made, autocommit=True) as connection:
        init(made, schema=SCHEMA)
        connection.execute(RESERVATIONS)
        connection.execute("CREATE VIEW public.upcoming AS SELECT * FROM public.reservations")
        for table in ("reservations", "upcoming"):
            bookings_view(made, f"public.{table}", schema=SCHEMA, apply=True)
            assert examine_security(made, schema=SCHEMA) == ()
            secure(connection)
            (opening,) = examine_security(made, schema=SCHEMA)
            assert (opening.check, "public.reservations" in opening.evidence) == ("bookings-view", True)
            if table == "reservations":
                connection.execute(opening.fix.partition(",")[0])
                assert examine_security(made, schema=SCHEMA) == ()
            connection.execute("DROP POLICY one ON reservations; ALTER TABLE reservations DISABLE ROW LEVEL SECURITY")


@pytest.fixture(scope="module")
def postgres_14():
    """A server of PostgreSQL 14."""
    with ExitStack() as stack:
        try:
            yield stack.enter_context(server_14())
        except LookupError as error:
            pytest.skip(str(error))


def test_a_server_of_14_gets_no_view_that_bypasses_it(postgres_14, capsys):
    """PostgreSQL 14 has no view that keeps to the policies: none is made over them, and one that was there is found."""
    with database(postgres_14) as made, psycopg.connect(made, autocommit=True) as connection:
        init(made)
        connection.execute(RESERVATIONS)
        bookings_view(made, "public.reservations", apply=True)
        assert examine_security(made) == ()
        secure(connection)
        with pytest.raises(SchemaMismatchError, match="expected PostgreSQL 15 for a view over a table with row-level"):
            bookings_view(made, "public.reservations", apply=True)
        assert connection.execute(f"SELECT count(*) FROM {NAME}.bookings").fetchone() == (2,)  # It is as it was.
        assert cli_run(["doctor", "--security", "--db", made]) == 1
        said = capsys.readouterr().out
        assert "shows all rows of public.reservations" in " ".join(said.split())
        (opening,) = examine_security(made)
        assert opening.check == "bookings-view"
        assert opening.fix.startswith(f'DROP VIEW "{NAME}".bookings: PostgreSQL 15')
        connection.execute(opening.fix.partition(":")[0])
        assert examine_security(made) == ()
