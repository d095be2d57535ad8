"""Flags that follow the rollout without a thread, so that a simulated clock is enough."""

from __future__ import annotations

import attrs

from assignment_pipeline.adapters.memory import MemoryStore
from assignment_pipeline.rollout.flags import Deciding
from assignment_pipeline.rollout.flags.document import read_settings
from assignment_pipeline.rollout.flags.settings import DEFAULT_SALT


@attrs.frozen
class DirectFlags:
    """The flags of the revision in force, which are read each time."""

    store: MemoryStore
    salt: str = DEFAULT_SALT

    def resolve(self, restaurant_id):
        revision = self.store.rollout()
        return Deciding(read_settings(revision.settings), "store", self.salt, revision.generation).decide(restaurant_id)
