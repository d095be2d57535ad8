"""``db``, ``diagram``, ``flags``, ``--version``; every command's help, and its place in the documentation."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from pathlib import Path

import pytest
import typer

from assignment_pipeline import lifecycle
from assignment_pipeline.adapters.sqlite.schema import STANDALONE_VERSION
from assignment_pipeline.cli.app import _ANSWERS, app
from assignment_pipeline.errors import AssignmentPipelineError

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"


def commands(command=None, way=()):
    """Each command with its words: ``("review", "list")``."""
    command = command or typer.main.get_command(app)
    yield way, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*way, name))


COMMANDS = dict(commands())


# -- db, diagram, flags -------------------------------------------------------------------------------------------


def test_a_database_is_made_and_checked(cli, tmp_path):
    """Twice does no harm; the schema that is asked for is the one that is checked."""
    db = tmp_path / "new.sqlite3"
    missing = cli("db", "check", "--db", db)
    assert missing.code == 2
    assert (
        missing.complaint
        == f"{db}: expected a SQLite database, got nothing there: `assignment-pipeline db init` makes one"
    )
    for _ in range(2):
        assert cli("db", "init", "--db", db, "--embedded").code == 0
    assert cli("db", "check", "--db", db, "--embedded").code == 0
    standalone = cli("db", "check", "--db", db)
    assert standalone.code == 1
    assert standalone.complaint.startswith(
        f"{db}: expected version {STANDALONE_VERSION} of the standalone schema, found none: make the"
    )
    assert "`assignment-pipeline db init`" in standalone.complaint
    assert cli("db", "init", "--db", db).code == 0
    checked = cli("db", "check", "--db", db)
    assert (checked.code, checked.out) == (0, f"{db}: version {STANDALONE_VERSION} of the standalone schema.\n")


def test_tables_of_the_same_names_are_left_alone(cli, dump, tmp_path):
    """Nothing is made beside somebody else's."""
    db = tmp_path / "theirs.sqlite3"
    with contextlib.closing(sqlite3.connect(db)) as connection:
        connection.execute("CREATE TABLE observability_events (id TEXT)")
    before = dump(db)
    refused = cli("db", "init", "--db", db)
    assert refused.code == 2
    assert refused.complaint.startswith(f"{db}: expected no tables but ours under our names")
    assert dump(db) == before
    (tmp_path / "text").write_text("hello " * 100)
    assert cli("db", "check", "--db", tmp_path / "text").code == 2


def test_a_database_of_an_unreleased_build_is_left_alone(cli, dump, tmp_path):
    """Each command says on one line what it is, and what to do; nothing is changed."""
    db = tmp_path / "old.sqlite3"
    with contextlib.closing(sqlite3.connect(db)) as connection:
        connection.execute("CREATE TABLE assignment_schema (part TEXT PRIMARY KEY NOT NULL, version INTEGER NOT NULL)")
        connection.execute("CREATE TABLE restaurants (id TEXT)")
        connection.execute("INSERT INTO assignment_schema VALUES ('pipeline', 7), ('standalone', 4)")
        connection.commit()
    before = dump(db)
    for command in (("db", "check"), ("db", "init"), ("demo",), ("sweep",), ("rollout", "status")):
        refused = cli(*command, "--db", db)
        assert refused.code == (1 if "check" in command else 2), command
        assert "that of a build before the first release: delete the file or" in refused.complaint, command
        assert refused.complaint.rstrip(".").endswith("its data is not carried over")
    assert dump(db) == before


def test_the_diagram_is_the_lifecycle(cli):
    """As the library draws it."""
    assert cli("diagram").out == lifecycle.diagram()


@pytest.mark.parametrize("name", ["", " "])
def test_flags_of_no_restaurant_are_not_explained(cli, name):
    """An empty id, such as of a variable that is not set, is refused in one line."""
    refused = cli("flags", "explain", name)
    assert (refused.code, refused.complaint) == (2, f"RESTAURANT: expected the id of a restaurant, got {name!r}")


def test_flags_are_explained(cli, monkeypatch):
    """By the environment's, in a sentence or as JSON."""
    monkeypatch.setenv("FEATURE_ASSIGNMENT_PIPELINE_V3", "true")
    assert cli("flags", "explain", "corner").out.startswith("Restaurant 'corner' is active: its bucket, ")
    explained = cli("flags", "explain", "corner", "--json").json
    assert (explained["restaurant_id"], explained["mode"], explained["rule"]) == ("corner", "active", "percent")
    monkeypatch.setenv("FEATURE_ASSIGNMENT_PIPELINE_V3", "maybe")
    ended = cli("flags", "explain", "corner")
    assert ended.code == 2
    assert ended.complaint.startswith("FEATURE_ASSIGNMENT_PIPELINE_V3: expected true, false")


def test_the_version_is_told(cli):
    """On one line."""
    ended = cli("--version")
    assert ended.code == 0
    assert re.fullmatch(r"assignment-pipeline \S+.*\n", ended.out)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nonsense"], "assignment-pipeline: No such command 'nonsense'"),
        (["assign"], "assignment-pipeline assign: Missing argument"),
        (["assign", "a", "b"], "assignment-pipeline assign: "),
        (["assign", "--nonsense"], "assignment-pipeline assign: No such option"),
        (["review", "place", "ada", "T1"], "assignment-pipeline review place: Missing option '--actor'"),
        (["db", "check"], "assignment-pipeline db check: Missing option '--db'"),
    ],
)
def test_bad_usage_is_one_line(cli, arguments, expected):
    """It says which command, and where to read on."""
    ended = cli(*arguments)
    assert ended.code == 2
    assert ended.complaint.startswith(expected)
    assert ended.complaint.endswith("--help tells more)")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("demo --bookings 0", "demo: --bookings: expected a whole number from 1 to 2000, got '0'"),
        ("demo --bookings many", "demo: --bookings: expected a whole number from 1 to 2000, got 'many'"),
        ("demo --bookings", "demo: --bookings: expected a value, got nothing"),
        ("worker --grace=-1", "worker: --grace: expected a number, 0 at least, got '-1'"),
        ("service walk-in r two", "service walk-in: GUESTS: expected a whole number, got 'two'"),
        ("service walk-in r -2", "service walk-in: No such option: -2; put -- before a value that begins with a dash"),
        ("service walk-in r 2 --until", "service walk-in: --until: expected TIME, got nothing"),
        ("metrics --over x", "metrics: --over: expected a span of time such as 30m, 24h or 7d, got 'x'"),
    ],
)
def test_a_wrong_value_is_named_with_what_it_may_be(cli, line, said):
    """As all that this command line turns down, and not in the words of the packages behind it."""
    command = f"assignment-pipeline {said.partition(':')[0]}"
    assert cli(*line.split()).complaint == f"assignment-pipeline {said} ({command} --help tells more)"


# -- Help and documentation ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", COMMANDS, ids=" ".join)
def test_every_command_has_help(cli, way):
    """It says what it does and what each option means, within 80 columns."""
    ended = cli(*way, "--help")
    assert (ended.code, ended.err) == (0, "")
    assert max(map(len, ended.out.splitlines())) <= 80
    command = COMMANDS[way]
    assert command.help or not way
    assert "\n" not in (command.help or "").replace("\n\n", "")  # The terminal breaks its lines.
    for parameter in command.params:
        if parameter.name != "help":
            assert getattr(parameter, "help", None), parameter.name
    for name, inner in getattr(command, "commands", {}).items():
        assert name in ended.out
        assert inner.help


def sections():
    """The page's sections, by the command that each is about."""
    parts = re.split(r"^##+ `(.+)`$", PAGE.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("way", [way for way, command in COMMANDS.items() if way and not hasattr(command, "commands")])
def test_every_command_is_documented(way):
    """With all its options and arguments, and no others."""
    section = sections()[" ".join(way)]
    names = {option for parameter in COMMANDS[way].params for option in (*parameter.opts, *parameter.secondary_opts)}
    options = {name for name in names if name.startswith("--")} - {"--help"}
    assert set(re.findall(r"`(--[a-z-]+)", section)) == options


def test_the_documented_file_and_its_result_are_real(cli, day_file):
    """The example of a day's file can be assigned; the example of a result has the keys of one."""
    result, day = re.findall(r"```json\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    ended = cli("assign", day_file(day), "--json")
    assert (ended.code, ended.json["confirmed"]) == (0, 2)
    assert list(json.loads(result)) == list(ended.json)
    assert list(json.loads(result)["assignments"][0]) == list(ended.json["assignments"][0])


def test_nothing_else_is_documented():
    """A command that went has no section."""
    assert {tuple(name.split()) for name in sections()} == {
        way for way, command in COMMANDS.items() if way and not hasattr(command, "commands")
    }


FAULTS = {
    "BadInputError",
    "BlockNotFoundError",
    "BookingNotFoundError",
    "BookingOverError",
    "BookingUnreadableError",
    "CommitUnknownError",
    "FlagError",
    "HostError",
    "IllegalTransitionError",
    "LockManagerUnavailableError",
    "MissingExtraError",
    "NoTablesError",
    "NotBegunError",
    "OtherRestaurantError",
    "PartySitsError",
    "SchemaMismatchError",
    "StaleRecordError",
    "StoreUnavailableError",
    "TableNotFoundError",
    "UnexpectedError",
    "VenueNotFoundError",
    "ZoneNotFoundError",
}
"""What ends a command with 2: wrong input, a booking that is not as the command takes it, and what does not work."""


def test_each_error_is_an_answer_or_a_fault():
    """A new one has to say which: the answer is no, exit 1; or wrong input or a fault, exit 2."""
    ours = AssignmentPipelineError.__subclasses__()
    kinds = [kind for kind in ours if kind.__module__.startswith("assignment_pipeline")]
    answers = {kind.__name__ for kind in _ANSWERS}
    unsaid = {kind.__name__ for kind in kinds if not kind.__name__.startswith("_")} - answers - FAULTS
    assert unsaid == set()
    assert answers & FAULTS == set()
