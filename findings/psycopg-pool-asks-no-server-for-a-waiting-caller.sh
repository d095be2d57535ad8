#!/usr/bin/env bash
# psycopg-pool 3.3.3, psycopg 3.3.9
#
# Guess:   While the database is away, a caller that asks the pool for a connection has it try the server.
# Happens: Only background workers connect. After a failure they wait 1, 2, 4, 8, ... seconds (up to `reconnect_timeout`,
#          300 by default). Callers wait for them and time out; none of them starts another try.
# Matters: After an outage of a minute the first request can fail for half a minute more, although the server is back and
#          requests come all the time. `reconnect_timeout` of a few seconds ends it sooner: then the next caller begins anew.
# Output:
#   reconnect_timeout=300: 20 callers in 12 seconds, the server was tried 4 times
#   reconnect_timeout=1: 20 callers in 12 seconds, the server was tried 10 times or more
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/env"
python3 -m pip --python "$work/env" install --quiet 'psycopg[binary]==3.3.9' psycopg-pool==3.3.3 2>"$work/pip.log" || { cat "$work/pip.log" >&2; exit 1; }
cat >"$work/run.py" <<'PYTHON'
import logging
import socket
import time

import psycopg
import psycopg_pool

logging.disable(logging.CRITICAL)
with socket.socket() as nobody:
    nobody.bind(("127.0.0.1", 0))
    address = f"postgresql://127.0.0.1:{nobody.getsockname()[1]}/nothing"


def tries(reconnect_timeout):
    count = 0

    class Counting(psycopg.Connection):
        @classmethod
        def connect(cls, *arguments, **options):
            nonlocal count
            count += 1
            return super().connect(*arguments, **options)

    pool = psycopg_pool.ConnectionPool(
        address, connection_class=Counting, min_size=0, max_size=1, reconnect_timeout=reconnect_timeout, open=True
    )
    for _ in range(20):
        end = time.monotonic() + 0.6
        try:
            pool.getconn(timeout=0.5)
        except psycopg_pool.PoolTimeout:
            time.sleep(max(end - time.monotonic(), 0))
    pool.close()
    return count


said = "{}: 20 callers in 12 seconds, the server was tried {} times{}"
print(said.format("reconnect_timeout=300", tries(300), ""))
found = tries(1)
print(said.format("reconnect_timeout=1", *((10, " or more") if found >= 10 else (found, ""))))
PYTHON
"$work/env/bin/python" "$work/run.py" | tee "$work/seen"
sed -n '/^# Output:/,/^set/s/^#   //p' "$0" | diff - "$work/seen"
