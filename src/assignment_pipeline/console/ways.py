"""What can be done about a booking, as links to acts: see `WayOut`."""

from __future__ import annotations

import datetime as dt
import json
import urllib.parse
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from assignment_pipeline.console.names import Names
from assignment_pipeline.domain.checks import as_tuple, each, identifier, sorted_ids
from assignment_pipeline.domain.result import Move
from assignment_pipeline.domain.room import WayOut
from assignment_pipeline.errors import InvalidValueError
from assignment_pipeline.planning.base import Rule


@attrs.frozen
class Way:
    """A link: what stands on it, and the address of the act's preview."""

    words: str
    href: str
    act: str


@attrs.frozen(kw_only=True)
class Suggested:
    """
    Tables for a booking that the coordinator has suggested.

    Attributes:
        tables: Their ids, sorted.

        moves: Who makes room.

        allow: The rules that are broken.
    """

    tables: tuple[str, ...] = attrs.field(converter=sorted_ids, validator=each(identifier))
    moves: tuple[Move, ...] = attrs.field(default=(), converter=as_tuple)
    allow: tuple[Rule, ...] = attrs.field(default=(), converter=as_tuple)

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Suggested:
        """What the arguments of a way out say."""
        moves = [Move(**one) for one in given.get("moves", ())]
        allow = [Rule(name) for name in given.get("allow", ())]
        return cls(tables=given["tables"], moves=moves, allow=allow)

    @classmethod
    def read(cls, text: str) -> Suggested:
        """
        What `written` has made.

        Raises:
            InvalidValueError: It is nothing of that kind.
        """
        try:
            return cls.of(json.loads(text))
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            raise InvalidValueError("plan", "tables as the queue suggests them", repr(text[:200])) from None

    def written(self) -> str:
        """The same as a field of a form."""
        rows = {name: value for name, value in attrs.asdict(self).items() if value}
        return json.dumps(rows, ensure_ascii=False, separators=(",", ":"))


def ways_of(names: Names, versions: Mapping[str, int], found: Iterable[WayOut]) -> list[Way]:
    """
    The ways out, each as a link.

    Args:
        versions: Those of the records that were looked at, by booking. If one has changed by then, nothing is done.
    """
    return [_way(names, versions, way) for way in found]


def _way(names: Names, versions: Mapping[str, int], way: WayOut) -> Way:
    given, booking_id = way.arguments, way.arguments["booking_id"]
    fields = {"id": booking_id, "version": str(versions[booking_id])} if booking_id in versions else {"id": booking_id}
    if way.method == "place":
        plan = Suggested.of(given)
        words = f"{booking_id} to {names.tables(plan.tables)}"
        words += "".join(f", {move.booking_id} to {names.tables(move.tables)}" for move in plan.moves)
        fields |= {"do": "suggested", "plan": plan.written()}
    elif way.method == "reassign":
        words = f"At {names.clock(dt.datetime.fromisoformat(given['start_at']))} instead"
        fields |= {"do": "retime", "start": given["start_at"]}
    elif way.method == "reject":
        words = "Turn down"
        fields |= {"do": "reject", "reason": given["reason"]}
    else:
        words = f"{booking_id} has left"
        fields |= {"do": "left"}
    return Way(words, "act?" + urllib.parse.urlencode(fields), fields["do"])
