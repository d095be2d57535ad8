"""What an application's own flags say: they may be others than the database's, or this environment's."""

from __future__ import annotations

import collections
from collections.abc import Iterable

import attrs

from assignment_pipeline.domain.result import Mode
from assignment_pipeline.domain.wording import count
from assignment_pipeline.ports import FlagDecision, FlagResolver
from assignment_pipeline.redaction import redacted


@attrs.frozen
class AppFlags:
    """
    The answers of an application's flags.

    Attributes:
        decisions: What they say, by restaurant.

        raised: What they raised instead, by restaurant.
    """

    decisions: dict[str, FlagDecision] = attrs.field(factory=dict)
    raised: dict[str, str] = attrs.field(factory=dict)

    @classmethod
    def of(cls, flags: FlagResolver, restaurant_ids: Iterable[str]) -> AppFlags:
        """What *flags* say of each of these restaurants."""
        found = cls()
        for restaurant_id in restaurant_ids:
            try:
                found.decisions[restaurant_id] = flags.resolve(restaurant_id)
            except Exception as error:  # noqa: BLE001 - whatever an application's code raises is what is looked for
                found.raised[restaurant_id] = redacted(error)
        return found

    @property
    def modes(self) -> set[Mode]:
        """The modes among the answers."""
        return {decision.mode for decision in self.decisions.values()}

    def __str__(self) -> str:
        answers = collections.Counter((one.mode.value, one.source) for one in self.decisions.values())
        return ", ".join(
            f"{count(number, 'restaurant')} {mode} by {source}" for (mode, source), number in sorted(answers.items())
        )
