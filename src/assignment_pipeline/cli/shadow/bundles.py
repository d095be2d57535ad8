"""Bundles, from a file or from a store, as people read them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from assignment_pipeline.cli.apps import itself
from assignment_pipeline.cli.day.json_file import read_document
from assignment_pipeline.cli.failures import refuse
from assignment_pipeline.coordinator import Coordinator
from assignment_pipeline.ports import ShadowStore

MOST = 10_000
"""Bundles that are looked through for one whose id begins so."""

SHORT = 10
"""How much of an id is shown in a list: enough to find it by."""

KINDS = {
    "tables": "other tables",
    "pipeline_only": "only the pipeline finds tables",
    "legacy_only": "only legacy found tables",
    "unreadable_answer": "legacy answered no LegacyResult",
    "unknown_tables": "legacy named tables that the floor has not",
    "legacy_tables_taken": "legacy gave taken tables away",
}


def kept_by(coordinator: Coordinator) -> ShadowStore:
    """
    The store of bundles.

    Raises:
        BadInputError: The coordinator's keeps none.
    """
    store = itself(coordinator.store)
    if not isinstance(store, ShadowStore):
        refuse("--app", "a store that keeps bundles", f"a {type(store).__name__}")
    return store


def found_in(coordinator: Coordinator, bundle_id: str) -> Mapping[str, Any]:
    """
    The document of a bundle, by its id or by how that begins.

    Raises:
        BadInputError: There is no such bundle, or more than one, or somebody else wrote something there that is none.
    """
    store = kept_by(coordinator)
    with readable(bundle_id):
        bundle = store.bundle(bundle_id)
        if bundle is None:
            alike = [one.id for one in store.bundles(limit=MOST) if bundle_id and one.id.startswith(bundle_id)]
            if len(alike) > 1:
                refuse("BUNDLE", "more of the id", f"{bundle_id!r}, with which {len(alike)} ids begin")
            bundle = store.bundle(alike[0]) if alike else None
    if bundle is None:
        refuse("BUNDLE", "the id of a bundle that is kept: `shadow list` has them", repr(bundle_id))
    return bundle.document


@contextlib.contextmanager
def readable(where: str) -> Iterator[None]:
    """
    For the length of the block, a bundle that somebody else has written or changed is bad input.

    Raises:
        BadInputError: It cannot be read.
    """
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        refuse(where, "a bundle as it was kept", "one that cannot be read")


def read_bundle(path: Path) -> dict[str, Any]:
    """
    The document of a bundle in a file.

    Raises:
        BadInputError: It cannot be read, or is no JSON object.
    """
    node = read_document(path)
    if not isinstance(node.value, dict):
        node.refuse("a bundle, as shadow show --json prints it")
    return dict(node.value)


def difference(kind: str | None, cost: float | None, *, reverse: bool = False) -> str:
    """What a bundle is about, in a few words; with *reverse*, of a case in which legacy was the candidate."""
    said = KINDS.get(kind or "", (kind or "").replace("_", " ")) + (" (reverse)" if reverse else "")
    if cost is None:
        return said
    how = "wastes as much" if not cost else f"wastes {abs(cost):.2f} seats {'less' if cost < 0 else 'more'}"
    return f"{said}, {how}"


def tables(names: Any) -> str:
    """Tables, or that there are none."""
    return " + ".join(map(str, names or ())) or "none"
