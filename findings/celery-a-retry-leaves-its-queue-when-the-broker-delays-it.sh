#!/usr/bin/env bash
# celery 5.7.0, kombu 5.7.0, on RabbitMQ 3.10 with quorum queues and a topic exchange
#
# Guess:   `self.retry(...)` sends the message to the queue that it came from, as it does on Redis and on classic queues.
# Happens: Where the broker delays it, a message that was sent with `queue="slow"` comes back in the application's default
#          queue. `self.retry(queue="slow")` keeps it.
# Matters: Workers that serve some queues only (`--queues slow`) never see it again; nothing is logged.
# Output:
#   retry(): left 1 in main
#   retry(queue="slow"): left 0 in main, ran again
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
def again(self, where):
    print(where or "default", self.request.retries, flush=True)
    if not self.request.retries:
        raise self.retry(countdown=1, **({"queue": where} if where else {}))
PYTHON
python3 -m venv --without-pip venv
python3 -m pip --python venv install --quiet celery==5.7.0 kombu==5.7.0 2>pip.log || { cat pip.log >&2; exit 1; }
PYTHONWARNINGS=ignore venv/bin/celery -A app worker --pool solo --loglevel CRITICAL --queues main,slow >none 2>worker.log &
worker=$!
sleep 8
kill "$worker"
wait "$worker" || true  # It has declared both queues.
PYTHONWARNINGS=ignore venv/bin/celery -A app worker --pool solo --loglevel CRITICAL --queues slow >ran 2>worker.log &
worker=$!
sleep 8
for where in "" slow; do
    WHERE=$where venv/bin/python - <<'PYTHON'
import os

import app

app.app.conf.broker_transport_options = {"confirm_publish": True}
app.again.apply_async((os.environ["WHERE"],), queue="slow")
PYTHON
    sleep 5
    left=$(rabbitmqctl -q list_queues -p "$vhost" name messages | awk '$1 == "main" {print $2}')
    again=$(grep -q "^${where:-default} 1" ran && echo ", ran again" || true)
    echo "retry(${where:+queue=\"$where\"}): left $left in main$again"
    rabbitmqctl -q purge_queue -p "$vhost" main >/dev/null
done | tee seen
sed -n '/^# Output:/,/^set/s/^#   //p' "$script" | diff - seen
