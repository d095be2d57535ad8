"""Outcomes of many evenings in one line each, and those lines as tables."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence

import attrs

from benchmarks.evenings.generator import Size
from benchmarks.evenings.measure import ACCOMMODATING, ALL, Outcome
from benchmarks.evenings.replay import CONTENDERS

BASELINE = "best-fit"
NOTHING = "\N{EN DASH}"

STUDENT = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
"""Student's t for 95 %, by degrees of freedom from 1; past the last the normal distribution is near enough."""


@attrs.frozen
class Estimate:
    """
    A mean over evenings.

    Attributes:
        mean: The mean.

        margin: Half the width of its 95 % confidence interval (Student's t); not a number for one evening.
    """

    mean: float
    margin: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Estimate:
        """The mean of *values*, which are independent of each other."""
        free = len(values) - 1
        if not free:
            return cls(values[0], math.nan)
        quantile = STUDENT[free - 1] if free <= len(STUDENT) else 1.96
        return cls(statistics.fmean(values), quantile * statistics.stdev(values) / math.sqrt(len(values)))


@attrs.frozen(kw_only=True)
class Line:
    """
    What one contender made of all evenings of a size.

    Attributes:
        evenings: How many there were.

        share: Covers as a share of the bound.

        lead: By how much that is more than plain best fit's of the same evening; None if that was not measured.

        refused: Refusals an evening.

        avoidable: Those that could have been avoided, in all evenings; None if nobody looked.

        unsure: Those of which that was not found out; None if nobody looked.

        moves_per_saved: Moves for each booking that was seated by moving others; None if none was.

        p50, p99: Seconds for a decision.

        snapshot: The median of the seconds in which a snapshot was built.
    """

    mix: str
    size: str
    requests: str
    contender: str
    evenings: int
    share: Estimate
    lead: Estimate | None
    refused: float
    avoidable: int | None
    unsure: int | None
    moves_per_saved: float | None
    p50: float
    p99: float
    snapshot: float


def summarise(outcomes: Iterable[Outcome]) -> list[Line]:
    """A line for each mix, size, kind of replay and contender, in that order."""
    groups: dict[tuple[str, str, str, str], list[Outcome]] = {}
    shares: dict[tuple[str, str, str, str, int], float] = {}
    for outcome in outcomes:
        key = (outcome.mix, outcome.size, outcome.requests, outcome.contender)
        groups.setdefault(key, []).append(outcome)
        shares[*key, outcome.seed] = outcome.share
    return [_line(groups[key], shares) for key in sorted(groups, key=_place)]


def _place(key: tuple[str, str, str, str]) -> tuple[object, ...]:
    mix, size, requests, contender = key
    parsed = Size.parse(size)
    return (mix, [ALL, ACCOMMODATING].index(requests), parsed.tables, parsed.bookings, [*CONTENDERS].index(contender))


def _line(group: list[Outcome], shares: dict[tuple[str, str, str, str, int], float]) -> Line:
    first = group[0]
    key = (first.mix, first.size, first.requests)
    pairs = [(one.share, shares.get((*key, BASELINE, one.seed))) for one in group]
    leads = [share - base for share, base in pairs if base is not None]
    planning = sorted(seconds for one in group for seconds in one.planning)
    looked = [(one.avoidable, one.unsure) for one in group if one.avoidable is not None and one.unsure is not None]
    saved = sum(one.saved for one in group)
    return Line(
        mix=first.mix,
        size=first.size,
        requests=first.requests,
        contender=first.contender,
        evenings=len(group),
        share=Estimate.of([one.share for one in group]),
        lead=Estimate.of(leads) if len(leads) == len(group) and first.contender != BASELINE else None,
        refused=statistics.fmean(one.refused for one in group),
        avoidable=sum(found for found, _ in looked) if len(looked) == len(group) else None,
        unsure=sum(unsure for _, unsure in looked) if len(looked) == len(group) else None,
        moves_per_saved=sum(one.moves for one in group) / saved if saved else None,
        p50=_quantile(planning, 0.5),
        p99=_quantile(planning, 0.99),
        snapshot=statistics.median(seconds for one in group for seconds in one.snapshots),
    )


def _quantile(ordered: Sequence[float], share: float) -> float:
    """The least of *ordered* that a *share* of them does not exceed."""
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


HEADER = (
    "tables x bookings",
    "evenings",
    "planner",
    "share of the bound",
    "over plain best fit",
    "refused an evening",
    "of these avoidable",
    "moves a saved booking",
    "p50",
    "p99",
    "snapshot",
)


def cells(line: Line) -> tuple[str, ...]:
    """The line as text, by the columns of `HEADER`."""
    if line.avoidable is None:
        avoidable = NOTHING
    else:
        # Of all evenings together: one avoidable refusal in thirty evenings must not round to none.
        avoidable = f"{line.avoidable} of {round(line.refused * line.evenings)}"
        avoidable += f", {line.unsure} open" if line.unsure else ""
    return (
        line.size,
        str(line.evenings),
        CONTENDERS[line.contender].label,
        f"{line.share.mean:.1%}".replace("%", " %"),
        NOTHING if line.lead is None else _points(line.lead),
        f"{line.refused:.1f}",
        avoidable,
        NOTHING if line.moves_per_saved is None else f"{line.moves_per_saved:.2f}",
        *(f"{seconds * 1e3:.2f} ms" for seconds in (line.p50, line.p99, line.snapshot)),
    )


def _points(lead: Estimate) -> str:
    margin = "" if math.isnan(lead.margin) else f" ± {100 * lead.margin:.1f}"
    return f"{100 * lead.mean:+.1f}{margin}"


def plain(lines: Sequence[Line]) -> str:
    """The lines for a terminal: a table for each mix and kind of replay."""
    return "\n\n".join(f"{title}\n{_aligned(rows)}" for title, rows in _tables(lines))


def markdown(lines: Sequence[Line]) -> str:
    """The same in Markdown."""
    parts = []
    for title, rows in _tables(lines):
        table = [f"| {' | '.join(row)} |" for row in rows]
        table.insert(1, "|" + "---|" * len(HEADER))
        parts.append(f"**{title}**\n\n" + "\n".join(table))
    return "\n\n".join(parts)


def _tables(lines: Sequence[Line]) -> list[tuple[str, list[tuple[str, ...]]]]:
    found: dict[str, list[tuple[str, ...]]] = {}
    for line in lines:
        rows = found.setdefault(f"{line.mix}, {line.requests} requests", [HEADER])
        rows.append(cells(line))
    return list(found.items())


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
