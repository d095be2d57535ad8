"""The numbers and the alerts in the words of Prometheus and Grafana. JSON is YAML, so that no package is needed."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from assignment_pipeline.domain.counts import OUTCOME_KINDS
from assignment_pipeline.domain.metrics import Metrics
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.rollout import queries
from assignment_pipeline.rollout.control.metrics import METRICS, Key, metric_named
from assignment_pipeline.rollout.control.verdicts import Verdict
from assignment_pipeline.rollout.queries import SCHEMA
from assignment_pipeline.rollout.watching.alerts import Alert, AlertState
from assignment_pipeline.rollout.watching.rules import FEW, RULES, AlertRule

PREFIX = "assignment_pipeline"

MEASURED_AT = "measured_at"
STALE = dt.timedelta(minutes=15)

FIRING = "alert_firing"
"""The gauge that says whether an alert fires."""

ELSEWHERE = "exposure_elsewhere"
"""The gauge that counts the bookings that went another way than the flags said."""

REVIEWS = "review_overdue"
"""The gauge that counts the reviews that nobody has looked at in time."""

_FIRING: dict[str, Any] = {
    "alert": "AlertFiring",
    "expr": f"{PREFIX}_{FIRING} == 1",
    "for": "0m",
    "labels": {"severity": "critical"},
    "annotations": {"summary": "An alert of the rollout fires: {{ $labels.alert }}.", "value": "{{ $value }}"},
}
_ELSEWHERE: dict[str, Any] = {
    "alert": "Unhealthy",
    "expr": f"{PREFIX}_{ELSEWHERE} > 0",
    "for": "0m",
    "labels": {"severity": "critical"},
    "annotations": {"summary": "Bookings went another way than the flags said.", "value": "{{ $value }}"},
}
_REVIEWS: dict[str, Any] = {
    "alert": "ReviewsOverdue",
    "expr": f"{PREFIX}_{REVIEWS} > 0",
    "for": "0m",
    "labels": {"severity": "warning"},
    "annotations": {"summary": "Bookings have waited for a person for too long.", "value": "{{ $value }}"},
}
# A command that fails leaves the last numbers where they are, and no other alert would fire then.
_MISSING = {
    "alert": "NumbersMissing",
    "expr": f"absent({PREFIX}_{MEASURED_AT}) or time() - {PREFIX}_{MEASURED_AT} > {STALE.total_seconds():.0f}",
    "for": "5m",
    "labels": {"severity": "critical"},
    "annotations": {"summary": "The numbers are missing or old: no other alert of the pipeline can fire."},
}

_OWN = '{owner="pipeline",mode="active"}'


@attrs.frozen
class Gauge:
    """
    A number for Prometheus.

    Attributes:
        name: Its name, without the prefix.

        says: What it is.

        samples: Its values, each with its labels.
    """

    name: str
    says: str
    samples: Sequence[tuple[dict[str, str], float]]


def windows(rules: Iterable[AlertRule] = RULES) -> frozenset[dt.timedelta]:
    """The times that rules look at: `prometheus_text` takes what was measured in each."""
    return frozenset(rule.over for rule in rules)


def prometheus_text(
    metrics: Metrics,
    measured: Mapping[dt.timedelta, Metrics],
    alerts: Iterable[Alert] = (),
    *,
    ran: Verdict | None = None,
    rules: Iterable[AlertRule] = RULES,
) -> str:
    """
    *metrics* in Prometheus' text format, such as for the node exporter's textfile collector.

    Rates of nothing are left out: no data is not 0. What a rule looks at has the rule's own window in its name, such as
    ``confirmation_rate_10m``, whatever window *metrics* have.

    Args:
        metrics: The numbers.

        measured: The same over each of `windows`.

        alerts: How the alerts stand, as `rollout watch` finds them: what no rule of Prometheus' can work out.

        ran: Whether what ran is what the flags said, as `exposure_lately` finds it.

        rules: What is bad.
    """
    lines = []
    states = [({"alert": each.rule.name}, float(each.state is AlertState.FIRING)) for each in alerts]
    firing = Gauge(FIRING, "Whether an alert fires, with its stated rate of false alarms.", states)
    wrong: list[tuple[dict[str, str], float]] = [] if ran is None else [({}, float(ran.numbers["elsewhere"]))]
    exposed = Gauge(ELSEWHERE, "Bookings that went another way than the flags said, in the last hour.", wrong)
    for gauge in (*_gauges(metrics), *_of_rules(measured, rules), firing, exposed):
        if gauge.samples:
            lines.append(f"# HELP {PREFIX}_{gauge.name} {gauge.says}")
            lines.append(f"# TYPE {PREFIX}_{gauge.name} gauge")
            lines += [f"{PREFIX}_{gauge.name}{_labels(labels)} {value:.13g}" for labels, value in gauge.samples]
    return "\n".join(lines) + "\n"


def _gauges(metrics: Metrics) -> Iterator[Gauge]:
    outcomes, calls = metrics.outcomes.items(), metrics.calls.items()
    backlog = metrics.backlog
    yield Gauge(
        "outcomes",
        "Assignments of the window by how they came out.",
        [
            ({**_who(group), "outcome": kind}, getattr(found, kind))
            for group, found in outcomes
            for kind in OUTCOME_KINDS
        ],
    )
    yield from _metrics(metrics)
    yield Gauge("lock_contention", "Calls turned away.", [(_who(group), found.contended) for group, found in calls])
    yield Gauge("retries", "Calls to be made again.", [(_who(group), found.retries) for group, found in calls])
    yield Gauge(
        "latency_seconds",
        "How long calls took: so many per cent of them took no longer.",
        [
            ({**_who(group), "percentile": percentile}, value / 1000)
            for group, took in metrics.latency.items()
            for percentile, value in (("50", took.p50), ("95", took.p95), ("99", took.p99))
        ],
    )
    yield Gauge("strategy", "What found tables.", [({"strategy": n}, k) for n, k in metrics.strategies.items()])
    per_booking = metrics.attempts_per_booking
    yield Gauge("attempts_per_booking", "Plannings a booking.", [] if per_booking is None else [({}, per_booking)])
    yield Gauge("review_queue", "Bookings that wait for a person now.", [({}, backlog.review)])
    yield Gauge(REVIEWS, "Bookings that have waited for a person for too long.", [({}, backlog.review_overdue)])
    yield Gauge("overdue", "Bookings that the sweep should have taken up.", [({}, backlog.overdue)])
    yield Gauge("events_lost", "Outcomes that no event tells of.", [({}, metrics.lost)])
    measured_at = metrics.until.timestamp()
    yield Gauge(MEASURED_AT, "When this was measured, in seconds since 1970.", [({}, round(measured_at, 3))])


def _metrics(metrics: Metrics) -> Iterator[Gauge]:
    """What gates and alerts go by, each with its sample beside it."""
    samples: dict[str, Gauge] = {}
    for metric in METRICS.values():
        found = [(_who(key), count) for key, count in metric.counts(metrics).items()]
        rates = [(labels, count.value) for labels, count in found]
        yield Gauge(metric.name, metric.summary, [(labels, rate) for labels, rate in rates if rate is not None])
        if metric.sample is not None:
            name, says = metric.sample
            samples.setdefault(name, Gauge(name, says, [(labels, count.sample) for labels, count in found]))
    yield from samples.values()


def _of_rules(measured: Mapping[dt.timedelta, Metrics], rules: Iterable[AlertRule]) -> Iterator[Gauge]:
    """What each rule compares, over the rule's own window."""
    made: dict[str, Gauge] = {}
    for rule in rules:
        metric, window = metric_named(rule.metric), _window(rule.over)
        found = [(_who(key), count) for key, count in metric.counts(measured[rule.over]).items()]
        rates = [(labels, count.value) for labels, count in found if count.value is not None]
        names = (f"{rule.metric}_{window}", f"{_sample(rule)}_{window}")
        made[names[0]] = Gauge(names[0], f"{metric.summary} Over {window}.", rates)
        made[names[1]] = Gauge(
            names[1], f"How many that is of, over {window}.", [(labels, count.sample) for labels, count in found]
        )
    yield from made.values()


def _who(key: Key) -> dict[str, str]:
    if key is None:
        return {}
    if isinstance(key, Mode):
        return {"mode": key.value}
    owner, mode = key
    return {"owner": owner.value, "mode": mode.value if mode else "unknown"}


def _labels(labels: dict[str, str]) -> str:
    quoted = ",".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in labels.items())
    return f"{{{quoted}}}" if quoted else ""


# -- Rules --------------------------------------------------------------------------------------------------------


def prometheus_rules(rules: Iterable[AlertRule] = RULES) -> str:
    """A rule file for Prometheus, on the numbers that `prometheus_text` writes."""
    made = [
        {
            "alert": _camel(rule.name),
            "expr": f"{_expression(rule)} and {PREFIX}_{_sample(rule)}_{_window(rule.over)}{_OWN} >= {FEW}",
            "for": f"{_minutes(rule.hold)}m",
            "labels": {"severity": "critical"},
            "annotations": {"summary": rule.says, "value": "{{ $value }}"},
        }
        for rule in rules
    ]
    return _json({"groups": [{"name": PREFIX, "rules": [*made, _FIRING, _ELSEWHERE, _REVIEWS, _MISSING]}]})


def grafana_rules(rules: Iterable[AlertRule] = RULES, *, schema: str = SCHEMA, datasource: str = "postgres") -> str:
    """
    A file for Grafana's provisioning of alerts, which asks PostgreSQL itself.

    Args:
        rules: What is bad.

        schema: The schema that the tables are in.

        datasource: The uid of Grafana's data source.
    """
    made = [_grafana(rule, schema, datasource) for rule in rules] + [_reviews(schema, datasource)]
    group = {"orgId": 1, "name": PREFIX, "folder": "Table assignment", "interval": "1m", "rules": made}
    return _json({"apiVersion": 1, "groups": [group]})


def _grafana(rule: AlertRule, schema: str, datasource: str) -> dict[str, Any]:
    # Below that many, the query answers nothing: no data is no alarm.
    return {
        "uid": f"{PREFIX}_{rule.name}"[:40],
        "title": _camel(rule.name),
        "condition": "B",
        "data": _asks(rule.metric, rule.over, (rule.bound.is_least, rule.threshold), schema, datasource),
        "for": f"{_minutes(rule.hold)}m",
        "noDataState": "OK",
        "execErrState": "Error",
        "labels": {"severity": "critical"},
        "annotations": {"summary": rule.says},
    }


def _reviews(schema: str, datasource: str) -> dict[str, Any]:
    """The alert on reviews that are overdue: any is too many, and no rate has a say in it."""
    return {
        "uid": f"{PREFIX}_{REVIEWS}",
        "title": _REVIEWS["alert"],
        "condition": "B",
        "data": _asks(REVIEWS, dt.timedelta(minutes=1), (False, 0), schema, datasource),
        "for": "0m",
        "noDataState": "OK",
        "execErrState": "Error",
        "labels": _REVIEWS["labels"],
        "annotations": {"summary": _REVIEWS["annotations"]["summary"]},
    }


def _asks(
    metric: str, over: dt.timedelta, bound: tuple[bool, float], schema: str, datasource: str
) -> list[dict[str, Any]]:
    """The query of an alert, and what it is compared with: bad below the bound, or above it."""
    window = {"from": _minutes(over) * 60, "to": 0}
    is_least, threshold = bound
    query = {
        "refId": "A",
        "datasourceUid": datasource,
        "relativeTimeRange": window,
        "model": {
            "refId": "A",
            "format": "table",
            "rawQuery": True,
            "editorMode": "code",
            "rawSql": queries.rule(metric, over=over, schema=schema),
        },
    }
    condition = {
        "refId": "B",
        "datasourceUid": "__expr__",
        "relativeTimeRange": window,
        "model": {
            "refId": "B",
            "type": "threshold",
            "expression": "A",
            "conditions": [{"evaluator": {"type": "lt" if is_least else "gt", "params": [threshold]}}],
        },
    }
    return [query, condition]


def _expression(rule: AlertRule) -> str:
    compare = "<" if rule.bound.is_least else ">"
    return f"{PREFIX}_{rule.metric}_{_window(rule.over)}{_OWN} {compare} {rule.threshold:g}"


def _window(over: dt.timedelta) -> str:
    """A window as a part of a metric's name."""
    minutes = _minutes(over)
    return f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}m"


def _sample(rule: AlertRule) -> str:
    sample = metric_named(rule.metric).sample
    assert sample is not None  # noqa: S101 - so it is with all that an alert looks at
    return sample[0]


def _minutes(span: dt.timedelta) -> int:
    return span // dt.timedelta(minutes=1)


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def _json(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
