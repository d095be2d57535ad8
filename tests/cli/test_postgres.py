"""``--db`` with a PostgreSQL address: the same commands, on a real server."""

from __future__ import annotations

import contextlib
import json
import secrets
import subprocess
import sys

import pytest

psycopg = pytest.importorskip("psycopg")
from psycopg.conninfo import conninfo_to_dict, make_conninfo  # noqa: E402

from assignment_pipeline.adapters.postgres import SCHEMA_VERSION, init  # noqa: E402
from assignment_pipeline.adapters.postgres.schema import STANDALONE_VERSION  # noqa: E402

ANN = ("--actor", "ann")
MISSING = """
import sys
sys.modules["psycopg"] = None
from assignment_pipeline.cli.app import run
sys.exit(run(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def address(postgres_database):
    """Makes the address of a schema that nobody has used, with a password that nobody may see."""
    facts = conninfo_to_dict(postgres_database)

    def make(schema=None):
        login = f"{facts.get('user', '')}:{facts.get('password') or 'hush'}@{facts['host']}:{facts.get('port', 5432)}"
        return (
            f"postgresql://{login}/{facts['dbname']}?connect_timeout=5&schema={schema or f'day_{secrets.token_hex(4)}'}"
        )

    return make


@pytest.fixture(scope="module")
def db(address, run_once, small_once, tmp_path_factory):
    """A database with a day in it."""
    made, day = address(), tmp_path_factory.mktemp("days") / "day.json"
    day.write_text(json.dumps(small_once))
    assert run_once("assign", day, "--db", made).code == 0
    return made


def test_a_day_is_assigned_as_in_sqlite(cli, small, day_file, address, tmp_path):
    """The same seats in the same database the second time, and the same as SQLite has it."""
    made, day = address(), day_file(small)
    first, again = (cli("assign", day, "--db", made, "--json") for _ in range(2))
    embedded = cli("assign", day, "--db", tmp_path / "day.sqlite3", "--json")
    assert first.code == embedded.code == 0
    assert first.json["confirmed"] == 3
    assert first.json["assignments"] == again.json["assignments"] == embedded.json["assignments"]


def test_every_group_of_commands_works(cli, db):
    """Reviews, the service, tables, the sweep and a day planned anew."""
    assert [entry["booking_id"] for entry in cli("review", "list", "--db", db, "--json").json["reviews"]] == ["cat"]
    assert cli("review", "requeue", "cat", *ANN, "--db", db).code == 0
    assert cli("sweep", "--db", db, "--json").code == 0
    assert cli("service", "walk-in", "corner", "2", *ANN, "--db", db).code == 0
    times = ("--from", "2031-05-18T12:00+02:00", "--until", "2031-05-18T13:00+02:00")
    assert cli("tables", "block", "corner", "G1", *times, *ANN, "--reason", "leak", "--db", db).code == 0
    assert len(cli("tables", "list", "corner", "--db", db, "--json").json["blocks"]) == 1
    assert cli("demo", "--date", "2031-05-17", "--bookings", "20", "--db", db).code == 0


def test_the_schema_is_made_and_checked(cli, address):
    """Twice does no harm; the password is never told."""
    made = address()
    missing = cli("db", "check", "--db", made)
    assert missing.code == 1
    assert f"expected version {SCHEMA_VERSION} of the pipeline schema, found none: make the" in missing.complaint
    assert "`assignment-pipeline db init`" in missing.complaint
    for _ in range(2):
        assert cli("db", "init", "--db", made, "--embedded").code == 0
    assert cli("db", "check", "--db", made, "--embedded").code == 0
    assert (
        f"expected version {STANDALONE_VERSION} of the standalone schema, found none: "
        in cli("db", "check", "--db", made).complaint
    )
    assert cli("db", "init", "--db", made).code == 0
    checked = cli("db", "check", "--db", made)
    schema = made.rpartition("=")[2]
    assert checked.out.endswith(f"?schema={schema}: version {STANDALONE_VERSION} of the standalone schema.\n")
    secret = made.partition("@")[0].rpartition(":")[2]
    assert secret not in missing.err + checked.out


def test_a_role_is_granted_what_it_needs(cli, address, postgres_database):
    """What is printed makes the check pass; before, it names what is missing. SQLite has no roles."""
    made, role = address(), f"worker_{secrets.token_hex(4)}"
    assert cli("db", "init", "--db", made).code == 0
    how = ("--db", made, "--role", role, "--as", "worker")
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        refused = cli("db", "grants", *how, "--check")
        assert (refused.code, refused.complaint) == (2, f"--role: expected a role of the server, got '{role}'")
        statements = cli("db", "grants", *how)
        assert statements.code == 0
        connection.execute(f"CREATE ROLE {role}")
        try:
            lacks = cli("db", "grants", *how, "--check")
            assert lacks.code == 1
            assert f"{role} lacks EXECUTE on " in lacks.out
            connection.execute(statements.out)
            granted = cli("db", "grants", *how, "--check")
            assert granted.code == 0
            assert granted.out.endswith(f"{role} may do what its purpose worker takes, and no more.\n")
            connection.execute(f"ALTER ROLE {role} LOGIN PASSWORD 'w'")
            own = f"postgresql://{role}:w@{made.partition('@')[2]}"
            steers = cli("rollout", "watch", "--once", "--db", own)
            assert (steers.code, steers.out) == (2, "")
            assert steers.complaint.endswith("prints with `--as operator`.")
            assert cli("rollout", "watch", "--once", "--demote", "no", "--db", own).code == 0
        finally:
            connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
    file = cli("db", "grants", "--db", "day.sqlite3", *how[2:])
    assert (file.code, file.complaint) == (2, "--db: expected a PostgreSQL address, got day.sqlite3")


def test_a_schema_that_is_not_whole_is_said(cli, address, postgres_database):
    """By `db check` and the doctor, with what is gone; a rollback that needs none of it goes on."""
    made = address()
    schema = made.rpartition("=")[2]
    assert cli("db", "init", "--db", made).code == 0
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute(f"DROP FUNCTION {schema}.turn_minutes CASCADE")
        checked = cli("db", "check", "--db", made)
        assert (checked.code, checked.out) == (1, "")
        assert "found no turn_minutes(): make them anew with `assignment-pipeline db init`" in checked.complaint
        [finding, *_] = cli("doctor", "--db", made, "--json").json["findings"]
        assert (finding["check"], finding["health"]) == ("schema", "wrong")
        assert "found no turn_minutes()" in finding["evidence"]
        assert cli("rollout", "rollback", "--db", made, "--actor", "anna", "--reason", "guests suffer").code == 0
        assert cli("db", "init", "--db", made).code == 0
        assert cli("db", "check", "--db", made).code == 0
        for table in ("assignment_rollout_history", "table_adjacencies"):
            connection.execute(f"DROP TABLE {schema}.{table} CASCADE")
            said = cli("doctor", "--db", made)
            assert said.code == 1
            assert "assignment_rollout_history" in said.out
        refused = cli("db", "init", "--db", made)
        assert refused.code == 2
        assert "restore the tables from a backup" in refused.complaint


def test_what_is_open_is_said(cli, address, postgres_database):
    """One line for each thing that is open, with what to do, and exit code 1; none for a fresh install."""
    made = address()
    schema = made.rpartition("=")[2]
    assert cli("db", "init", "--db", made).code == 0
    closed = cli("doctor", "--security", "--db", made)
    assert (closed.code, closed.out) == (0, "ok    security: nothing is open to others\n")
    with psycopg.connect(postgres_database) as connection:
        connection.execute(f"GRANT CREATE ON SCHEMA {schema} TO PUBLIC")
    opened = cli("doctor", "--security", "--db", made)
    said = "WRONG schema-create: PUBLIC may make tables and functions in the schema; do: "
    assert (opened.code, opened.out) == (1, f'{said}REVOKE CREATE ON SCHEMA "{schema}" FROM PUBLIC\n')
    (finding,) = cli("doctor", "--security", "--db", made, "--json").json["findings"]
    assert (finding["check"], finding["health"]) == ("schema-create", "wrong")
    assert cli("doctor", "--security").complaint == "--security: expected a database, --db, got none"


def test_a_schema_of_an_unreleased_build_is_left_alone(cli, address, postgres_database):
    """Each command says on one line what it is, and what to do; nothing is changed."""
    made = address()
    schema = made.rpartition("=")[2]
    with psycopg.connect(postgres_database) as connection:
        connection.execute(f'CREATE SCHEMA "{schema}"')
        connection.execute(f'CREATE TABLE "{schema}".assignment_schema (part text PRIMARY KEY, version int NOT NULL)')
        connection.execute(f"INSERT INTO \"{schema}\".assignment_schema VALUES ('pipeline', 10), ('standalone', 3)")
    for command in (("db", "check"), ("db", "init"), ("demo",), ("sweep",), ("rollout", "status")):
        refused = cli(*command, "--db", made)
        assert refused.code == (1 if "check" in command else 2), command
        assert f'that of a build before the first release: drop the schema "{schema}"' in refused.complaint, command
    with psycopg.connect(postgres_database) as connection:
        relations = (
            "SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident(%s)) AND relkind = 'r'"
        )
        assert connection.execute(relations, (schema,)).fetchone() == (1,)


def test_words_name_a_database_too(cli, postgres_database):
    """In the form that libpq takes beside addresses: here without a schema of its own."""
    assert cli("db", "init", "--db", make_conninfo(postgres_database)).out.endswith("of the standalone schema.\n")


def test_an_applications_schema_is_left_alone(cli, small, day_file, address, postgres_database):
    """A day is not mixed into the tables that belong to somebody else's bookings."""
    made = address()
    init(postgres_database, schema=made.rpartition("=")[2])
    for command in (("assign", day_file(small)), ("demo",)):
        refused = cli(*command, "--db", made)
        assert refused.code == 2
        assert refused.complaint.endswith("got the schema of an application")
    swept = cli("sweep", "--db", made)
    assert swept.code == 2
    assert swept.complaint.endswith("an application keeps: this takes its code, --app MODULE:FACTORY")


@pytest.mark.parametrize("command", [("db", "init"), ("db", "check"), ("sweep",), ("demo",)], ids=" ".join)
@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("postgresql://ann:hush@127.0.0.1:9/x", "postgresql://127.0.0.1:9/x: connection failed"),
        ("postgresql://ann:hu@sh@localhost/x", "--db: expected special characters in a password as %40"),
        ("postgresql://ann:h/ush@localhost/x", "--db: expected special characters in a password as %40"),
        ("postgresql://ann:hush@localhost/x?hush=1", "--db: expected postgresql://user@host:port/database, or words"),
        ("host=localhost hush", "--db: expected postgresql://user@host:port/database, or words"),
        ("postgresql+psycopg://ann:hush@h/x", "--db: expected the path of a SQLite file, or a PostgreSQL address"),
    ],
)
def test_what_cannot_be_used_is_one_line(cli, command, given, complaint):
    """A server that is away, an address that is none: whatever it is, without the password."""
    ended = cli(*command, "--db", given)
    assert ended.code == 2
    assert complaint in ended.complaint
    assert "sh@" not in ended.err
    assert "hush" not in ended.err


def test_a_database_that_is_not_there_is_named(cli, address):
    """The server's own words."""
    ended = cli("sweep", "--db", address().replace("/assignment_pipeline_test", "/no_such"))
    assert ended.code == 2
    assert "does not exist" in ended.complaint
    assert "/no_such" in ended.complaint


def test_the_extra_is_named():
    """Where the driver is not installed, it says what to install; files need none."""
    for db, expected in (("postgresql://localhost/x", "[postgres]"), ("/nowhere/at/all", "no folder")):
        command = [sys.executable, "-c", MISSING, "sweep", "--db", db]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == 2
        assert expected in ended.stderr
        assert ended.stderr.count("\n") == 1


def test_a_run_that_was_killed_is_completed(start, cli, made_up, day_file, address):
    """What the first run did stays, and the next one goes on."""
    made, day = address(), day_file(made_up(3))
    process = start("assign", day, "--db", made, "--json")
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=1.2)
    process.kill()
    process.wait()
    ended = cli("assign", day, "--db", made, "--json")
    fresh = cli("assign", day, "--db", address(), "--json")
    assert ended.json["double_booked"] == 0
    assert ended.json["assignments"] == fresh.json["assignments"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a.b.c.d"], "--host-bookings: expected a table, such as reservations or public.reservations, got 'a.b.c.d'"),
        (["a.b.c"], "--host-bookings: expected a table, such as reservations or public.reservations, got 'a.b.c'"),
        (['"a.b"."c.d"'], "which is none"),
        (["x", "--column", "id=a", "--column", "id=b"], "--column: expected one column for id, got 'a' and 'b'"),
        (["x", "--status", "booked"], "--status: expected WORD=STATUS, such as booked=confirmed, got 'booked'"),
        (
            ["pg_class", "--status", "a=b"],
            "--host-bookings, status: expected pending, confirmed, cancelled, failed, got b",
        ),
    ],
)
def test_a_hosts_table_that_is_none_is_one_line(cli, address, words, said):
    """Nothing is made then."""
    made = address()
    done = cli("db", "init", "--db", made, "--embedded", "--host-bookings", *words)
    assert done.code == 2
    assert said in done.complaint
    assert cli("db", "check", "--db", made, "--embedded").code == 1
