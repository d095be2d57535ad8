"""
A dashboard for Grafana over the tables in PostgreSQL, built with Grafana's own SDK: the extra ``grafana``.

Each panel's query is a file, ``queries/postgres/panel_*.sql``, and the comment at its head is what the panel says of
itself. What gates and alerts go by is counted as they count it.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from assignment_pipeline.errors import MissingExtraError
from assignment_pipeline.rollout.control.metrics import (
    CONFIRMATION_RATE,
    ERROR_RATE,
    REVIEW_RATE,
    Metric,
)
from assignment_pipeline.rollout.control.phases import PHASES
from assignment_pipeline.rollout.queries import SCHEMA, postgres
from assignment_pipeline.rollout.queries.panels import panel as query
from assignment_pipeline.rollout.queries.panels import said
from assignment_pipeline.rollout.watching.rules import RULES

try:
    from grafana_foundation_sdk.builders import bargauge, common, stat, table, timeseries
    from grafana_foundation_sdk.builders import dashboard as builders
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.runtime import UnknownDataquery
    from grafana_foundation_sdk.cog.variants import Dataquery
    from grafana_foundation_sdk.models import dashboard as models
    from grafana_foundation_sdk.models.common import (
        BigValueGraphMode,
        GraphTresholdsStyleMode,
        LegendDisplayMode,
        LegendPlacement,
        TooltipDisplayMode,
        VisibilityMode,
    )
except ModuleNotFoundError as error:
    raise MissingExtraError("grafana", (error.name or "grafana_foundation_sdk").partition(".")[0]) from None

PLUGIN = "grafana-postgresql-datasource"
DATASOURCE = models.DataSourceRef(type_val=PLUGIN, uid="${datasource}")

GREEN, AMBER, RED = "green", "orange", "red"

Limits = Sequence[tuple[float | None, str]]
"""Colours, each from a value on; the first of them from nothing on."""


@attrs.frozen
class Shown:
    """
    A panel.

    Attributes:
        query: The file of its query, without ``panel_`` and ``.sql``.

        title: What stands above it.

        kind: Makes its builder.

        width: In columns, of 24.

        unit: Grafana's name of its unit.

        limits: Its thresholds.

        highest: Where its axis ends, if that is known.
    """

    query: str
    title: str
    kind: Callable[[], Any]
    width: int
    unit: str = "short"
    limits: Limits = ((None, GREEN),)
    highest: float | None = None


def _lines() -> timeseries.Panel:
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    tooltip = common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI)
    panel = timeseries.Panel().legend(legend.show_legend(show_legend=True)).tooltip(tooltip)
    return panel.show_points(VisibilityMode.AUTO).fill_opacity(10).min(0)


def _number() -> stat.Panel:
    last = common.ReduceDataOptions().calcs(["lastNotNull"])
    return stat.Panel().graph_mode(BigValueGraphMode.NONE).reduce_options(last)


def _bars() -> bargauge.Panel:
    return bargauge.Panel().reduce_options(common.ReduceDataOptions().values(values=True))


def _rows() -> table.Panel:
    return table.Panel().show_header(show_header=True)


_AGREES = 95.0  # Percent: what most rollouts come to. No gate looks at it.


def _bad(metric: Metric) -> float:
    """At what an operator wants to be woken, in percent: the bound of the metric's alert."""
    return next(100 * rule.threshold for rule in RULES if rule.metric == metric.name)


def _good(metric: Metric) -> float:
    """What the last gate that looks at the metric asks for, in percent."""
    criteria = [criterion for phase in PHASES.values() for criterion in phase.criteria]
    return next(100 * criterion.threshold for criterion in reversed(criteria) if criterion.metric == metric.name)


ROWS: Sequence[tuple[str, Sequence[Shown]]] = (
    (
        "Is all well?",
        (
            Shown(
                "confirmation_rate",
                "Booking confirmation rate",
                _lines,
                10,
                "percent",
                ((None, RED), (_bad(CONFIRMATION_RATE), AMBER), (_good(CONFIRMATION_RATE), GREEN)),
                100,
            ),
            Shown("review_queue", "Manual review queue", _number, 5),
            Shown(
                "error_rate", "Coordinator error rate", _lines, 9, "percent", ((None, GREEN), (_bad(ERROR_RATE), RED))
            ),
            Shown("latency", "Assignment latency", _lines, 10, "ms"),
            Shown("stuck", "Stuck bookings", _number, 5, limits=((None, GREEN), (1, RED))),
            Shown("volume", "Bookings and events", _lines, 9),
        ),
    ),
    (
        "Rollout",
        (
            Shown(
                "shadow_agreement",
                "Shadow agreement",
                _lines,
                8,
                "percent",
                ((None, RED), (_AGREES, GREEN)),
                100,
            ),
            Shown("shadow_verdicts", "Shadow verdicts", _lines, 8),
            Shown("rollout", "What the rollout did", _rows, 8),
            Shown("outcomes", "Outcomes by mode", _rows, 14),
            Shown("owners", "Bookings by owner", _rows, 10),
        ),
    ),
    (
        "Work",
        (
            Shown("contention", "Lock contention", _lines, 8),
            Shown("retries", "Retries", _lines, 8),
            Shown("strategies", "Strategies", _bars, 4),
            Shown("review_reasons", "Why a person was asked", _rows, 4),
        ),
    ),
)


def grafana(*, schema: str = SCHEMA, title: str = "Table assignment", uid: str = "assignment-pipeline") -> str:
    """
    The dashboard, as the JSON that Grafana imports.

    Its data source is one of its variables, and so are the restaurants.

    Args:
        schema: The schema that `assignment_pipeline.adapters.postgres.init` has made the tables in.

        title: The dashboard's name.

        uid: By what Grafana knows it, in 40 letters at most: one that is imported again under it is replaced.
    """
    board = (
        builders.Dashboard(title)
        .uid(uid)
        .tags(["assignment-pipeline"])
        .time("now-24h", "now")
        .refresh("1m")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .annotations([])
        .with_variable(builders.DatasourceVariable("datasource").label("Data source").type(PLUGIN))
        .with_variable(_restaurants(schema))
    )
    numbers = itertools.count(1)
    for heading, panels in ROWS:
        board = board.with_row(builders.Row(heading).id(next(numbers)))
        for shown in panels:
            board = board.with_panel(_panel(shown, schema).id(next(numbers)))
    return json.dumps(board.build(), cls=JSONEncoder, indent=2)


@attrs.frozen
class _Query(Builder[Dataquery]):
    """A query of the data source for PostgreSQL. The SDK has no class for it."""

    text: str
    format: str

    def build(self) -> Dataquery:
        return UnknownDataquery(
            {
                "refId": "A",
                "datasource": DATASOURCE,
                "editorMode": "code",
                "format": self.format,
                "rawQuery": True,
                "rawSql": self.text,
            }
        )


def _panel(shown: Shown, schema: str) -> Any:
    text = query(shown.query, schema=schema)
    panel = (
        shown.kind()
        .title(shown.title)
        .description(said(text))
        .datasource(DATASOURCE)
        .with_target(_Query(text, "time_series" if shown.kind is _lines else "table"))
        .unit(shown.unit)
        .thresholds(_thresholds(shown.limits))
        .height(8)
        .span(shown.width)
    )
    if shown.highest is not None:
        panel = panel.max(shown.highest)
    if shown.kind is _lines:
        panel = panel.interval("5m")  # No stretch is shorter: a rate of three bookings says nothing.
    if shown.kind is _lines and len(shown.limits) > 1:
        panel = panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphTresholdsStyleMode.DASHED))
    if shown.query == "review_queue":
        panel = panel.override_by_name(
            "share", _share((None, GREEN), (_good(REVIEW_RATE), AMBER), (_bad(REVIEW_RATE), RED))
        )
    return panel


def _thresholds(limits: Limits) -> builders.ThresholdsConfig:
    steps = [models.Threshold(value, colour) for value, colour in limits]
    return builders.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)


def _share(*limits: tuple[float | None, str]) -> list[models.DynamicConfigValue]:
    facts = {"unit": "percent", "decimals": 1, "thresholds": _thresholds(limits).build()}
    return [models.DynamicConfigValue(key, value) for key, value in facts.items()]


def _restaurants(schema: str) -> builders.QueryVariable:
    everywhere = "restaurant_id"  # "restaurant_id IN (restaurant_id)": Grafana puts it in as it stands.
    return (
        builders.QueryVariable("restaurant")
        .label("Restaurant")
        .datasource(DATASOURCE)
        .query(postgres("restaurants", schema=schema))
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(everywhere)
        .current(models.VariableOption(text=["All"], value=["$__all"]))
    )
