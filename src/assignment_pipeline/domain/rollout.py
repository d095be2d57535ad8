"""How far the rollout has come."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import attrs

from assignment_pipeline.domain.checks import as_dict, aware, flag, optional_identifier, to_utc, whole


@attrs.frozen(kw_only=True)
class RolloutRevision:
    """
    The rollout as it stands from one change of it to the next, and what that change was decided on.

    Attributes:
        generation: Counts the changes; 0 before the first.

        phase: The phase that it has been in since; None before the first change.

        settings: What the flags in the database say: a JSON object, empty before the first change.

        actor: Who changed it; a person, or what watches the gates.

        reason: Why, in a sentence.

        forced: Whether it went past a gate that had not passed.

        evidence: The numbers that it was decided on: a JSON object.

        created_at: When, by the store's clock; None before the first change.
    """

    generation: int = attrs.field(default=0, validator=whole(0, 2**53))
    phase: str | None = attrs.field(default=None, validator=optional_identifier)
    settings: Mapping[str, Any] = attrs.field(factory=dict, converter=as_dict, hash=False)
    actor: str | None = attrs.field(default=None, validator=optional_identifier)
    reason: str | None = None
    forced: bool = attrs.field(default=False, validator=flag)
    evidence: Mapping[str, Any] = attrs.field(factory=dict, converter=as_dict, hash=False)
    created_at: dt.datetime | None = attrs.field(
        default=None, converter=attrs.converters.optional(to_utc), validator=attrs.validators.optional(aware)
    )
