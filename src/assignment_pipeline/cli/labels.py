"""Tables as people call them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from assignment_pipeline.domain.result import AssignmentResult
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.errors import AssignmentPipelineError
from assignment_pipeline.ports import LoadQuery


def labels_of(coordinator: Any, restaurant_id: str) -> Mapping[str, str]:
    """What to call the tables of a restaurant, by id; empty where the host does not know the restaurant any more."""
    try:
        context = coordinator.store.load(LoadQuery(restaurant_id=restaurant_id))
    except AssignmentPipelineError:
        return {}
    return called(context.venue) if context else {}


def called(venue: Venue) -> Mapping[str, str]:
    """What to call the tables of a venue: a label, with the id that commands take where that is another."""
    return {
        table.id: table.label if table.label == table.id else f"{table.label} ({table.id})"
        for table in venue.floor.tables
    }


def joined(table_ids: Iterable[str], labels: Mapping[str, str], plus: str = " + ") -> str:
    """Some tables, as one place."""
    return plus.join(labels.get(table_id, table_id) for table_id in table_ids)


def tables_of(coordinator: Any, result: AssignmentResult) -> str:
    """The tables of a result, for people."""
    restaurant_id = result.record.restaurant_id if result.record else ""
    return joined(result.tables, labels_of(coordinator, restaurant_id) if restaurant_id else {})
