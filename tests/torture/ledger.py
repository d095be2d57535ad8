"""What only who drove the run can know: what was promised, and whether it has been kept."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from assignment_pipeline.lifecycle import FINAL, SETTLED
from assignment_pipeline.testing.checker import Tables

MODE_EVENT = "torture.mode"


@attrs.define
class Ledger:
    """
    What was promised.

    Attributes:
        submitted: The bookings that the host has taken.

        cancelled: Those that it has cancelled.
    """

    submitted: set[str] = attrs.Factory(set)
    cancelled: set[str] = attrs.Factory(set)

    def lost(self, tables: Tables) -> Iterator[str]:
        """Every booking that was taken has a record that is settled, or tables from the host itself."""
        records = {record["booking_id"]: record for record in tables.records}
        with_host = {row["booking_id"] for row in tables.taken}
        known = {row["id"] for row in tables.bookings or ()}
        for booking in sorted(self.submitted):
            record = records.get(booking)
            if booking not in known:
                yield f"{booking} is gone"
            elif record is None and booking not in with_host:
                yield f"{booking} has no record and no tables"
            elif record is not None and booking not in with_host and record["state"] not in SETTLED:
                yield f"{booking} is {record['state']} after all"

    def revived(self, tables: Tables) -> Iterator[str]:
        """Who was cancelled stays cancelled."""
        states = {record["booking_id"]: record["state"] for record in tables.records}
        for booking in sorted(self.cancelled):
            if states.get(booking) not in FINAL:
                yield f"{booking} is {states.get(booking)}"


@attrs.define
class Answers:
    """
    What the workers have said.

    Attributes:
        outcomes: How calls came out, with their reasons.

        missed: Messages of which nothing came, for want of the store.

        surprises: What was raised that never should be.

        told: The states that calls have answered with: booking, version, state and tables.
    """

    outcomes: Counter[str] = attrs.Factory(Counter)
    missed: Counter[str] = attrs.Factory(Counter)
    surprises: list[str] = attrs.Factory(list)
    told: set[tuple[str, int, str, tuple[str, ...]]] = attrs.Factory(set)

    @classmethod
    def read(cls, log: Path) -> Answers:
        """What is in the workers' file; what one of them was killed in the middle of saying is left out."""
        answers = cls()
        for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else ():
            try:
                said: dict[str, Any] = json.loads(line)
            except ValueError:
                continue
            if "surprise" in said:
                answers.surprises.append(said["surprise"] + "\n" + said.get("trace", ""))
            elif "missed" in said:
                answers.missed[f"{said['missed']}: {said['why']}"] += 1
            else:
                answers.outcomes[f"{said['outcome']}: {said['reason']}" if said["reason"] else said["outcome"]] += 1
                if said.get("version"):
                    fact = (said["booking"], said["version"], said["state"], tuple(sorted(said["tables"])))
                    answers.told.add(fact)
        return answers

    def untrue(self, tables: Tables) -> Iterator[str]:
        """Whatever state a call has answered with, the booking has been in."""
        steps = {(row["booking_id"], row["version"]): row for row in tables.history}
        for booking, version, state, names in sorted(self.told):
            row = steps.get((booking, version))
            if row is None or (row["to_state"], tuple(sorted(row["tables"]))) != (state, names):
                found = f"{row['to_state']} at {row['tables']}" if row else "not there"
                yield f"{booking}, version {version}, was answered as {state} at {names}, and is {found}"


def out_of_turn(events: list[dict[str, Any]]) -> Iterator[str]:
    """
    Nobody is seated by the pipeline where it is not in charge.

    Args:
        events: Transitions, and the events that told of another mode, in the order of their commits.
    """
    modes: dict[str, str] = defaultdict(lambda: "active")
    for event in events:
        facts = event["context"]
        if event["event_type"] == MODE_EVENT:
            modes[event["restaurant_id"]] = facts["mode"]
        elif facts["trigger"] == "seat" and facts.get("mode") == "active" and modes[event["restaurant_id"]] != "active":
            yield f"{event['booking_id']} at {event['restaurant_id']}, which was {modes[event['restaurant_id']]}"
