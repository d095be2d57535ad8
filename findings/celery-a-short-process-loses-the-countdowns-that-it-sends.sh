#!/usr/bin/env bash
# celery 5.7.0, kombu 5.7.0, on RabbitMQ 3.10 with quorum queues and a topic exchange
#
# Guess:   Once `apply_async(countdown=1)` has returned, the message is with the broker, as a message without countdown is.
# Happens: A process that sends some hundred of them and ends loses a part of them. None is lost with
#          `broker_transport_options={"confirm_publish": True}`. No exception in either case.
# Matters: What sends messages from a cron job or a management command looks right and is not.
# Output:
#   no confirms, no countdown: all arrived
#   no confirms, countdown=1: some were lost
#   confirm_publish, no countdown: all arrived
#   confirm_publish, countdown=1: all arrived
set -euo pipefail
script=$(realpath "$0")
work=$(mktemp -d)
vhost=finding-$$
command -v rabbitmqctl >/dev/null || { echo "this needs a RabbitMQ of this machine, and rabbitmqctl" >&2; exit 1; }
rabbitmqctl -q add_vhost "$vhost"
rabbitmqctl -q set_permissions -p "$vhost" guest '.*' '.*' '.*'
worker=
trap '[ -z "$worker" ] || kill "$worker" 2>/dev/null || true; rabbitmqctl -q delete_vhost "$vhost"; rm -rf "$work"' EXIT
export BROKER="amqp://guest:guest@127.0.0.1:5672/$vhost"
cd "$work"
cat >app.py <<'PYTHON'
import os

from celery import Celery
from kombu import Exchange, Queue

app = Celery("app", broker=os.environ["BROKER"])
exchange = Exchange("work", type="topic")
app.conf.update(
    task_queues=[
        Queue(name, exchange, routing_key=name, queue_arguments={"x-queue-type": "quorum"}) for name in ("main", "slow")
    ],
    task_default_queue="main",
    task_default_exchange="work",
    task_default_exchange_type="topic",
    task_default_routing_key="main",
    task_default_queue_type="quorum",
    worker_redirect_stdouts=False,
)


@app.task(name="note")
def note(which):
    print(which, flush=True)
PYTHON
python3 -m venv --without-pip venv
python3 -m pip --python venv install --quiet celery==5.7.0 kombu==5.7.0 2>pip.log || { cat pip.log >&2; exit 1; }
PYTHONWARNINGS=ignore venv/bin/celery -A app worker --pool solo --loglevel CRITICAL --queues main,slow >ran 2>worker.log &
worker=$!
sleep 8
cat >send.py <<'PYTHON'
import sys

import app

confirms, countdown = sys.argv[1:]
if confirms == "confirm_publish":
    app.app.conf.broker_transport_options = {"confirm_publish": True}
how = {"countdown": 1} if countdown == "countdown=1" else {}
for _ in range(200):
    app.note.apply_async((f"{confirms}, {countdown}",), **how)
PYTHON
for confirms in "no confirms" confirm_publish; do
    for countdown in "no countdown" "countdown=1"; do
        venv/bin/python send.py "$confirms" "$countdown"
        sleep 5
        count=$(grep -c "^$confirms, $countdown" ran || true)
        echo "$confirms, $countdown: $([ "$count" = 200 ] && echo all arrived || echo some were lost)"
    done
done | tee seen
sed -n '/^# Output:/,/^set/s/^#   //p' "$script" | diff - seen
