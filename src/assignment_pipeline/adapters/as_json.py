"""What the adapters keep as JSON, in whatever database."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping
from typing import Any

import attrs

from assignment_pipeline.domain.policy import ServicePeriod, TurnBand, VenuePolicy, Weights

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def dumps(value: Any) -> str:
    """JSON that any database reads: in a mapping, numbers that JSON does not have become text."""
    try:
        return _encode(value)
    except ValueError:
        return _encode({key: _finite(item) for key, item in value.items()})


def _finite(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def policy_text(policy: VenuePolicy) -> str:
    """A policy as JSON."""
    return dumps(attrs.asdict(policy, value_serializer=_plain))


def _plain(_: Any, __: Any, value: Any) -> Any:
    return value.isoformat("minutes") if isinstance(value, dt.time) else value


def policy_of(text: str) -> VenuePolicy:
    """What `policy_text` made *text* of."""
    facts: dict[str, Any] = json.loads(text)
    facts["service_periods"] = [_period(period) for period in facts["service_periods"]]
    facts["turn_bands"] = [TurnBand(**band) for band in facts["turn_bands"]]
    facts["weights"] = Weights(**facts["weights"])
    return VenuePolicy(**facts)


def _period(facts: Mapping[str, Any]) -> ServicePeriod:
    return ServicePeriod(
        facts["name"], dt.time.fromisoformat(facts["start"]), dt.time.fromisoformat(facts["end"]), facts["days"]
    )
