"""What must hold in the tables: each is a sentence and a few lines."""

from __future__ import annotations

import datetime as dt
import itertools
import zoneinfo
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from assignment_pipeline.testing.checker.reading import Row, Tables, moment_of

Invariant = Callable[[Tables], Iterator[str]]
"""What breaks it, one line each; its docstring is the sentence."""

_OPEN = ("created", "capacity_verified", "assignment_pending", "assignment_in_progress", "assigned")
_WITH_TABLES = {"assigned", "confirmed"}
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = dt.timedelta(days=1)

_AT_REST = {"confirmed", "manual_review", "failed", "cancelled"}
_FINAL = {"failed", "cancelled"}
_BY_OTHERS = {"manual", "legacy"}

# A copy, on purpose: what is wrong with the library's own table shows.
LEGAL = {
    ("created", "verify", "capacity_verified"),
    ("capacity_verified", "enqueue", "assignment_pending"),
    ("assignment_pending", "begin", "assignment_in_progress"),
    ("assignment_in_progress", "seat", "assigned"),
    ("manual_review", "seat", "assigned"),
    ("assigned", "confirm", "confirmed"),
    ("assigned", "move", "assigned"),
    ("confirmed", "move", "confirmed"),
    ("assignment_in_progress", "retry", "assignment_pending"),
    ("assigned", "retry", "assignment_pending"),
    ("manual_review", "requeue", "assignment_pending"),
    ("confirmed", "requeue", "assignment_pending"),
    *((state, "escalate", "manual_review") for state in _OPEN),
    *((state, "fail", "failed") for state in (*_OPEN, "manual_review")),
    *((state, "cancel", "cancelled") for state in (*_OPEN, "manual_review", "confirmed")),
    ("failed", "reinstate", "assignment_pending"),
    ("cancelled", "reinstate", "assignment_pending"),
}
"""From, by which trigger, to."""


# -- Tables of the restaurant -------------------------------------------------------------------------------------


def no_table_twice(tables: Tables) -> Iterator[str]:
    """No table is taken twice at one time: our bookings and the host's rows together."""
    places: dict[tuple[str, str], list[tuple[dt.datetime, dt.datetime, bool, str | None]]] = defaultdict(list)
    for ours, rows in ((True, tables.seats), (False, tables.taken)):
        for row in rows:
            span = (row["start_at"], row["end_at"], ours, row["booking_id"])
            places[row["restaurant_id"], row["table_id"]].append(span)
    for (restaurant, table), spans in places.items():
        spans.sort(key=lambda span: span[:3])
        for number, (start, end, ours, booking) in enumerate(spans):
            for other_start, _, others, other in itertools.islice(spans, number + 1, None):
                if other_start >= end:
                    break
                if (ours or others) and booking != other:
                    yield f"{restaurant}, {table}, {max(start, other_start)}: {booking} and {other}"


def nobody_is_put_at_a_blocked_table(tables: Tables) -> Iterator[str]:
    """
    Who has a table while it is out of service had it before it was blocked.

    Of a conflicted one, nobody knows: legacy may have seated it before, and the pipeline heard of it after.
    """
    events = sorted(enumerate(tables.events), key=lambda one: not _is_of_a_shadow(one[1]))
    order = {_event_key(event): place for place, event in events}
    steps = _by_booking(tables.history)
    blocks = defaultdict(list)
    for block in tables.blocks:
        blocks[block["restaurant_id"], block["table_id"]].append(block)
    for seat in (seat for seat in tables.seats if not seat["conflicted"]):
        for block in blocks.get((seat["restaurant_id"], seat["table_id"]), ()):
            if block["start_at"] < seat["end_at"] and seat["start_at"] < block["end_at"]:
                since = _since(steps.get(seat["booking_id"], []), seat)
                took = order.get((seat["booking_id"], since))
                blocked = order.get(("", block["id"]))
                if took is None or blocked is None or took > blocked:
                    yield f"{seat['restaurant_id']}, {seat['table_id']}: {seat['booking_id']}, and blocked"


def _event_key(event: Row) -> tuple[str, Any]:
    if event["event_type"] == "coordinator.blocked":
        return "", event["context"]["block"]
    return event["booking_id"], event["context"]["version"]


def _since(steps: Sequence[Row], seat: Row) -> int | None:
    """The version since which a booking has had that table without a break, as far as its changes tell."""
    ends = [list(rows)[-1] for _, rows in itertools.groupby(steps, key=lambda step: step["change_id"])]
    since = None
    for step in reversed(ends):
        if step["restaurant_id"] != seat["restaurant_id"] or seat["table_id"] not in step["tables"]:
            break
        since = step["version"]
    return since


def tables_go_with_the_state(tables: Tables) -> Iterator[str]:
    """Who is assigned or confirmed has tables, at its restaurant, and nobody else has."""
    records = {record["booking_id"]: record for record in tables.records}
    seated = defaultdict(set)
    for seat in tables.seats:
        seated[seat["booking_id"]].add(seat["restaurant_id"])
    for booking, restaurants in seated.items():
        record = records.get(booking)
        if record is None or record["state"] not in _WITH_TABLES:
            yield f"{booking} is {record['state'] if record else 'unknown'}, and has tables"
        elif restaurants != {record["restaurant_id"]}:
            yield f"{booking} has tables at {', '.join(sorted(restaurants))}"
    for booking, record in records.items():
        if record["state"] in _WITH_TABLES and record["owner"] == "pipeline" and booking not in seated:
            yield f"{booking} is {record['state']}, and has no tables"


def everybody_fits(tables: Tables) -> Iterator[str]:
    """Whoever has tables has one that is for as many, or some that are joined and have the seats, when it comes."""
    floor = _Floor(tables)
    seats = _by_booking(tables.seats)
    for record in tables.records:
        booking, rows = record["booking"], seats.get(record["booking_id"])
        if not rows:
            continue
        name = record["booking_id"]
        if booking is None:
            yield f"{name} has tables, and nobody knows for how many"
            continue
        if {row["turn_start_at"] for row in rows} != {moment_of(booking["start_at"])}:
            yield f"{name} comes at {booking['start_at']}, and its tables are for another time"
        if any(
            (row["turn_start_at"] < row["start_at"] and row["seated_at"] is None) or row["end_at"] < row["turn_end_at"]
            for row in rows
        ):
            yield f"{name} has a table for less than its turn"
        if tables.inventory is not None and record["strategy"] not in _BY_OTHERS:
            yield from (f"{name}, {_names(rows)}: {wrong}" for wrong in floor.wrong(booking, rows))


def no_cap_is_passed(tables: Tables) -> Iterator[str]:
    """No more parties and guests arrive in a slot than its cap allows, besides those of people and of legacy."""
    arriving = defaultdict(list)
    seated = {row["booking_id"] for row in tables.seats}
    for record in tables.records:
        if record["booking_id"] in seated and record["booking"] is not None and record["strategy"] not in _BY_OTHERS:
            arriving[record["restaurant_id"]].append(record["booking"])
    for restaurant in tables.restaurants or ():
        policy, zone = restaurant["policy"], zoneinfo.ZoneInfo(restaurant["timezone"])
        for rule in policy.get("pacing") or ():
            found = _beyond(rule, policy, arriving[restaurant["id"]], zone)
            yield from (f"{restaurant['id']}, {what}" for what in found)


def _beyond(rule: Row, policy: Row, bookings: Iterable[Row], zone: dt.tzinfo) -> Iterator[str]:
    """The slots in which a cap is passed, counted on the clock on the wall."""
    slots = defaultdict(list)
    for booking in bookings:
        if rule.get("channel") in (None, booking.get("channel")):
            local = moment_of(booking["start_at"]).astimezone(zone)
            if rule.get("periods") and not _is_in_one_of(rule["periods"], policy, local):
                continue
            part = (local.hour * 60 + local.minute) // rule["minutes"]
            slots[local.date(), local.utcoffset(), part].append(booking["party_size"])
    for (date, _, part), sizes in slots.items():
        for what, number in (("covers", sum(sizes)), ("parties", len(sizes))):
            if number > rule.get(what, number):
                yield f"{date}, slot {part} of {rule['minutes']} minutes: {number} {what}, and {rule[what]} may arrive"


def _is_in_one_of(names: Sequence[str], policy: Row, local: dt.datetime) -> bool:
    """
    Whether that local time is in a service period of one of these names.

    On a date on which the clock changes, that is left open: there, a period is as long as the library says.
    """
    midnight = local.replace(hour=0, minute=0, fold=0)
    if midnight.utcoffset() != (midnight + _DAY).utcoffset():
        return False
    today = (_minutes(period) for period in _periods_on(local.date(), policy) if period["name"] in names)
    yesterday = (_minutes(period) for period in _periods_on(local.date() - _DAY, policy) if period["name"] in names)
    minute = local.hour * 60 + local.minute
    return any(start <= minute < end for start, end in today) or any(
        start <= minute + 24 * 60 < end for start, end in yesterday
    )


def _periods_on(date: dt.date, policy: Row) -> list[Row]:
    """The periods that start on a date."""
    text = date.isoformat()
    for day in policy.get("special_days") or ():
        first = day.get("date") or day["from"]
        if first <= text <= (day.get("date") or day["until"]):
            return day.get("service_periods") or []
    return [
        period
        for period in policy.get("service_periods") or ()
        if _WEEKDAYS[date.weekday()] in period.get("days", _WEEKDAYS)
        and period.get("valid_from", text) <= text <= period.get("valid_until", text)
    ]


def _minutes(period: Row) -> tuple[int, int]:
    """From its start to its end, in minutes after midnight."""
    start, end = (int(period[key][:2]) * 60 + int(period[key][3:]) for key in ("start", "end"))
    return start, end if end > start else end + 24 * 60


class _Floor:
    """What the floors say of who can sit where."""

    def __init__(self, tables: Tables) -> None:
        self._tables = {(row["restaurant_id"], row["id"]): row for row in tables.inventory or ()}
        self._policies = {row["id"]: row["policy"] for row in tables.restaurants or ()}
        self._adjacent = defaultdict(set)
        for row in tables.adjacencies or ():
            self._adjacent[row["restaurant_id"], row["table_a"]].add(row["table_b"])
            self._adjacent[row["restaurant_id"], row["table_b"]].add(row["table_a"])
        self._never = defaultdict(list)
        for row in tables.restaurants or ():
            groups = {group["name"]: {*group["tables"]} for group in row.get("floor", {}).get("groups") or ()}
            for members in groups.values():
                for one in members:
                    self._adjacent[row["id"], one] |= members - {one}
            for one, other in row.get("floor", {}).get("never_joined") or ():
                self._never[row["id"]].append((groups.get(one, {one}), groups.get(other, {other})))
        self._rows = defaultdict(list)
        for row in tables.inventory or ():
            self._rows[row["restaurant_id"], row.get("counter"), row.get("communal")].append(row["id"])
        self._named = {(row["restaurant_id"], frozenset(row["tables"])): row for row in tables.combinations or ()}

    def wrong(self, booking: Row, rows: Sequence[Row]) -> Iterator[str]:
        """What is wrong with these tables for that booking."""
        restaurant, party = rows[0]["restaurant_id"], booking["party_size"]
        found = [self._tables.get((restaurant, row["table_id"])) for row in rows]
        known = [table for table in found if table is not None]
        if len(known) < len(found):
            yield "there is no such table"
            return
        yield from self._too_small(restaurant, party, known)
        if booking["seating"] != "any" and {table["seating"] for table in known} != {booking["seating"]}:
            yield f"not {booking['seating']}"
        if booking["zone"] is not None and {table["zone"] for table in known} != {booking["zone"]}:
            yield f"not in {booking['zone']}"
        if booking["accessible"] and not any(table["accessible"] for table in known):
            yield "not accessible"

    def _too_small(self, restaurant: str, party: int, known: Sequence[Row]) -> Iterator[str]:
        ids = frozenset(table["id"] for table in known)
        named = self._named.get((restaurant, ids))
        if len(known) == 1:
            if not known[0]["min_party_size"] <= party <= known[0]["max_party_size"]:
                yield f"it is not for {party}"
        elif named is not None:
            if party > named["max_party_size"]:
                yield f"they are not for {party}"
        else:
            if party > sum(table["capacity"] for table in known):
                yield f"they have no seats for {party}"
            rows = {(table.get("counter"), table.get("communal")) for table in known}
            if rows != {(None, None)}:
                if not self._side_by_side(restaurant, ids, rows):
                    yield "they are not seats side by side"
            elif not self._joins(restaurant, ids):
                yield "they cannot be joined"

    def _side_by_side(self, restaurant: str, ids: frozenset[str], rows: set[tuple[Any, Any]]) -> bool:
        """Whether they are seats of one communal table, or of one counter with none in between."""
        counter, communal = next(iter(rows))
        places = [place for place, one in enumerate(self._rows[restaurant, counter, communal]) if one in ids]
        return len(rows) == 1 and (communal is not None or places[-1] - places[0] + 1 == len(ids))

    def _joins(self, restaurant: str, ids: frozenset[str]) -> bool:
        policy = self._policies[restaurant]
        if any(ids & one and ids & other for one, other in self._never[restaurant]):
            return False
        near = {one: self._adjacent[restaurant, one] & ids for one in ids}
        if len(ids) > policy["max_tables"]:
            return False
        if policy["adjacency"] == "pairwise":
            return all(near[one] == ids - {one} for one in ids)
        if policy["adjacency"] == "neighbours":
            return any(near[one] == ids - {one} for one in ids)
        reached, ahead = set(), [min(ids)]
        while ahead:
            one = ahead.pop()
            if one not in reached:
                reached.add(one)
                ahead.extend(near[one])
        return reached == ids


# -- History and events -------------------------------------------------------------------------------------------


def versions_are_gapless(tables: Tables) -> Iterator[str]:
    """A record's history counts from 1 to its version."""
    steps, known = _by_booking(tables.history), set()
    for record in tables.records:
        known.add(record["booking_id"])
        versions = [step["version"] for step in steps.get(record["booking_id"], ())]
        if versions != list(range(1, record["version"] + 1)):
            yield f"{record['booking_id']} is at {record['version']}, with a history of {_short(versions)}"
    yield from (f"{booking} has a history and no record" for booking in steps.keys() - known)


def every_step_is_legal(tables: Tables) -> Iterator[str]:
    """Each step of a history is a row of the lifecycle, and begins where the one before has ended."""
    for booking, steps in _by_booking(tables.history).items():
        state = "created"
        for step in steps:
            taken = (step["from_state"], step["trigger"], step["to_state"])
            if taken not in LEGAL or step["from_state"] != state:
                yield f"{booking}, version {step['version']}, from {state}: {' '.join(taken)}"
            state = step["to_state"]


def history_ends_at_the_record(tables: Tables) -> Iterator[str]:
    """The last step of a history led to the record's state and tables."""
    steps, seats = _by_booking(tables.history), _by_booking(tables.seats)
    for record in tables.records:
        booking = record["booking_id"]
        last = steps.get(booking, [None])[-1]
        state, there = ("created", []) if last is None else (last["to_state"], sorted(last["tables"]))
        has = sorted(seat["table_id"] for seat in seats.get(booking, ()))
        if (state, there) != (record["state"], has):
            yield f"{booking} is {record['state']} at {has}, and its history ends {state} at {there}"


def every_step_is_told_once(tables: Tables) -> Iterator[str]:
    """Each step of a history has one event, which says the same, and no other event tells of a step; shadows apart."""
    told: Counter[tuple[Any, ...]] = Counter()
    in_shadow = set()  # What only would have been done is told of, too, and what is done while in shadow.
    for event in tables.events:
        if event["event_type"] == "coordinator.blocked":
            continue
        facts = event["context"]
        key = (event["booking_id"], facts["version"], facts["from"], facts["trigger"], facts["to"])
        if _is_of_a_shadow(event):
            in_shadow.add(key)
        else:
            told[key] += 1
        if (facts["from"], facts["trigger"], facts["to"]) not in LEGAL:
            yield f"an event of {event['booking_id']} tells {facts['from']} {facts['trigger']} {facts['to']}"
    happened = {tuple(row[name] for name in _STEP) for row in tables.history}
    for key in happened:
        if told[key] > 1 or (told[key] == 0 and key not in in_shadow):
            yield f"{key[0]}, version {key[1]}: told {told[key]} times"
    yield from (f"{key[0]}, version {key[1]}: told, and not in its history" for key in told.keys() - happened)


def _is_of_a_shadow(event: Row) -> bool:
    return bool(event["context"].get("mode") == "shadow")


_STEP = ("booking_id", "version", "from_state", "trigger", "to_state")


def attempts_are_counted(tables: Tables) -> Iterator[str]:
    """A record has as many attempts as it counts, numbered from 1."""
    attempts = _by_booking(tables.attempts)
    for record in tables.records:
        numbers = [row["attempt_no"] for row in attempts.get(record["booking_id"], ())]
        if numbers != list(range(1, record["attempts"] + 1)):
            yield f"{record['booking_id']} counts {record['attempts']} attempts, and has {_short(numbers)}"


# -- The schedule, and the host's view ----------------------------------------------------------------------------


def what_is_open_is_due(tables: Tables) -> Iterator[str]:
    """What the pipeline has not settled is due at some time, unless the host has settled it."""
    statuses = {row["id"]: row["status"] for row in tables.bookings or ()}
    for record in tables.records:
        if record["state"] in _AT_REST or record["owner"] != "pipeline" or record["next_attempt_at"] is not None:
            continue
        if record["state"] == "assigned" or statuses.get(record["booking_id"], "pending") in {"pending", "cancelled"}:
            yield f"{record['booking_id']} is {record['state']}, and never due"


def what_has_ended_is_not_due(tables: Tables) -> Iterator[str]:
    """What has failed or was cancelled is not due any more."""
    for record in tables.records:
        if record["state"] in _FINAL and record["next_attempt_at"] is not None:
            yield f"{record['booking_id']} is {record['state']}, and due at {record['next_attempt_at']}"


def bookings_say_the_same(tables: Tables) -> Iterator[str]:
    """The host's view of a booking shows the state and version of its record."""
    records = {record["booking_id"]: (record["state"], record["version"]) for record in tables.records}
    for row in tables.bookings or ():
        shown = (row["assignment_state"], row["assignment_state_version"])
        if shown != records.get(row["id"], (None, None)):
            yield f"{row['id']} is shown as {shown}, and is {records.get(row['id'])}"


INVARIANTS: tuple[Invariant, ...] = (
    no_table_twice,
    nobody_is_put_at_a_blocked_table,
    tables_go_with_the_state,
    everybody_fits,
    no_cap_is_passed,
    versions_are_gapless,
    every_step_is_legal,
    history_ends_at_the_record,
    every_step_is_told_once,
    attempts_are_counted,
    what_is_open_is_due,
    what_has_ended_is_not_due,
    bookings_say_the_same,
)
"""All of them, in the order in which they are looked at."""


def check(tables: Tables, invariants: Iterable[Invariant] = INVARIANTS) -> dict[str, list[str]]:
    """What breaks each of *invariants* that does not hold, by its name."""
    found = {invariant.__name__: list(invariant(tables)) for invariant in invariants}
    return {name: lines for name, lines in found.items() if lines}


def sentence(invariant: Invariant) -> str:
    """What should hold."""
    return " ".join((invariant.__doc__ or "").split())


def _by_booking(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["booking_id"]].append(row)
    return found


def _names(rows: Iterable[Row]) -> str:
    return "+".join(sorted(row["table_id"] for row in rows))


def _short(numbers: Sequence[int]) -> str:
    return f"{numbers[0]} to {numbers[-1]}, {len(numbers)} in all" if numbers else "nothing"
