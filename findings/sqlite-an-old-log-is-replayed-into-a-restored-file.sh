#!/usr/bin/env bash
# SQLite 3.46.1, from apsw 3.46.1.0
#
# Guess:   After a backup was moved into the place of a database, the next connection reads the backup.
# Happens: In WAL mode the log of the replaced database, `name-wal`, lies beside it still. The next connection takes the
#          log for the new file's own and replays it: pages of the old database come back. `integrity_check` says ok.
# Matters: A restore by `mv` brings some of the damage back that it was to undo, and nothing says so. The log has to go
#          first: stop, delete `-wal` and `-shm`, move.
# Output:
#   backup: ['one']
#   moved into its place, the old log still there: ['one', 'two'], integrity ok
#   moved into its place, the old log deleted first: ['one']
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/env"
python3 -m pip --python "$work/env" install --quiet apsw==3.46.1.0 2>"$work/pip.log" || { cat "$work/pip.log" >&2; exit 1; }
cat >"$work/run.py" <<'PYTHON'
import pathlib
import shutil
import subprocess
import sys

import apsw

# A process that never closed the database, as one that was killed.
WRITER = """
import os, sys, apsw
connection = apsw.Connection(sys.argv[1])
connection.execute("INSERT INTO bookings VALUES ('two')")
os._exit(0)
"""


def names(path):
    connection = apsw.Connection(str(path))
    found = [name for (name,) in connection.execute("SELECT name FROM bookings ORDER BY rowid")]
    check = connection.execute("PRAGMA integrity_check").fetchone()[0]
    connection.close()
    return found, check


def restored(folder, *, log_goes_first):
    folder.mkdir()
    path, backup = folder / "live.db", folder / "backup.db"
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA journal_mode = wal")
    connection.execute("CREATE TABLE bookings (name)")
    connection.execute("INSERT INTO bookings VALUES ('one')")
    connection.close()
    shutil.copy(path, backup)
    subprocess.run([sys.executable, "-c", WRITER, str(path)], check=True)
    if log_goes_first:
        for end in ("-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
    backup.rename(path)
    return names(path)


work = pathlib.Path(sys.argv[1])
print("backup: ['one']")
found, check = restored(work / "a", log_goes_first=False)
print(f"moved into its place, the old log still there: {found}, integrity {check}")
found, _ = restored(work / "b", log_goes_first=True)
print(f"moved into its place, the old log deleted first: {found}")
PYTHON
"$work/env/bin/python" "$work/run.py" "$work" | tee "$work/seen"
sed -n '/^# Output:/,/^set/s/^#   //p' "$0" | diff - "$work/seen"
