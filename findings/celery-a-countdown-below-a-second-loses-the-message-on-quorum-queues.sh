#!/usr/bin/env bash
# celery 5.7.0, kombu 5.7.0, on RabbitMQ 3.10 with quorum queues and a topic exchange, as Celery asks for
#
# Guess:   `self.retry(countdown=0.5)` runs the task again after half a second, as on a classic queue.
# Happens: On quorum queues, countdowns are delivered by the broker, in whole seconds. Celery cuts 0.5 to 0, which kombu
#          refuses with a ValueError, and the task's own message is rejected without being requeued. 1.5 is cut to 1 as
#          well; there the worker waits for the rest.
# Matters: A retry with a short backoff or with jitter, which is a fraction as a rule, loses the message at the first
#          attempt. On a classic queue and on Redis the same code works.
# Output:
#   0.5: ran once
#   1.5: ran twice
#   2.0: ran twice
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


@app.task(bind=True, name="again", acks_late=True)
def again(self, after):
    import time

    print(after, time.time(), flush=True)
    if not self.request.retries:
        raise self.retry(countdown=after)
PYTHON
python3 -m venv --without-pip venv
python3 -m pip --python venv install --quiet celery==5.7.0 kombu==5.7.0 2>pip.log || { cat pip.log >&2; exit 1; }
PYTHONWARNINGS=ignore venv/bin/celery -A app worker --pool solo --loglevel CRITICAL --queues main,slow >ran 2>worker.log &
worker=$!
sleep 8
venv/bin/python - <<'PYTHON'
import app

app.app.conf.broker_transport_options = {"confirm_publish": True}
for after in (0.5, 1.5, 2.0):
    app.again.delay(after)
PYTHON
sleep 6
venv/bin/python - <<'PYTHON' | tee seen
ran = {}
for line in open("ran"):
    if line[:4] in ("0.5 ", "1.5 ", "2.0 "):
        after, when = line.split()
        ran.setdefault(after, []).append(float(when))
for after, times in ran.items():
    said = "once" if len(times) == 1 else "twice"
    print(f"{after}: ran {said}")
PYTHON
sed -n '/^# Output:/,/^set/s/^#   //p' "$script" | diff - seen
