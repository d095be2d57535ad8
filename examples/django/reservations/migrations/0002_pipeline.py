"""The pipeline's own tables, in a schema of their own: they come with ``manage.py migrate``."""

from typing import Any

from django.db import migrations

from assignment_pipeline.adapters.postgres import init
from reservations.pipeline import conninfo


def make_tables(_apps: Any, _editor: Any) -> None:
    """Make them, or bring them up to date: a new version of the library takes another migration like this one."""
    init(conninfo())


class Migration(migrations.Migration):
    """It is a transaction of its own, on a connection of its own."""

    dependencies = [("reservations", "0001_initial")]
    atomic = False

    operations = [migrations.RunPython(make_tables, migrations.RunPython.noop)]
