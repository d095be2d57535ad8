"""What the shadow has found out about the planner that is to be replaced, in sentences."""

from __future__ import annotations

from assignment_pipeline.domain.counts import Agreement


def headlines(found: Agreement) -> tuple[str, ...]:
    """The sentences; none where there is nothing to say."""
    lines = []
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
    return tuple(lines)


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"
