"""Commands that look at one restaurant only: a name that the host does not have is no restaurant where all is well."""

from __future__ import annotations

import pytest

from assignment_pipeline.adapters import sqlite
from tests.cli import own_tables

COMMANDS = [
    ("review", "list"),
    ("review", "cases"),
    ("shadow", "list"),
    ("shadow", "list", "--verdict", "mismatch", "--json"),
    ("metrics",),
    ("metrics", "--prometheus"),
    ("alerts", "check"),
    ("backtest",),
]
EMBEDDED = [command for command in COMMANDS if command[:2] not in {("review", "cases"), ("backtest",)}]
NOWHERE = (2, "The host has no venue for restaurant 'nope'.")


@pytest.fixture(scope="module")
def db(tmp_path_factory):
    """A database of a restaurant in which nothing has happened yet."""
    path = tmp_path_factory.mktemp("quiet") / "day.sqlite3"
    host = sqlite.StandaloneHost()
    sqlite.init(path, standalone=True)
    with sqlite.SQLiteStore(path, host=host) as store:
        store.write(lambda connection: host.put_venue(connection, own_tables.CORNER))
    return path


@pytest.fixture
def embedded(cli, tmp_path, monkeypatch):
    """The pipeline's tables beside an application's."""
    path = tmp_path / "own.sqlite3"
    monkeypatch.setenv(own_tables.WHERE, str(path))
    own_tables.make([])
    assert cli("db", "init", "--db", path, "--embedded").code == 0
    return path


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_restaurant_that_the_database_does_not_have_is_refused(cli, db, words):
    """In the sentence of all other commands; one in which nothing has happened is there."""
    refused = cli(*words, "--restaurant", "nope", "--db", db)
    assert (refused.code, refused.complaint) == NOWHERE
    quiet = cli(*words, "--restaurant", "corner", "--db", db)
    assert quiet.code == (1 if words == ("backtest",) else 0), quiet.err


@pytest.mark.parametrize("factory", ["sync", "asynchronous"])
def test_a_restaurant_that_the_application_does_not_have_is_refused(cli, embedded, factory):
    """For threads and for asyncio."""
    app = ("--app", f"tests.cli.own_tables:{factory}")
    for words in COMMANDS:
        refused = cli(*words, "--restaurant", "nope", *app)
        assert (refused.code, refused.complaint) == NOWHERE, words
        assert cli(*words, "--restaurant", "corner", *app).code == (1 if words == ("backtest",) else 0), words


@pytest.mark.parametrize("words", EMBEDDED, ids=" ".join)
def test_without_a_host_a_restaurant_of_which_nothing_is_written_is_refused(cli, embedded, words):
    """A database alone does not know which restaurants there are: a slip must not read as if all were well."""
    refused = cli(*words, "--restaurant", "nope", "--db", embedded)
    assert refused.code == 2
    assert (
        refused.err
        == "--restaurant: expected one that the database knows, or --app, which asks your host, got 'nope'\n"
    )
