"""
A town goes from its old planner to the pipeline, phase by phase, in a few seconds of real time.

It shows the whole rollout on a simulated clock: a candidate with a bug that the shadow catches, a release at 10 % of
the restaurants that seats nobody and rolls itself back, and then a clean run to 100 % and to the old planner's end.

    python examples/rollout/main.py [--report FILE]
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from town import NAMES, VENUES, OldPlanner, Town, bookings_of

from assignment_pipeline import Coordinator, EnvFlags, Mode, TimeWindow
from assignment_pipeline.adapters.sqlite import SQLiteStore, init
from assignment_pipeline.planning.engine import TableEngine
from assignment_pipeline.ports import LoadQuery
from assignment_pipeline.rollout.control import Rollout, StoreGates
from assignment_pipeline.rollout.flags import LayeredFlags, StoreFlags
from assignment_pipeline.rollout.report import find, is_due, page
from assignment_pipeline.rollout.watching import Watcher
from assignment_pipeline.testing import FakeClock

HOUR = dt.timedelta(hours=1)
HOURS = (16, 24)
"""When a day is looked at: nobody books at night."""
SIGNATURES = {
    "staging-full": {"qa": "Boris", "engineering-lead": "Carla"},
    "production-10": {"support": "Dora"},
    "production-50": {"support": "Dora"},
    "production-100": {"on-call": "Emil"},
}


# -- Two releases that should not have been -----------------------------------------------------------------------


class Careless(TableEngine):
    """A release with a bug: parties of five and more make it raise."""

    def plan(self, request: Any, floor: Any, budget: Any) -> Any:
        """As ever, mostly."""
        if request.booking.party_size > 4:
            msg = "list index out of range"
            raise IndexError(msg)
        return super().plan(request, floor, budget)


class Strict:
    """A release with a rule that nobody meant so: it forbids every table."""

    name = "strict"

    def weigh(self, request: Any, seating: Any, floor: Any) -> float | None:  # noqa: ARG002
        """Never."""
        return None


# -- The story ----------------------------------------------------------------------------------------------------


class Story:
    """The town, its time, and what happens to it."""

    def __init__(self, store: SQLiteStore, town: Town, clock: FakeClock) -> None:
        self.store, self.town, self.clock = store, town, clock
        self.flags = LayeredFlags(EnvFlags({}), StoreFlags(store, clock=clock))
        self.rollout = Rollout(store, gates=StoreGates(store), clock=clock)
        self.watcher = Watcher(store, self.rollout)
        self.old_planner = OldPlanner(town, self._taken)
        self.coordinator = self._release()
        self.time = self._hours()

    # What the town does.

    def _release(self, **engine: Any) -> Coordinator:
        return Coordinator(self.store, flags=self.flags, legacy=self.old_planner, clock=self.clock, sinks=(), **engine)

    def release(self, what: str, **engine: Any) -> None:
        """Deploy another version of the pipeline."""
        self.coordinator.close()
        self.coordinator = self._release(**engine)
        self.tell(f"released: {what}")

    def _taken(self, restaurant_id: str, window: TimeWindow) -> set[str]:
        """The tables that the pipeline has given away: the old planner looks there, too."""
        context = self.store.load(LoadQuery(restaurant_id=restaurant_id, day=window))
        taken = context.taken if context else ()
        return {seat.table_id for seat in taken if seat.window.overlaps(window)}

    def _hours(self) -> Iterator[dt.datetime]:
        """Time passes: bookings come in, the sweep does its work, the watcher looks."""
        day = self.clock.now().date()
        while True:
            waiting = list(bookings_of(day))
            for hour in HOURS:
                end = dt.datetime.combine(day, dt.time(), dt.UTC) + hour * HOUR
                while waiting and waiting[0][0] < end:
                    at, booking = waiting.pop(0)
                    self.clock.advance(max(at - self.clock.now(), dt.timedelta()))
                    self.coordinator.assign(booking)
                    self._let_the_shadow_think()
                self.clock.advance(max(end - self.clock.now(), dt.timedelta()))
                self._settle()
                yield self.clock.now()
            day += dt.timedelta(days=1)

    def _let_the_shadow_think(self) -> None:
        """It works beside us, by a clock that goes faster than it can think."""
        if self.coordinator.shadow is not None:
            self.coordinator.shadow.flush()

    def _settle(self) -> None:
        self.coordinator.sweep()
        if self.coordinator.shadow is not None and self.clock.now().hour == 0:
            self.coordinator.shadow.compare_days()  # A worker does both.
        self.coordinator.flush()
        self.store.flush()
        look = self.watcher.look()
        if look.demoted is not None:
            self.tell(f"ROLLED BACK to {look.demoted.phase} by the watcher: {look.why}")
            self._heed()

    def _heed(self) -> None:
        """A worker looks once a second; on a clock that stands still, somebody has to say so."""
        self.flags.store.refresh_now()

    # What its people do.

    def enter(self, phase: str, reason: str) -> None:
        """Begin a phase."""
        self.rollout.enter(phase, actor="Anna", reason=reason)
        self._heed()
        active = sum(self.flags.resolve(name).mode is Mode.ACTIVE for name in NAMES)
        self.tell(f"entered {phase}: the pipeline is in charge of {active} of {len(NAMES)} restaurants")

    def roll_back(self, reason: str) -> None:
        """Everything off, at once."""
        self.rollout.rollback(actor="Anna", reason=reason)
        self._heed()
        self.tell(f"rolled back by Anna: {reason}")

    def go_on(self) -> None:
        """Wait until every gate passes, and advance."""
        phase = self.phase
        signed = SIGNATURES.get(phase or "", {})
        for time in self.time:
            assert self.phase == phase, f"expected to stay in {phase}, got {self.phase}"
            if time.hour:
                continue  # Once a day is enough.
            standing = self.rollout.status(signed)
            if standing.passes:
                break
            fails = [verdict for verdict in standing.verdicts if verdict.answer == "fail"]
            assert not fails, f"expected no gate to fail, got {fails}"
        measured = [verdict for verdict in standing.verdicts if verdict.sample is not None]
        self.tell(f"every gate passes: {', '.join(f'{each.metric} {each.value:.1%}' for each in measured)}")
        self.rollout.advance(actor="Anna", signed_off=signed)
        self._heed()
        active = sum(self.flags.resolve(name).mode is Mode.ACTIVE for name in NAMES)
        self.tell(f"advanced to {self.phase}: the pipeline is in charge of {active} of {len(NAMES)} restaurants")

    @property
    def phase(self) -> str | None:
        """Where the rollout stands."""
        return self.store.rollout().phase

    def tell(self, what: str) -> None:
        """A line of the story."""
        print(f"{self.clock.now():%a %d %b %H:%M}  {what}")


def tell_it(story: Story) -> None:
    """All of it."""
    story.enter("staging-shadow", "the first phase")
    story.go_on()
    story.go_on()
    assert story.phase == "production-shadow"

    print("\n-- A candidate with a bug: the shadow catches it, no guest has noticed\n")
    story.release("a careless one", engine=Careless())
    for _ in story.time:
        failing = [verdict for verdict in story.rollout.status().verdicts if verdict.answer == "fail"]
        if failing:
            break
    for verdict in failing:
        story.tell(f"gate FAILS: {verdict.metric} {verdict.value:.1%} of {verdict.sample}: {verdict.missing}")
    (bundle, *_) = story.store.bundles(limit=1)
    story.tell(f"kept to be run again: {bundle.verdict}, {bundle.kind}")
    story.roll_back("the candidate raises for large parties")
    story.release("the bug mended")
    story.enter("production-shadow", "mended, and a fresh count")
    story.go_on()
    assert story.phase == "production-10"

    print("\n-- A release at 10 % that seats nobody: it rolls itself back\n")
    story.release("a rule that forbids every table", strategies=[Strict()])
    for _ in story.time:
        if story.phase != "production-10":
            break
    assert story.phase == "production-shadow"
    story.release("without that rule")

    print("\n-- A clean run\n")
    for expected in ("production-10", "production-50", "production-100"):
        story.go_on()
        assert story.phase == expected
    for time in story.time:
        if not time.hour and is_due(story.rollout.status()):
            break


def main() -> None:
    """Tell the story, and say how it ended."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the rollout's page there")
    options = parser.parse_args()
    clock = FakeClock(dt.datetime(2031, 5, 5, tzinfo=dt.UTC))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "town.db")
        init(path, standalone=True)
        town = Town(clock)
        with SQLiteStore(path, host=town, clock=clock, synchronous="OFF") as store:
            for venue in VENUES:
                store.write(lambda connection, venue=venue: town.put_venue(connection, venue))
            story = Story(store, town, clock)
            tell_it(story)
            findings = find(story.rollout, store, dt.timedelta(days=21))
            story.coordinator.close()
    print("\n-- Before the old planner goes\n")
    for item in findings.cleanup:
        print(f"[{'x' if item.proved else ' '}] {item.text}{f' ({item.note})' if item.note else ''}")
    assert all(item.proved for item in findings.cleanup[:4]), findings.cleanup
    if options.report:
        options.report.write_text(page(findings), encoding="utf-8")


if __name__ == "__main__":
    main()
