"""
Traces and metrics of assignments, with OpenTelemetry.

Comes with the extra ``otel``, which is the API only. What is done with them is up to the SDK that the application sets
up; without one, nothing is.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence

from assignment_pipeline.domain.reasons import FAULTS
from assignment_pipeline.domain.result import AssignmentResult
from assignment_pipeline.errors import AssignmentPipelineError, MissingExtraError
from assignment_pipeline.version import installed_version

try:
    from opentelemetry import metrics, trace
except ModuleNotFoundError as error:
    raise MissingExtraError("otel", error.name or "opentelemetry") from None

__all__ = ["OpenTelemetry"]

NAME = "assignment_pipeline"
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class OpenTelemetry:
    """
    An `Observer` that makes spans and metrics: ``Coordinator(store, observer=OpenTelemetry())``.

    A call is a span, a child of the caller's current one; its steps are spans in it, and current while they run, so
    that a driver's own spans are inside of them. Nothing in them says what a guest is called or has said.

    Args:
        tracer_provider: Where spans go; the global provider unless told otherwise.

        meter_provider: Where metrics go; the same.
    """

    def __init__(
        self,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
    ) -> None:
        version = installed_version()
        self._tracer = trace.get_tracer(NAME, version, tracer_provider)
        meter = metrics.get_meter(NAME, version, meter_provider)
        self._outcomes = meter.create_counter(
            f"{NAME}.outcomes", unit="{booking}", description="Bookings, by how calls about them came out."
        )
        self._duration = meter.create_histogram(
            f"{NAME}.duration",
            unit="s",
            description="How long calls took.",
            explicit_bucket_boundaries_advisory=BUCKETS,
        )

    @contextlib.contextmanager
    def call(self, name: str) -> Iterator[_Watch]:
        began = time.perf_counter()
        with self._span(name) as span:
            watch = _Watch(self, span)
            try:
                yield watch
            except BaseException as error:
                watch.facts["error.type"] = _type_of(error)
                raise
            finally:
                self._tell(name, watch, time.perf_counter() - began)

    @contextlib.contextmanager
    def _span(self, name: str) -> Iterator[trace.Span]:
        # What errors say may be about a guest: their kind has to do.
        with self._tracer.start_as_current_span(
            f"{NAME}.{name}", record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield span
            except BaseException as error:
                span.set_attribute("error.type", _type_of(error))
                span.set_status(trace.StatusCode.ERROR)
                raise

    def _tell(self, name: str, watch: _Watch, took: float) -> None:
        facts = {"assignment.call": name, **watch.facts}
        self._duration.record(took, facts)
        for result in watch.results:
            of_result = {"assignment.call": name, "assignment.outcome": result.outcome.value}
            if result.reason is not None:
                of_result["assignment.reason"] = result.reason.value
            if result.mode is not None:
                of_result["assignment.mode"] = result.mode.value
            self._outcomes.add(1, of_result)


class _Watch:
    """A call's span and metrics. Nothing in them names a booking or a restaurant."""

    def __init__(self, telemetry: OpenTelemetry, span: trace.Span) -> None:
        self.facts: dict[str, str] = {}
        self.results: Sequence[AssignmentResult] = ()
        self._span = span
        self._telemetry = telemetry

    def step(self, name: str) -> contextlib.AbstractContextManager[trace.Span]:
        return self._telemetry._span(name)  # noqa: SLF001 - they are one

    def note(self, **facts: str) -> None:
        self._span.set_attributes({f"assignment.{name}": value for name, value in facts.items()})
        if "mode" in facts:
            self.facts["assignment.mode"] = facts["mode"]

    def came_to(self, results: Sequence[AssignmentResult]) -> None:
        self.results = results
        if len(results) != 1:
            return
        [result] = results
        self.facts["assignment.outcome"] = result.outcome.value
        self._span.set_attributes(
            {
                "assignment.booking_id": result.booking_id,
                "assignment.outcome": result.outcome.value,
                "assignment.attempts": result.attempts,
                "assignment.moved": len(result.moved),
            }
        )
        if result.reason is not None:
            self._span.set_attribute("assignment.reason", result.reason.value)
        if result.record is not None and result.record.strategy is not None:
            self._span.set_attribute("assignment.strategy", result.record.strategy)
        if result.reason in FAULTS:
            self.facts["error.type"] = result.reason.value
            self._span.set_attribute("error.type", result.reason.value)
            self._span.set_status(trace.StatusCode.ERROR)


def _type_of(error: BaseException) -> str:
    return error.code if isinstance(error, AssignmentPipelineError) else type(error).__qualname__
