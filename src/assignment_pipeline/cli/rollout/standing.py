"""How a rollout looks in a terminal, and for programs."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from assignment_pipeline.cli import words
from assignment_pipeline.cli.output import bare_table, complain, stdout
from assignment_pipeline.cli.rollout.steering import Steering, up_to_date
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.errors import FlagError
from assignment_pipeline.rollout.control import LADDER, Answer, Standing, Verdict
from assignment_pipeline.rollout.control.exposure import Part
from assignment_pipeline.rollout.control.phases import OWN_DAYS, TIME_IN_PHASE
from assignment_pipeline.rollout.control.standing import left_phases
from assignment_pipeline.rollout.control.traffic import restaurants_of
from assignment_pipeline.rollout.flags.document import read_settings, settings_document
from assignment_pipeline.rollout.report import Item

_COLOURS = {Answer.PASS: "green", Answer.HOLD: "yellow", Answer.FAIL: "bold red", Answer.UNHEALTHY: "bold red"}
_MARKS = {True: ("✓", "●", "○", "≥", "≤"), False: ("x", ">", ".", ">=", "<=")}

_MANY = 10_000

Cohort = Mapping[str, int]


def cohort_of(steering: Steering) -> Cohort | None:
    """How many of the restaurants that are known are active, in shadow and off; None if that cannot be told."""
    try:
        flags = up_to_date(steering.flags)
    except FlagError:
        return None
    found = Counter(flags.resolve(name).mode for name in restaurants_of(steering.rollout.store))
    return {mode.value: found[mode] for mode in (Mode.ACTIVE, Mode.SHADOW, Mode.OFF)}


# -- For programs -------------------------------------------------------------------------------------------------


def document(standing: Standing, cohort: Cohort | None = None) -> dict[str, Any]:
    """Where the rollout stands, as JSON."""
    found: dict[str, Any] = {
        "phase": standing.revision.phase,
        "since": _iso(standing.since),
        "attempt": standing.attempt,
        "next": standing.next.name if standing.next else None,
        "passes": standing.passes,
        "unhealthy": list(standing.unhealthy),
        "cohorts": [_part(part) for part in standing.parts],
        "passes_at": _iso(standing.passes_at),
        "blocking": list(standing.blocking),
        "overridden": standing.overridden,
        "verdicts": [verdict.document() for verdict in standing.verdicts],
        "revision": revision_document(standing.revision),
    }
    return found if cohort is None else {**found, "restaurants": dict(cohort)}


def _part(part: Part) -> dict[str, Any]:
    stretch, came = part.stretch, part.outcomes
    return {
        "since": _iso(stretch.since),
        "until": _iso(stretch.until),
        "generation": stretch.revision.generation,
        "actor": stretch.revision.actor,
        "reason": stretch.revision.reason,
        "settings": settings_document(stretch.settings),
        "confirmed": came.confirmed,
        "sample": came.sample,
    }


def revision_document(revision: RolloutRevision) -> dict[str, Any]:
    """A revision, as JSON."""
    return {
        "generation": revision.generation,
        "phase": revision.phase,
        "settings": dict(revision.settings),
        "actor": revision.actor,
        "reason": revision.reason,
        "forced": revision.forced,
        "evidence": dict(revision.evidence),
        "created_at": _iso(revision.created_at),
    }


def _iso(moment: dt.datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None


# -- For people ---------------------------------------------------------------------------------------------------


def show(standing: Standing, cohort: Cohort | None, steering: Steering) -> None:
    """The whole view: the ladder, the phase, whom it covers, its criteria, and what comes next."""
    console = stdout()
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(ratio=1)
    for name, value in _facts(standing, cohort):
        facts.add_row(name, value)
    console.print(facts)
    console.print()
    left = left_phases(steering.rollout.history(_MANY))
    for line in _ladder(standing, left, unicode=_knows_marks(console.encoding)):
        console.print(line)
    if standing.verdicts:
        console.print()
        console.print(_criteria(standing, unicode=_knows_marks(console.encoding)))
    console.print()
    console.print(_outlook(standing))
    warn(steering)


def show_cleanup(items: Sequence[Item]) -> None:
    """The checklist before the old planner goes: what the numbers prove is ticked."""
    if not items:
        return
    console = stdout()
    console.print("\nBefore the old planner goes:")
    for item in items:
        mark = "x" if item.proved else " "
        note = f" ({item.note})" if item.note else ""
        console.print(Text(f"  [{mark}] {item.text}{note}"), soft_wrap=True)


def show_check(standing: Standing) -> None:
    """What each criterion says, and what follows."""
    console = stdout()
    if standing.verdicts:
        console.print(_criteria(standing, unicode=_knows_marks(console.encoding)))
        console.print()
    console.print(_outlook(standing))


def show_change(revision: RolloutRevision) -> None:
    """One line for a change."""
    forced = ", by force" if revision.forced else ""
    where = f"in {revision.phase or 'no phase'} now{forced}"
    said = f"The rollout is {where}: generation {revision.generation}, by {revision.actor}."
    stdout().print(said, soft_wrap=True)


def show_lists(revision: RolloutRevision) -> None:
    """A line for each list that names restaurants."""
    settings = read_settings(revision.settings)
    named = (
        ("Always in", settings.restaurants),
        ("Always off", settings.exclude),
        ("In shadow", settings.shadow_restaurants),
    )
    for what, ids in named:
        if ids:
            stdout().print(Text(f"{what}: {', '.join(sorted(ids))}"), soft_wrap=True)


def show_history(revisions: Sequence[RolloutRevision]) -> None:
    """A line for each change."""
    console = stdout()
    if not revisions:
        console.print("Nothing has been changed yet.")
        return
    table = bare_table()
    table.add_column("No.", justify="right")
    table.add_column("When", no_wrap=True)
    table.add_column("Phase", no_wrap=True)
    table.add_column("By", overflow="fold")
    table.add_column("Why", ratio=1, overflow="fold")
    for revision in revisions:
        forced = "by force: " if revision.forced else ""
        table.add_row(
            str(revision.generation),
            _when(revision.created_at),
            revision.phase or "",
            revision.actor or "",
            f"{forced}{revision.reason or ''}",
        )
    console.print(table)


def warn(steering: Steering) -> None:
    """On stderr: where nobody follows the rollout."""
    if not steering.followed:
        complain("Nobody follows it: the application's flags do not come from the database (StoreFlags).")


def _facts(standing: Standing, cohort: Cohort | None) -> list[tuple[str, str]]:
    revision = standing.revision
    if standing.phase is None:
        facts = [("Phase", "none yet")]
    else:
        facts = [("Phase", f"{standing.phase.name}: {standing.phase.title}")]
    if standing.since is not None:
        again = f", for the {_ordinal(standing.attempt)} time" if standing.attempt > 1 else ""
        facts.append(("Since", f"{_when(standing.since)}, for {words.age(standing.now - standing.since)}{again}"))
    if revision.actor is not None:
        why = f": {revision.reason}" if revision.reason else ""
        facts.append(("Changed", f"by {revision.actor}{', by force' if revision.forced else ''}{why}"))
    if cohort is not None:
        counts = f"{cohort['active']:,} active, {cohort['shadow']:,} in shadow, {cohort['off']:,} off"
        facts.append(("Restaurants", f"{counts}, of those known here"))
    facts += [("Cohort", _changed(part)) for part in standing.parts]
    if standing.overridden:
        facts.append(("Environment", "rolls it back: everything is off"))
    return facts


def _changed(part: Part) -> str:
    revision, came = part.stretch.revision, part.outcomes
    rate = "" if came.confirmation_rate is None else f", {came.confirmation_rate:.1%} of {came.sample:,} confirmed"
    why = f": {revision.reason}" if revision.reason else ""
    return f"as of {_when(part.stretch.since)}, by {revision.actor}{why}{rate}"


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number % 100 not in {11, 12, 13} else 0, "th")
    return f"{number}{ending}"


def _ladder(standing: Standing, left: Mapping[str | None, bool], *, unicode: bool) -> list[Text]:
    done, here, ahead, *_ = _MARKS[unicode]
    rung = LADDER.rung(standing.phase)
    lines = []
    for number, phase in enumerate(LADDER.phases):
        if number == rung:
            lines.append(Text(f"  {here} {phase.name}", style="bold"))
        else:
            passed = left.get(phase.name)
            note = "" if passed is not False or number > rung >= 0 else ", not passed"
            lines.append(Text(f"  {done if passed else ahead} {phase.name}{note}", style="dim"))
    if standing.phase is not None and rung < 0:
        lines.append(Text(f"  {here} {standing.phase.name}", style="bold red"))
    return lines


def _criteria(standing: Standing, *, unicode: bool) -> Table:
    table = bare_table()
    table.add_column("Criterion", no_wrap=True)
    for name in ("Value", "Asked", "Of", "95 % within"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("Says", ratio=1, overflow="fold")
    for verdict in standing.verdicts:
        says = Text(verdict.answer.value, style=_COLOURS[verdict.answer])
        if verdict.missing:
            says.append(f" {verdict.missing}", style="not bold")
        table.add_row(
            verdict.metric.replace("sign_off:", "sign-off: ").replace("_", " "),
            _value(verdict, verdict.value),
            _asked(verdict, unicode=unicode),
            "" if verdict.sample is None else f"{verdict.sample:,}",
            _bounds(verdict),
            says,
        )
    return table


def _value(verdict: Verdict, value: float | None) -> str:
    if value is None:
        return ""
    if verdict.metric == TIME_IN_PHASE:
        return f"{value:.1f} h"
    if verdict.metric == OWN_DAYS:
        return f"{value:g} days"
    return f"{100 * value:.1f} %"


def _asked(verdict: Verdict, *, unicode: bool) -> str:
    if verdict.threshold is None:
        return ""
    *_, least, most = _MARKS[unicode]
    return f"{least if verdict.direction == 'at_least' else most} {_value(verdict, verdict.threshold)}"


def _bounds(verdict: Verdict) -> str:
    if verdict.low is None or verdict.high is None:
        return ""
    return f"{100 * verdict.low:.1f} to {100 * verdict.high:.1f} %"


def _outlook(standing: Standing) -> str:
    if standing.overridden:
        return "The environment rolls it back: it can only go on once that is taken away."
    if standing.phase is None:
        return f"Nothing has begun. Enter a phase: rollout enter {LADDER.phases[0].name}."
    if standing.phase.name not in {phase.name for phase in LADDER.phases}:
        return "It was rolled back. It stays so until a phase is entered again."
    if standing.next is None:
        return "It is the last phase." + ("" if standing.blocking else " All that it asks for holds.")
    if standing.passes:
        return f"All that it asks for holds: rollout advance goes on to {standing.next.name}."
    answers = {verdict.answer for verdict in standing.verdicts}
    when = ""
    if Answer.UNHEALTHY in answers:
        when = ": it is UNHEALTHY, and its numbers cannot be trusted until that is mended"
    elif Answer.FAIL not in answers:
        when = f", at the earliest at {_when(standing.passes_at)}" if standing.passes_at else ""
        when += f"; nothing tells yet when {' and '.join(standing.untold)} can pass" if standing.untold else ""
    return f"It may not go on to {standing.next.name} yet{when}."


def _when(moment: dt.datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else ""


def _knows_marks(encoding: str) -> bool:
    return encoding.startswith("utf")
