"""``manage.py sweep``: takes up what is due."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import close_old_connections

from assignment_pipeline import StoreUnavailableError
from reservations.pipeline import coordinator


class Command(BaseCommand):
    """Run it once from a timer, or with ``--every`` for ever; in as many processes as you like."""

    help = "Assign what is due: retries, freed tables, bookings that nobody assigned."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """How often."""
        parser.add_argument("--every", type=float, metavar="SECONDS", help="Go on, with so long in between.")

    def handle(self, *_: Any, every: float | None, **__: Any) -> None:
        """Sweep."""
        while True:
            close_old_connections()  # As Django does it before each request.
            try:
                report = coordinator().sweep()
            except StoreUnavailableError as error:
                if every is None:
                    raise
                self.stderr.write(str(error))
            else:
                for result in report.results:
                    self.stdout.write(f"{result.booking_id} {result.outcome} {result.reason or ''}".rstrip())
                for booking_id, error in report.errors:
                    self.stderr.write(f"{booking_id} {error}")
            if every is None:
                return
            time.sleep(every)
