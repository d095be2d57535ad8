"""Whether bookings that are ahead still keep to the rules of their restaurants."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator

from assignment_pipeline.domain.windows import TimeWindow, minute_of
from assignment_pipeline.domain.wording import count, first_few
from assignment_pipeline.flow.assigning.venue_audit import LAST
from assignment_pipeline.planning.venue_audit import VenueAudit, audited
from assignment_pipeline.ports import LoadQuery
from assignment_pipeline.rollout.doctor.diagnosis import Finding, good, wrong
from assignment_pipeline.rollout.doctor.restaurants import Restaurants
from assignment_pipeline.rollout.doctor.timezones import KnowsZones

NAMED = 5


def examine_venues(store: KnowsZones, now: dt.datetime, restaurants: Restaurants) -> tuple[Finding, ...]:
    """The finding of bookings ahead that break rules of their restaurants."""
    audits = tuple(_audits(store, now, restaurants.ids))
    checked = sum(audit.checked for audit in audits)
    broken = [(audit, one) for audit in audits for one in audit.findings if not one.is_by_hand]
    if not broken:
        evidence = f"{count(checked, 'booking')} ahead, all by the rules of their restaurants: {restaurants}"
        return (good("venues", evidence),)
    rules = Counter(rule.value for _, one in broken for rule in one.rules)
    named = first_few([f"{one.booking_id} at {audit.restaurant_id}" for audit, one in broken], NAMED)
    counts = ", ".join(f"{number} {rule}" for rule, number in rules.most_common())
    return (
        wrong(
            "venues",
            f"{len(broken)} of {checked} bookings ahead break rules ({counts}): {named}",
            "the floor, the hours or the policy changed after they were seated",
            "list them with `audit --restaurant ID`; reassign, reoptimize or place them, or tell the guests",
        ),
    )


def _audits(store: KnowsZones, now: dt.datetime, restaurant_ids: Iterable[str]) -> Iterator[VenueAudit]:
    start = minute_of(now)
    for restaurant_id in restaurant_ids:
        try:
            found = store.load(LoadQuery(restaurant_id=restaurant_id, day=TimeWindow(start, LAST)))
        except Exception:  # noqa: BLE001, S112 - no such restaurant, no host, or its code raises: another check's
            continue
        if found is not None:
            yield audited(found.venue, found.records.values(), found.taken, found.arrivals, now)
