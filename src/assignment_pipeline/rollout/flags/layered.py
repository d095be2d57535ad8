"""Feature flags in two layers."""

from __future__ import annotations

import attrs

from assignment_pipeline.ports import FlagDecision, FlagResolver, StaleFlags, UnreadFlags
from assignment_pipeline.ports.fitting import require, require_kind
from assignment_pipeline.rollout.flags.environment import EnvFlags
from assignment_pipeline.rollout.flags.settings import DEFAULT_SALT, ExplainedFlags, Explanation
from assignment_pipeline.rollout.flags.stored import StoreFlags


@attrs.frozen(eq=False)
class LayeredFlags:
    """
    The environment may roll back; everything else is the database's to say.

    Where both switches are set in the environment and say off, everything is off, whatever the database says.
    Everything else in the environment is ignored.

    Attributes:
        environment: Where the rollback is looked for.

        store: What decides otherwise, such as `StoreFlags`.

    Raises:
        TypeError: One of them is something else.
    """

    environment: EnvFlags
    store: ExplainedFlags

    def __attrs_post_init__(self) -> None:
        require_kind(
            "environment", self.environment, EnvFlags, "The environment comes first, what it overrides second."
        )
        require("store", self.store, ("resolve", "explain"), "flags that say why, such as StoreFlags(store)")

    def resolve(self, restaurant_id: str) -> FlagDecision:
        """What the flags say about a restaurant, now."""
        layer = self.environment if self.environment.is_rollback else self.store
        return layer.resolve(restaurant_id)

    @property
    def unread(self) -> bool:
        """Whether a question may wait for the database's first answer. A rollback in the environment needs none."""
        return not self.environment.is_rollback and isinstance(self.store, UnreadFlags) and self.store.unread

    def stale(self, generation: int | None) -> None:
        """Have the database's flags read again, if they are still of that generation. Does not wait for it."""
        if isinstance(self.store, StaleFlags):
            self.store.stale(generation)

    def explain(self, restaurant_id: str) -> Explanation:
        """The same, and why; the source says which layer it was."""
        layer = self.environment if self.environment.is_rollback else self.store
        return layer.explain(restaurant_id)


def followed(flags: FlagResolver) -> StoreFlags | None:
    """The flags from a database that *flags* are, or have in them; None if there are none."""
    layer = flags.store if isinstance(flags, LayeredFlags) else flags
    return layer if isinstance(layer, StoreFlags) else None


def salt_of(flags: FlagResolver | None) -> str:
    """What *flags* draw restaurants with."""
    layer = flags.store if isinstance(flags, LayeredFlags) else flags
    salt: str = getattr(layer, "salt", DEFAULT_SALT)
    return salt
