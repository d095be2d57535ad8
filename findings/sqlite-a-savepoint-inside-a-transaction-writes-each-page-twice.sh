#!/usr/bin/env bash
# SQLite 3.46.1, from apsw 3.46.1.0
#
# Guess:   A savepoint that is never rolled back to costs nothing. In WAL mode, going back only means to forget the end of
#          the log.
# Happens: Only a savepoint that begins the transaction is free. Inside BEGIN, or inside another savepoint, SQLite copies
#          each page into a temporary file before it changes it, also pages that the transaction has not touched before.
#          RELEASE throws the copies away.
# Matters: Django's `atomic()` inside another and SQLAlchemy's `begin_nested()` do that: a change of 20 MB writes 20 MB more,
#          where temporary files are. A writer that has to undo one piece of work alone begins with SAVEPOINT, not BEGIN.
# Output:
#   BEGIN: 0 pages copied
#   SAVEPOINT: 0 pages copied
#   BEGIN, SAVEPOINT: 5000 pages copied
#   SAVEPOINT, SAVEPOINT: 5000 pages copied
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/env"
python3 -m pip --python "$work/env" install --quiet apsw==3.46.1.0 2>"$work/pip.log" || { cat "$work/pip.log" >&2; exit 1; }
cat >"$work/run.py" <<'PYTHON'
import pathlib
import sys

import apsw

PAGES, SIZE = 5000, 4096


class Copies(apsw.VFSFile):
    """The file for copies, by SQLite's own flag for it. A copy is a page behind its number."""

    written = 0

    def xWrite(self, data, offset):
        Copies.written += len(data)
        super().xWrite(data, offset)


class Watching(apsw.VFS):
    def __init__(self):
        super().__init__("watching", "")

    def xOpen(self, name, flags):
        kind = Copies if flags[0] & apsw.SQLITE_OPEN_SUBJOURNAL else apsw.VFSFile
        return kind("", name, flags)


def copied(path, *begins):
    """How many pages are copied while each row is changed, in a table of one row a page."""
    connection = apsw.Connection(str(path), vfs="watching")
    connection.execute(f"PRAGMA page_size = {SIZE}; PRAGMA journal_mode = wal")
    connection.execute("CREATE TABLE bookings (id INTEGER PRIMARY KEY, seen INTEGER, note)")
    connection.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
        "INSERT INTO bookings SELECT i, 0, zeroblob(3500) FROM n",
        (PAGES,),
    )
    Copies.written = 0
    for statement in begins:
        connection.execute(statement)
    connection.execute("UPDATE bookings SET seen = 1")
    for statement in reversed(begins):
        connection.execute("COMMIT" if statement == "BEGIN" else f"RELEASE {statement.split()[1]}")
    connection.close()
    return Copies.written // (SIZE + 4)


work, watching = pathlib.Path(sys.argv[1]), Watching()
for number, begins in enumerate((["BEGIN"], ["SAVEPOINT a"], ["BEGIN", "SAVEPOINT a"], ["SAVEPOINT a", "SAVEPOINT b"])):
    names = ", ".join(statement.split()[0] for statement in begins)
    print(f"{names}: {copied(work / f'{number}.db', *begins)} pages copied")
PYTHON
"$work/env/bin/python" "$work/run.py" "$work" | tee "$work/seen"
sed -n '/^# Output:/,/^set/s/^#   //p' "$0" | diff - "$work/seen"
