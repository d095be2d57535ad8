"""``console`` and ``floor --html``: the pages for staff from the command line."""

from __future__ import annotations

import re
import signal
import socket
import subprocess

import httpx
import pytest

from tests.cli.conftest import command, environment


def test_the_console_lets_one_browser_in(db):
    """It is served on this machine only, and ends with Ctrl-C."""
    line = command("console", "--db", db, "--port", "0", "--actor", "anna")
    with subprocess.Popen(line, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        try:
            said = process.stdout.readline()
            address = re.match(r"(http://127\.0\.0\.1:\d+/)\?token=[\w-]+", said)
            with httpx.Client(follow_redirects=True) as browser:
                home = browser.get(address[0])
                assert (home.status_code, "corner" in home.text, "anna" in home.text) == (200, True, True)
                floor = browser.get(f"{address[1]}floor", params={"restaurant": "corner", "date": "2031-05-17"})
                assert "ada" in floor.text
            assert httpx.get(address[0]).status_code == 403
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)


def test_a_port_that_is_taken_is_named(cli, db):
    """In one line."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = cli("console", "--db", db, "--port", port)
    assert (ended.code, ended.complaint.startswith("--port: expected a port of 127.0.0.1 that is free")) == (2, True)


def test_a_day_is_written_to_one_file(cli, db, tmp_path):
    """It has all tables and bookings, loads nothing, and leads nowhere."""
    path = tmp_path / "floor.html"
    assert cli("floor", "corner", "--date", "2031-05-17", "--html", path, "--db", db).code == 0
    text = path.read_text()
    assert "ada · 2, 19:00 to 20:30, confirmed" in text
    assert text.count('<th scope="row">') == 3
    assert not re.search(r"<script|<link|<a |href=|src=|url\(|@import", text)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--date", "2031-05-17"), "--date: expected --html FILE with it, or --at TIME instead"),
        (("--html", "floor.html", "--at", "2031-05-17T20:00Z"), "--html: expected --date beside it, or nothing"),
        (("--html", "nowhere/floor.html"), "--html: expected a file in a folder that is there"),
    ],
)
def test_options_that_do_not_go_together(cli, db, options, complaint):
    """Are refused in one line, before anything is written."""
    ended = cli("floor", "corner", *options, "--db", db)
    assert (ended.code, ended.complaint.startswith(complaint)) == (2, True), ended.err
