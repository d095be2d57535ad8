"""Whether all who read a restaurant's wall clock read the same: this process, its packages, and the server."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import importlib.resources
import zoneinfo
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from assignment_pipeline.domain.wording import count, first_few
from assignment_pipeline.ports import AssignmentContext, LoadQuery
from assignment_pipeline.rollout.doctor.diagnosis import Finding, good, wrong
from assignment_pipeline.rollout.doctor.restaurants import Restaurants

NAMED = 5
EVERY, AHEAD = dt.timedelta(days=7), 60
"""Sixty weeks: a rule that changes shows for a week at least."""

_HOUR = dt.timedelta(hours=1)
_DISTRIBUTION = "tzdata"

Offsets = Sequence[dt.timedelta | None]


class KnowsZones(Protocol):
    """A store that says where its restaurants are. One whose server has a time zone database also has ``offsets``."""

    def load(self, query: LoadQuery) -> AssignmentContext | None:
        """See `AssignmentStore.load`."""
        ...


def examine_timezones(store: KnowsZones, now: dt.datetime, restaurants: Restaurants) -> tuple[Finding, ...]:
    """
    The finding of the time zone databases, for the sixty weeks from *now*.

    Compared are: what this process reads, the package ``tzdata`` if it is installed, and the database server's own.
    """
    zones = sorted(_zones(store, restaurants.ids))
    moments = [now.replace(minute=0, second=0, microsecond=0) + week * EVERY for week in range(AHEAD)]
    ours = {zone: [moment.astimezone(zoneinfo.ZoneInfo(zone)).utcoffset() for moment in moments] for zone in zones}
    differing = [*_differing("the package tzdata", ours, _packaged(zones, moments), moments)]
    fix = "set PYTHONTZPATH to nothing for every worker, so that all read the package, or update the system's database"
    if hasattr(store, "offsets"):
        differing += _differing("the database server", ours, store.offsets(zones, moments), moments)
    if differing:
        return (
            wrong(
                "timezones",
                first_few(differing, NAMED, between="; "),
                "the system's time zone database, which wins over the package, is another release: "
                "workers of other images read another time",
                fix,
            ),
        )
    version = _version()
    also = f", as tzdata {version} has them" if version else ""
    where = f"{count(len(zones), 'time zone')} read the same here and on the database server"
    return (good("timezones", f"{where}{also}"),)


def _zones(store: KnowsZones, restaurant_ids: Iterable[str]) -> set[str]:
    found = set()
    for restaurant_id in restaurant_ids:
        try:
            context = store.load(LoadQuery(restaurant_id=restaurant_id))
        except Exception:  # noqa: BLE001, S112 - what a host's code raises is another check's
            continue
        if context is not None:
            found.add(context.venue.timezone)
    return found


def _version() -> str | None:
    try:
        return importlib.metadata.version(_DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return None


def _packaged(zones: Sequence[str], moments: Sequence[dt.datetime]) -> Mapping[str, Offsets]:
    """What the package has, past the system's folders."""
    if _version() is None:
        return {}
    found = {}
    for zone in zones:
        file = importlib.resources.files(_DISTRIBUTION).joinpath("zoneinfo", *zone.split("/"))
        if file.is_file():
            with file.open("rb") as opened:
                packaged = zoneinfo.ZoneInfo.from_file(opened, key=zone)
            found[zone] = [moment.astimezone(packaged).utcoffset() for moment in moments]
    return found


def _differing(
    whose: str, ours: Mapping[str, Offsets], theirs: Mapping[str, Offsets], moments: Sequence[dt.datetime]
) -> Iterator[str]:
    for zone, offsets in ours.items():
        if zone not in theirs:
            continue
        for moment, here, there in zip(moments, offsets, theirs[zone], strict=True):
            if here != there:
                yield f"{zone} on {moment:%Y-%m-%d}: UTC{_hours(here)} here, UTC{_hours(there)} for {whose}"
                break


def _hours(offset: dt.timedelta | None) -> str:
    return "?" if offset is None else f"{offset / _HOUR:+g}"
