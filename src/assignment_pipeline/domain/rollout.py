"""How far the rollout has come."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

import attrs

from assignment_pipeline.domain.checks import aware, flag, optional_identifier, to_utc, whole
from assignment_pipeline.errors import InvalidValueError, StaleRolloutError

LONGEST_REASON = 1000


def _as_json(value: Mapping[str, Any]) -> dict[str, Any]:
    """An object of its own that every store gives back as it got it: lists for tuples, and nothing but JSON."""
    try:
        text = json.dumps({**value}, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidValueError("", "what JSON can say", f"{value!r}: {error}") from error
    if "\\u0000" in text.replace("\\\\", ""):
        raise InvalidValueError("", "texts without a zero character", repr(value))
    copied: dict[str, Any] = json.loads(text, parse_float=_number)
    return copied


def _number(text: str) -> float:
    """Whole ones as such: databases write them out, and 1e300 would come back as another number."""
    value = float(text)
    return int(value) if value.is_integer() else value


def _optional_sentence(_: object, attribute: Any, value: Any) -> None:
    if value is not None and (
        not isinstance(value, str) or not value.strip() or len(value) > LONGEST_REASON or "\0" in value
    ):
        raise InvalidValueError(attribute.name, f"a text of at most {LONGEST_REASON} characters", repr(value))


@attrs.frozen(kw_only=True)
class RolloutRevision:
    """
    The rollout as it stands from one change of it to the next, and what that change was decided on.

    Attributes:
        generation: Counts the changes; 0 before the first.

        phase: The phase that it has been in since; None before the first change.

        settings: What the flags in the database say: a JSON object, empty before the first change.

        actor: Who changed it; a person, or what watches the gates.

        reason: Why, in a sentence of at most 1,000 characters.

        forced: Whether it went past a gate that had not passed.

        evidence: The numbers that it was decided on: a JSON object.

        created_at: When, by the store's clock; None before the first change.
    """

    generation: int = attrs.field(default=0, validator=whole(0, 2**53))
    phase: str | None = attrs.field(default=None, validator=optional_identifier)
    settings: Mapping[str, Any] = attrs.field(factory=dict, converter=_as_json, hash=False)
    actor: str | None = attrs.field(default=None, validator=optional_identifier)
    reason: str | None = attrs.field(default=None, validator=_optional_sentence)
    forced: bool = attrs.field(default=False, validator=flag)
    evidence: Mapping[str, Any] = attrs.field(factory=dict, converter=_as_json, hash=False)
    created_at: dt.datetime | None = attrs.field(
        default=None, converter=attrs.converters.optional(to_utc), validator=attrs.validators.optional(aware)
    )

    def is_same_change(self, other: RolloutRevision) -> bool:
        """Whether *other* is the same change, whenever it was written: a change that comes twice is made once."""
        return attrs.evolve(self, created_at=None) == attrs.evolve(other, created_at=None)

    def check_follows(self, current: RolloutRevision) -> None:
        """
        Make sure that this one can be put in force after *current*.

        Raises:
            StaleRolloutError: Another generation is in force than that before this one.
        """
        if self.generation != current.generation + 1:
            raise StaleRolloutError(self.generation - 1, current.generation)
