"""What a Celery application's set-up would lose, delay or refuse of the tasks' messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

_JSON = {"json", "application/json"}


def doubts(app: Any, queues: Sequence[str]) -> Iterator[str]:
    """
    What is wrong with *app* for the tasks, one sentence each.

    On RabbitMQ, Celery 5.5 and later have the broker deliver countdowns where a queue is a quorum queue. That takes a
    topic exchange, and a queue that is declared: a name at the command line alone makes a classic one.

    Args:
        app: The Celery app, with all of its configuration.

        queues: The queues that restaurants are spread over; the app's default queue where there are none.
    """
    if not _JSON & set(app.conf.accept_content):
        yield "accept_content is without json: workers refuse the tasks' messages"
    if not _is_rabbitmq(app.conf.broker_write_url):
        return
    declared = app.amqp.queues
    names = tuple(queues) or (app.conf.task_default_queue,)
    quorum = [name for name in declared if _is_quorum(declared[name])]
    if not quorum and app.conf.task_default_queue_type != "quorum":
        return
    for name in names:
        if name not in declared:
            yield f"queue {name!r} is not in task_queues: a worker makes it a classic one all the same"
        elif name in quorum and declared[name].exchange.type == "direct":
            yield (
                f"queue {name!r} is a quorum queue on a direct exchange: RabbitMQ cannot deliver countdowns to it, and "
                "a worker keeps their messages; its exchange should be of type topic"
            )
    if not (app.conf.broker_transport_options or {}).get("confirm_publish"):
        yield (
            "broker_transport_options is without confirm_publish: a process that sends countdowns and ends "
            "soon after loses some of them"
        )


def unread(app: Any, queues: Sequence[str]) -> Iterator[str]:
    """
    The queues with messages that no worker takes, one sentence each. On RabbitMQ alone: Redis does not know who reads.

    Args:
        app: The Celery app.

        queues: The queues that restaurants are spread over. The app's default queue is looked at, too: what is sent
            again without a queue goes there.

    Raises:
        OSError, kombu's errors: The broker cannot be reached.
    """
    if not _is_rabbitmq(app.conf.broker_write_url):
        return
    with app.connection_for_write() as connection:
        for name in dict.fromkeys((*queues, app.conf.task_default_queue)):
            try:
                with (
                    connection.channel() as channel
                ):  # Of its own: RabbitMQ closes one that asks for what is not there.
                    found = channel.queue_declare(name, passive=True)
            except connection.channel_errors:
                continue  # Nobody has sent anything to it.
            if found.message_count and not found.consumer_count:
                yield (
                    f"queue {name!r} has {found.message_count} messages and no worker that reads it: start one with "
                    f"--queues {name}"
                )


def _is_rabbitmq(url: str | Sequence[str] | None) -> bool:
    """Whether the broker, the first where there are several, speaks AMQP."""
    first = url if isinstance(url, str | None) else next(iter(url), None)
    return bool(first) and str(first).startswith(("amqp", "pyamqp"))


def _is_quorum(queue: Any) -> bool:
    return (queue.queue_arguments or {}).get("x-queue-type") == "quorum"
