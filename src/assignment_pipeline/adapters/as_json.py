"""What the adapters keep as JSON, in whatever database."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from assignment_pipeline.domain.combination import Group
from assignment_pipeline.domain.floor import FloorPlan
from assignment_pipeline.domain.pacing import PacingRule
from assignment_pipeline.domain.policy import (
    WEEKDAYS,
    Arrivals,
    EndRule,
    ServicePeriod,
    SpecialDay,
    TurnBand,
    VenuePolicy,
    Weights,
)
from assignment_pipeline.domain.windows import MINUTE
from assignment_pipeline.domain.zones import Zone

DERIVED = "derived"
"""Where a policy's JSON has what follows from the rest of it."""

_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


_Parts = Callable[[Any, int], Iterable[str]]


def _encode_once() -> _Parts:
    """The parts that `JSONEncoder.encode` joins, with CPython's encoder made once, and not for each value."""
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return lambda value, _: _encoder.iterencode(value)
    quote = json.encoder.encode_basestring
    parts: _Parts = make(None, _encoder.default, quote, None, ":", ",", False, False, False)  # noqa: FBT003 - nameless
    return parts


_parts = _encode_once()


def dumps(value: Any) -> str:
    """JSON that any database reads: in a mapping, numbers that JSON does not have become text."""
    try:
        return "".join(_parts(value, 0))
    except ValueError:
        return "".join(_parts({key: _finite(item) for key, item in value.items()}, 0))


def _finite(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def with_tuples(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document as values have it: its lists are tuples."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in document.items()}


def policy_text(policy: VenuePolicy) -> str:
    """A policy as JSON, with what a database needs of it that does not know the calendar."""
    own = {"service_periods", "special_days", "pacing", "turn_bands", "weights"}
    facts = {field.name: getattr(policy, field.name) for field in attrs.fields(VenuePolicy) if field.name not in own}
    return dumps(
        {
            **facts,
            "service_periods": [period_document(period) for period in policy.service_periods],
            "special_days": [special_day_document(day) for day in policy.special_days],
            "pacing": [pacing_document(rule) for rule in policy.pacing],
            "turn_bands": [attrs.asdict(band) for band in policy.turn_bands],
            "weights": attrs.asdict(policy.weights),
            DERIVED: {
                "reach_minutes": policy.reach // MINUTE,
                "longest_turn_minutes": policy.longest_turn // MINUTE,
                "turns_vary": policy.turns_vary,
                "longest_slot_minutes": policy.longest_slot // MINUTE,
            },
        }
    )


def policy_of(text: str) -> VenuePolicy:
    """What `policy_text` made *text* of."""
    facts: dict[str, Any] = json.loads(text)
    facts.pop(DERIVED, None)
    facts["service_periods"] = [_period(period) for period in facts["service_periods"]]
    facts["special_days"] = [_special_day(day) for day in facts.get("special_days", ())]
    facts["pacing"] = [PacingRule(**rule) for rule in facts.get("pacing", ())]
    facts["turn_bands"] = [TurnBand(**band) for band in facts["turn_bands"]]
    facts["weights"] = Weights(**facts["weights"])
    return VenuePolicy(**facts)


def period_document(period: ServicePeriod) -> dict[str, Any]:
    """A service period, without what it leaves as it is anyway."""
    document: dict[str, Any] = {"name": period.name, "start": _clock(period.start), "end": _clock(period.end)}
    if period.days != WEEKDAYS:
        document["days"] = list(period.days)
    for name, date in (("valid_from", period.valid_from), ("valid_until", period.valid_until)):
        if date is not None:
            document[name] = date.isoformat()
    if isinstance(period.arrivals, Arrivals):
        rule = {"every": period.arrivals.every, "first": period.arrivals.first, "last": period.arrivals.last}
        document["arrivals"] = {
            name: _clock(value) if isinstance(value, dt.time) else value
            for name, value in rule.items()
            if value is not None
        }
    elif period.arrivals is not None:
        document["arrivals"] = [_clock(time) for time in period.arrivals]
    if period.end_rule is not EndRule.LEAVE_BY:
        document["end_rule"] = period.end_rule.value
    if period.turn_bands is not None:
        document["turn_bands"] = [attrs.asdict(band) for band in period.turn_bands]
    if period.turn is not None:
        document["turn"] = period.turn.value
    return document


def special_day_document(day: SpecialDay) -> dict[str, Any]:
    """A special day, without what it leaves as it is anyway."""
    dates = {"date": day.date, "from": day.from_, "until": day.until}
    document: dict[str, Any] = {name: date.isoformat() for name, date in dates.items() if date is not None}
    if day.closed:
        document["closed"] = True
    else:
        document["service_periods"] = [period_document(period) for period in day.service_periods]
    return document if day.note is None else {**document, "note": day.note}


def pacing_document(rule: PacingRule) -> dict[str, Any]:
    """A rule of pacing, without what it leaves as it is anyway."""
    document = {field.name: getattr(rule, field.name) for field in attrs.fields(PacingRule)}
    return {key: list(value) if key == "periods" else value for key, value in document.items() if value}


def floor_text(floor: FloorPlan) -> str:
    """What a floor says beside its tables, as JSON."""
    return dumps(
        {
            "zones": [zone_document(zone) for zone in floor.zones],
            "groups": [group_document(group) for group in floor.groups],
            "never_joined": pairs_document(floor.never_joined),
        }
    )


def floor_parts(text: str) -> dict[str, Any]:
    """What `floor_text` made *text* of, as `FloorPlan` takes it."""
    facts = json.loads(text)
    return {
        "zones": [Zone(**zone) for zone in facts.get("zones", ())],
        "groups": [Group(**group) for group in facts.get("groups", ())],
        "never_joined": facts.get("never_joined", ()),
    }


def zone_document(zone: Zone) -> dict[str, Any]:
    """A zone, without what it leaves as it is anyway."""
    document: dict[str, Any] = {"name": zone.name, "offer": zone.offer.value}
    held = zone.held_until_minutes
    return document if held is None else {**document, "held_until_minutes": held}


def group_document(group: Group) -> dict[str, Any]:
    """A group of tables."""
    return {"name": group.name, "tables": list(group.tables)}


def pairs_document(pairs: Iterable[Iterable[str]]) -> list[list[str]]:
    """Pairs of names, the same always in the same order."""
    return sorted(map(sorted, pairs))


def _clock(time: dt.time) -> str:
    return time.isoformat("minutes")


def _period(facts: Mapping[str, Any]) -> ServicePeriod:
    known = dict(facts)
    known |= {name: dt.time.fromisoformat(facts[name]) for name in ("start", "end")}
    known |= {name: dt.date.fromisoformat(facts[name]) for name in ("valid_from", "valid_until") if name in facts}
    arrivals = facts.get("arrivals")
    if isinstance(arrivals, Mapping):
        times = {name: dt.time.fromisoformat(arrivals[name]) for name in ("first", "last") if name in arrivals}
        known["arrivals"] = Arrivals(every=arrivals["every"], **times)
    elif arrivals is not None:
        known["arrivals"] = [dt.time.fromisoformat(time) for time in arrivals]
    if "turn_bands" in facts:
        known["turn_bands"] = [TurnBand(**band) for band in facts["turn_bands"]]
    return ServicePeriod(**known)


def _special_day(facts: Mapping[str, Any]) -> SpecialDay:
    names = {"date": "date", "from": "from_", "until": "until"}
    return SpecialDay(
        **{field: dt.date.fromisoformat(facts[name]) for name, field in names.items() if name in facts},
        closed=facts.get("closed", False),
        service_periods=[_period(period) for period in facts.get("service_periods", ())],
        note=facts.get("note"),
    )
