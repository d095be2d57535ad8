"""Where shadow runs leave what is worth a look, and where cases wait for a worker."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from assignment_pipeline.domain.shadow import ShadowBundle, ShadowVerdict, StoredCase


@runtime_checkable
class ShadowStore(Protocol):
    """
    Bundles, and cases that wait, beside the records. No booking depends on any of it.

    Sync only: it is asked off the caller's path, by a thread or by the command line. Every method raises
    `StoreUnavailableError` if the store cannot be reached, and `SchemaMismatchError` if its schema does not fit.
    Implementations pass `assignment_pipeline.testing.ShadowStoreContract`.
    """

    def keep_bundle(self, bundle: ShadowBundle, *, most: int, since: dt.datetime) -> None:
        """
        Keep *bundle*, instead of an older one of that id, and let go of others.

        Args:
            most: So many stay, the newest.

            since: What was captured before is let go of.
        """
        ...

    def bundles(
        self, *, restaurant_id: str | None = None, verdict: ShadowVerdict | None = None, limit: int = 100
    ) -> tuple[ShadowBundle, ...]:
        """Those kept, without their documents, the latest captured first, and of one time by id; at most *limit*."""
        ...

    def bundle(self, bundle_id: str) -> ShadowBundle | None:
        """The one of that id, with its document."""
        ...

    def put_cases(self, cases: Sequence[StoredCase], *, most: int) -> int:
        """
        Have *cases* wait for a worker, as long as not more than *most* do. One that comes twice waits once.

        Returns:
            How many of them there was no room for: the last ones.
        """
        ...

    def claim_cases(self, limit: int, *, for_: dt.timedelta) -> tuple[StoredCase, ...]:
        """
        Take at most *limit* cases, those that were captured first. Nobody else gets them for a while.

        Args:
            for_: For how long. After that they are handed out again, unless `drop_cases` has dropped them.
        """
        ...

    def drop_cases(self, case_ids: Sequence[str]) -> None:
        """Delete cases that have been looked at."""
        ...

    def answered_since(self, restaurant_id: str, since: dt.datetime) -> frozenset[str]:
        """The bookings of a restaurant for which legacy ran at *since* or later, by the events."""
        ...
