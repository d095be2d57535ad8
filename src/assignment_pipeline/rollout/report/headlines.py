"""What the shadow has found out about the planner that is to be replaced, in sentences."""

from __future__ import annotations

from assignment_pipeline.domain.metrics import Metrics


def headlines(metrics: Metrics) -> tuple[str, ...]:
    """The sentences; none where there is nothing to say."""
    found, lines = metrics.agreement, []
    if found.double_seated:
        lines.append(f"Your planner gave tables away twice, {_times(found.double_seated)}.")
    if found.unreadable:
        answers = f"{found.unreadable:,} of {found.comparable + found.incomparable:,} answers"
        lines.append(
            f"The shadow could not read {answers} of your planner: expected a LegacyResult with tables of the floor."
            " `shadow list --verdict incomparable` has the first ones."
        )
    others = found.incomparable - found.unreadable - found.double_seated
    if others:
        lines.append(f"Not compared: {_times(others)}, because the floor or the booking had changed in between.")
    other = metrics.reverse
    if other.comparable:
        better = other.better and f" Of these, the pipeline did better in {other.better:,}."
        lines.append(
            f"Legacy in reverse shadow would have done otherwise for {other.mismatch:,} of {other.comparable:,}"
            f" bookings of the pipeline's.{better or ''}"
        )
    if other.unreadable or other.legacy_error or other.timeout:
        lines.append(
            f"Legacy's dry run could not be compared {_times(other.unreadable + other.legacy_error + other.timeout)}:"
            " it raised, was too slow, or answered no LegacyResult with tables of the floor."
        )
    return tuple(lines)


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"
