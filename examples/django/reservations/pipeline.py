"""
The coordinator: one for each process, made when it is first needed, so that a server which forks is no trouble.

The command line takes it as ``--app reservations.pipeline:coordinator``, given ``DJANGO_SETTINGS_MODULE``.
"""

from __future__ import annotations

import functools

import django
from django.apps import apps
from django.db import connection
from psycopg.conninfo import make_conninfo

from assignment_pipeline import Coordinator, EnvFlags
from assignment_pipeline.adapters.postgres import PostgresStore
from reservations.host import ReservationHost


def conninfo() -> str:
    """Django's database, in the form that libpq takes."""
    facts = connection.settings_dict
    names = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    return make_conninfo(**{name: facts[key] for name, key in names.items() if facts[key]})


@functools.cache
def coordinator() -> Coordinator:
    """This process's coordinator; the environment says where the pipeline is in charge."""
    if not apps.ready:  # Only ``manage.py`` and servers have done that.
        django.setup()
    from reservations.legacy import plan  # noqa: PLC0415 - it has models, which Django has to load first

    store = PostgresStore(conninfo(), host=ReservationHost())
    return Coordinator(store, flags=EnvFlags(), legacy=plan)


def close() -> None:
    """Close this process's coordinator and its connections, if there are any: for tests."""
    if coordinator.cache_info().currsize:
        coordinator().close()
        coordinator().store.close()
        coordinator.cache_clear()
