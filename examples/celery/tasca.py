"""
The Celery app of a small booking site.

In this folder:

    celery -A tasca worker --beat --queues assignment.0,assignment.1

``DATABASE_URL`` is its PostgreSQL, ``BROKER_URL`` its broker: Redis, or RabbitMQ.
"""

from __future__ import annotations

import os
import sys

from celery import Celery

from assignment_pipeline import Coordinator, Mode
from assignment_pipeline.adapters.celery import register
from assignment_pipeline.adapters.postgres import PostgresLockManager, PostgresStore
from assignment_pipeline.rollout.flags import FixedFlags
from host import ReservationHost

if missing := [name for name in ("DATABASE_URL", "BROKER_URL") if not os.environ.get(name)]:
    print(f"tasca: expected {' and '.join(missing)} in the environment", file=sys.stderr)
    sys.exit(2)

DATABASE_URL = os.environ["DATABASE_URL"]
BROKER_URL = os.environ["BROKER_URL"]

app = Celery("tasca", broker=BROKER_URL)
app.conf.broker_connection_retry_on_startup = True


def coordinator() -> Coordinator:
    """A coordinator for one process. Nothing is connected where this module is imported."""
    store = PostgresStore(DATABASE_URL, host=ReservationHost())
    # Left out, the flags are EnvFlags(): the environment says where the pipeline is in charge.
    return Coordinator(store, flags=FixedFlags(Mode.ACTIVE), locks=PostgresLockManager(DATABASE_URL))


tasks = register(app, coordinator, queues=["assignment.0", "assignment.1"])
