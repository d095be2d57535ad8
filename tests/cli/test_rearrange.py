"""``review rearrange``: several parties change tables in one step."""

from __future__ import annotations

ANN = ("--actor", "ann")


def tables(cli, db, name):
    return cli("show", name, "--db", db, "--json").json["tables"]


def test_two_swap(cli, db):
    """In one step, and recorded with who did it."""
    (ada,), (dan,) = tables(cli, db, "ada"), tables(cli, db, "dan")
    swapped = cli("review", "rearrange", f"ada={dan}", f"dan={ada}", *ANN, "--db", db)
    assert swapped.code == 0
    assert swapped.out == f"Booking 'ada' has {dan} now.\nBooking 'dan' has {ada} now.\n"
    again = cli("review", "rearrange", f"ada={ada}", f"dan={dan}", *ANN, "--db", db, "--json").json["results"]
    assert [(one["booking_id"], one["tables"], one["reason"]) for one in again] == [
        ("ada", [ada], "rearranged"),
        ("dan", [dan], "rearranged"),
    ]


def test_what_cannot_be_is_refused(cli, db):
    """In one line, with exit code 1 for a no and 2 for bad input; nothing is written."""
    (ada,), (dan,) = tables(cli, db, "ada"), tables(cli, db, "dan")
    taken = cli("review", "rearrange", f"ada={dan}", *ANN, "--db", db)
    assert (taken.code, taken.complaint) == (1, f"Already taken for part of the window: {dan}.")
    for moves in (["ada"], ["ada="], [f"ada={dan}", f"ada={ada}"], ["zoe=W1"]):
        assert cli("review", "rearrange", *moves, *ANN, "--db", db).code == 2
    assert cli("review", "rearrange", f"ada={dan}", "--actor", "", "--db", db).code == 2
    assert cli("review", "rearrange", f"ada={dan}", *ANN, "--allow", "taken", "--db", db).code == 2
    assert (tables(cli, db, "ada"), tables(cli, db, "dan")) == ([ada], [dan])
