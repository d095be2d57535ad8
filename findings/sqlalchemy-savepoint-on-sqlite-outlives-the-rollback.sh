#!/usr/bin/env bash
# SQLAlchemy 2.1.9 with CPython 3.11's sqlite3
#
# Guess:   What happens in `begin_nested()` is undone when the outer transaction is rolled back.
# Happens: It depends on what came first. sqlite3 begins a transaction by itself before an INSERT, UPDATE or DELETE, and
#          not before a SAVEPOINT. Where the savepoint is the first statement, releasing it is a COMMIT: what it wrote
#          stays after `rollback()`. With an INSERT before it, all of it goes.
# Matters: A library that writes through the caller's connection, inside the caller's savepoint, writes for good although
#          the caller rolls back. The same code is right in a request that has written before, and wrong in one that has
#          only read. Event listeners that emit BEGIN, as the documentation of its SQLite dialect shows, are the way out.
# Output:
#   insert, then savepoint, then rollback: []
#   savepoint, then rollback: [('inner',)]
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/env"
python3 -m pip --python "$work/env" install --quiet SQLAlchemy==2.1.9 2>"$work/pip.log" || { cat "$work/pip.log" >&2; exit 1; }
cat >"$work/run.py" <<'PYTHON'
import pathlib
import sys

import sqlalchemy as sa


def rows_after_rollback(path, *, write_before):
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE notes (text TEXT)")
    with engine.connect() as connection:
        outer = connection.begin()
        if write_before:
            connection.exec_driver_sql("INSERT INTO notes VALUES ('outer')")
        with connection.begin_nested():
            connection.exec_driver_sql("INSERT INTO notes VALUES ('inner')")
        outer.rollback()
    with engine.connect() as connection:
        return connection.exec_driver_sql("SELECT text FROM notes").fetchall()


folder = pathlib.Path(sys.argv[1])
print("insert, then savepoint, then rollback:", rows_after_rollback(folder / "a.db", write_before=True))
print("savepoint, then rollback:", rows_after_rollback(folder / "b.db", write_before=False))
PYTHON
"$work/env/bin/python" "$work/run.py" "$work" | tee "$work/seen"
sed -n '/^# Output:/,/^set/s/^#   //p' "$0" | diff - "$work/seen"
