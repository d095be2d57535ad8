"""What tables and times of a restaurant are called on the pages."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs

from assignment_pipeline.domain.venue import Venue


@attrs.frozen
class Names:
    """What tables and times of a restaurant are called."""

    venue: Venue

    def tables(self, table_ids: Any) -> str:
        """Some tables, as people call them."""
        labels = {table.id: table.label for table in self.venue.floor.tables}
        return " + ".join(labels.get(table_id, table_id) for table_id in table_ids)

    def clock(self, moment: dt.datetime | None) -> str:
        """A local time of day."""
        return "" if moment is None else f"{moment.astimezone(self.venue.zone):%H:%M}"

    def moment(self, moment: dt.datetime | None) -> str:
        """A local date and time."""
        return "" if moment is None else f"{moment.astimezone(self.venue.zone):%Y-%m-%d %H:%M}"

    def date(self, moment: dt.datetime) -> str:
        """A local date."""
        return f"{moment.astimezone(self.venue.zone):%Y-%m-%d}"

    def second(self, moment: dt.datetime) -> str:
        """A local time of day, to the second."""
        return f"{moment.astimezone(self.venue.zone):%H:%M:%S}"
