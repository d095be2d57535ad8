"""From what was found to one page of HTML that needs nothing else."""

from __future__ import annotations

import datetime as dt
import importlib.resources
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from assignment_pipeline.domain.counts import Calls, Outcomes
from assignment_pipeline.domain.metrics import PIPELINE, Bucket
from assignment_pipeline.domain.reasons import sentence_of
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.errors import MissingExtraError
from assignment_pipeline.rollout.control import LADDER, Answer, Verdict
from assignment_pipeline.rollout.control.exposure import EXPOSURE
from assignment_pipeline.rollout.control.metrics import CONFIRMATION_RATE, METRICS, OF_DAYS
from assignment_pipeline.rollout.control.phases import OWN_DAYS, TIME_IN_PHASE
from assignment_pipeline.rollout.control.standing import SIGN_OFF
from assignment_pipeline.rollout.report.charts import Line, draw
from assignment_pipeline.rollout.report.findings import Findings
from assignment_pipeline.rollout.report.headlines import headlines
from assignment_pipeline.rollout.report.sequences import LEGEND, picture_of
from assignment_pipeline.rollout.watching import AlertState
from assignment_pipeline.version import installed_version

OURS, LEGACY, REVIEW, ERRORS = "#1a63c9", "#a05a00", "#6b4fa0", "#b3261e"
_SHADOW = {
    "match": "#0b7a4b",
    "equivalent": "#63b98f",
    "better": "#2f6fb5",
    "worse": "#d9822b",
    "legacy_error": "#a05a00",
    "pipeline_error": "#b3261e",
    "both_error": "#7d1a14",
    "timeout": "#6b4fa0",
    "dropped": "#8a94a0",
    "incomparable": "#c5cad1",
}
_SAID = {"better": "mismatch, the pipeline did better", "worse": "mismatch, legacy did better"}
_MOST_CHANGES = 50


def page(findings: Findings) -> str:
    """
    The report.

    Args:
        findings: What was found.

    Raises:
        MissingExtraError: Jinja or matplotlib is not installed.
    """
    try:
        import jinja2  # noqa: PLC0415 - an extra
        import markupsafe  # noqa: PLC0415 - comes with it
    except ModuleNotFoundError as error:
        raise MissingExtraError("report", error.name or "jinja2") from error

    text = importlib.resources.files(__package__ or "").joinpath("page.html").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters |= {"moment": _moment, "span": _span}
    pictures = {name: markupsafe.Markup(svg) if svg else None for name, svg in _pictures(findings).items()}  # noqa: S704 - drawn here
    facts = _facts(findings)
    return environment.from_string(text).render(report={**facts, **pictures})


def _facts(findings: Findings) -> dict[str, Any]:
    standing, metrics = findings.standing, findings.metrics
    return {
        "version": installed_version(),
        "now": standing.now,
        "window": (metrics.since, metrics.until),
        "title": standing.phase.title if standing.phase else "The rollout has not begun",
        "standing": _in_a_sentence(findings),
        "ladder": _ladder(findings),
        "gates": [_gate(verdict) for verdict in standing.verdicts],
        "courses": _courses(findings),
        "legend": LEGEND,
        "shadows": [
            {"title": title, "rows": rows}
            for title, found in (
                ("Shadow verdicts", metrics.agreement),
                ("Legacy in reverse shadow, where the pipeline is in charge", metrics.reverse),
            )
            if (rows := _shadow(attrs.asdict(found)))
        ],
        "headlines": headlines(metrics),
        "reviews": [
            {"name": sentence_of(code), "count": count}
            for code, count in sorted(metrics.reasons.items(), key=lambda item: (-item[1], item[0]))
        ],
        "waiting": metrics.backlog.review,
        "alerts": [
            {"sentence": alert.rule.says, "state": alert.state.value, "note": alert.sentence.partition(", ")[2]}
            for alert in findings.alerts
            if alert.state is not AlertState.INACTIVE
        ],
        "changes": [_change(revision) for revision in findings.history[:_MOST_CHANGES]],
        "cleanup": findings.cleanup,
    }


def _in_a_sentence(findings: Findings) -> str:
    standing = findings.standing
    if standing.overridden:
        return "The environment rolls it back."
    if standing.phase is None or standing.since is None:
        return "No phase has been entered."
    passing = sum(verdict.answer is Answer.PASS for verdict in standing.verdicts)
    since = f"Since {_moment(standing.since)}."
    if not standing.verdicts:
        return since
    return f"{since} {passing} of {len(standing.verdicts)} gates pass."


def _ladder(findings: Findings) -> list[dict[str, str]]:
    standing = findings.standing
    here = LADDER.rung(standing.phase)
    visited = {revision.phase: revision.created_at for revision in reversed(findings.history)}
    rungs = []
    for number, phase in enumerate(LADDER.phases):
        entered = visited.get(phase.name)
        place = "now" if number == here else "done" if entered and number < max(here, 0) else "ahead"
        note = f"since {entered.day} {entered:%b, %H:%M}" if entered else "not entered"
        rungs.append({"title": phase.name, "place": place, "note": note})
    if standing.phase is not None and here < 0:
        rungs.append({"title": standing.phase.name, "place": "now", "note": "off everywhere"})
    return rungs


def _gate(verdict: Verdict) -> dict[str, Any]:
    hours = verdict.metric == TIME_IN_PHASE
    unit = {TIME_IN_PHASE: "h", OWN_DAYS: "days"}.get(verdict.metric)
    known = METRICS.get(verdict.metric)
    sentence = known.good if known else verdict.metric.replace("_", " ")
    if hours:
        sentence = "The phase has lasted long enough"
    if verdict.metric == OWN_DAYS:
        sentence = "Service days were the pipeline's"
    if verdict.metric == EXPOSURE:
        sentence = "What ran is what the flags said, elsewhere"
    role = verdict.metric.partition(f"{SIGN_OFF}:")[2]
    if role:
        sentence = f"Signed off by {role.replace('-', ' ')}"
    if verdict.threshold is not None:
        sign = "at least" if verdict.direction == "at_least" else "at most"
        sentence += f": {sign} {_number(verdict.threshold, unit)}"
    bounded = verdict.low is not None and verdict.high is not None
    return {
        "sentence": sentence,
        "verdict": verdict.answer.value,
        "measured": "" if verdict.value is None else _number(verdict.value, unit),
        "bounds": f"{_number(verdict.low or 0.0)} to {_number(verdict.high or 0.0)}" if bounded else "",
        "scale": _scale(verdict) if bounded else None,
        "sample": "" if verdict.sample is None else f"{verdict.sample:,}",
        "missing": verdict.missing or "",
    }


def _courses(findings: Findings) -> list[dict[str, Any]]:
    """Each criterion of the phase over time, with what is at both ends of its axis."""
    standing = findings.standing
    samples = {verdict.metric: verdict.sample for verdict in standing.verdicts}
    found = []
    for criterion in standing.phase.criteria if standing.phase else ():
        picture = picture_of(criterion, findings.courses.get(criterion.metric, ()))
        if picture is not None:
            of_days = criterion.metric in OF_DAYS
            ends = (
                ("the first day", f"day {samples[criterion.metric]}") if of_days else (_moment(standing.since), "now")
            )
            found.append({"title": METRICS[criterion.metric].good, "picture": picture, "ends": ends})
    return found


def _scale(verdict: Verdict) -> dict[str, float]:
    """Places on a line, in percent: from 0 to 100 %, or around nothing where two shares are compared."""
    known = METRICS.get(verdict.metric)
    start = known.lowest if known else 0.0
    length = 1.0 - start
    given = {"low": verdict.low, "high": verdict.high, "value": verdict.value, "threshold": verdict.threshold}
    return {name: round(100 * ((value or 0.0) - start) / length, 2) for name, value in given.items()}


def _shadow(agreement: Mapping[str, int]) -> list[dict[str, Any]]:
    found = {**agreement, "worse": agreement["mismatch"] - agreement["better"]}
    counted = {name: found[name] for name in _SHADOW if found[name]}
    total = sum(counted.values())
    return [
        {
            "name": _SAID.get(name, name.replace("_", " ")),
            "count": f"{count:,}",
            "share": 100 * count / total,
            "colour": _SHADOW[name],
        }
        for name, count in counted.items()
    ]


def _change(revision: RolloutRevision) -> dict[str, Any]:
    return {
        "when": revision.created_at,
        "phase": revision.phase or "",
        "actor": revision.actor or "",
        "why": revision.reason or "",
        "forced": revision.forced,
    }


def _pictures(findings: Findings) -> dict[str, str | None]:
    series = findings.series
    span = findings.metrics.since, findings.metrics.until
    confirmed = [
        _line("pipeline", OURS, series, lambda bucket: _own(bucket).confirmation_rate),
        _line("legacy", LEGACY, series, lambda bucket: bucket.legacy.confirmation_rate),
    ]
    trouble = [
        _line("in review", REVIEW, series, lambda bucket: _own(bucket).review_rate),
        _line("errors", ERRORS, series, lambda bucket: bucket.calls.get(PIPELINE, Calls()).error_rate),
    ]
    phase = findings.standing.phase
    asked = [each.threshold for each in (phase.criteria if phase else ()) if each.metric == CONFIRMATION_RATE.name]
    return {
        "confirmed": draw([line for line in confirmed if line.last], span, 100 * asked[0] if asked else None),
        "trouble": draw([line for line in trouble if line.last], span, floor=0.0),
    }


def _own(bucket: Bucket) -> Outcomes:
    return bucket.outcomes.get(PIPELINE, Outcomes())


def _line(name: str, colour: str, series: Sequence[Bucket], rate: Any) -> Line:
    points = [(bucket.start, None if rate(bucket) is None else 100 * rate(bucket)) for bucket in series]
    return Line(name=name, colour=colour, points=points)


def _number(value: float, unit: str | None = None) -> str:
    return f"{100 * value:.1f} %" if unit is None else f"{value:,.1f} h" if unit == "h" else f"{value:,g} {unit}"


def _moment(moment: dt.datetime | None) -> str:
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC" if moment else ""


def _span(window: tuple[dt.datetime, dt.datetime]) -> str:
    hours = (window[1] - window[0]) / dt.timedelta(hours=1)
    return f"the last {hours:.0f} hours" if hours < 72 else f"the last {hours / 24:.0f} days"  # noqa: PLR2004 - three days
