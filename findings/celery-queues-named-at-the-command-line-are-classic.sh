#!/usr/bin/env bash
# celery 5.7.0, kombu 5.7.0, on RabbitMQ 3.10
#
# Guess:   With `task_default_queue_type = "quorum"` and `task_default_exchange_type = "topic"`, a worker that is started
#          with `--queues slow` makes a quorum queue on a topic exchange.
# Happens: A queue that is named nowhere but at the command line is classic, on a direct exchange. The two settings hold
#          for the default queue alone. Only what stands in `task_queues` is what it says there.
# Matters: The queues that carry the work are the ones that are not replicated, and countdowns in them are kept by a worker
#          instead of the broker.
# Output:
#   main quorum
#   slow classic
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

app = Celery("app", broker=os.environ["BROKER"])
app.conf.update(
    task_default_queue="main",
    task_default_exchange_type="topic",
    task_default_queue_type="quorum",
    worker_redirect_stdouts=False,
)
PYTHON
python3 -m venv --without-pip venv
python3 -m pip --python venv install --quiet celery==5.7.0 kombu==5.7.0 2>pip.log || { cat pip.log >&2; exit 1; }
PYTHONWARNINGS=ignore venv/bin/celery -A app worker --pool solo --loglevel CRITICAL --queues main,slow >ran 2>worker.log &
worker=$!
sleep 8
rabbitmqctl -q list_queues -p "$vhost" name type | awk '$1 == "main" || $1 == "slow" {print $1, $2}' | sort | tee seen
sed -n '/^# Output:/,/^set/s/^#   //p' "$script" | diff - seen
