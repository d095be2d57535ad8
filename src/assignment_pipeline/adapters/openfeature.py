"""
Feature flags by way of OpenFeature, both ways: asking any provider of theirs, and being one.

Comes with the extra ``openfeature``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from assignment_pipeline.domain.checks import whole
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.errors import FlagError, FlagsUnreadError, MissingExtraError
from assignment_pipeline.ports import FlagDecision, FlagResolver
from assignment_pipeline.redaction import redacted

try:
    from openfeature.client import OpenFeatureClient
    from openfeature.evaluation_context import EvaluationContext
    from openfeature.exception import (
        ErrorCode,
        FlagNotFoundError,
        ProviderNotReadyError,
        TargetingKeyMissingError,
        TypeMismatchError,
    )
    from openfeature.flag_evaluation import FlagResolutionDetails, Reason
    from openfeature.provider import AbstractProvider, Metadata, ProviderStatus
    from openfeature.provider.no_op_provider import NoOpProvider
except ModuleNotFoundError as error:
    raise MissingExtraError("openfeature", error.name or "openfeature-sdk") from None

log = logging.getLogger(__name__)

FLAG = "assignment-pipeline-v3"
"""The key of the flag, unless told otherwise."""

SOURCE = "openfeature"

MODES = ", ".join(Mode)
MOST_PARALLEL = 20
_OBJECT = "an object with mode and, if wanted, max_parallel"
_LOOK = 0.005  # Seconds between two looks whether the provider is ready.

KEPT = 10_000
"""Restaurants whose last good value is kept."""

_DISABLED, _FIXED, _PERCENT = "disabled", "fixed", "percent"
_REASONS = {_DISABLED: Reason.DISABLED, _FIXED: Reason.STATIC, _PERCENT: Reason.SPLIT}


@attrs.frozen(eq=False)
class OpenFeatureFlags:
    """
    A `FlagResolver` that asks an OpenFeature client: the restaurant is the targeting key.

    Its provider has to answer from memory, as most do: flags are asked on the way of every booking. A value that cannot
    be read, or an error of the provider's, leaves the last good value of that restaurant. Its decisions have no
    generation: what was decided before a flag was turned may still be committed after it.

    Flags that were not read yet say nothing: they are not off. While the provider is not ready, the first callers wait
    for it, at most *first_answer* seconds. Before the first good value of a restaurant, an error is `FlagsUnreadError`;
    only a flag that the provider does not have is off.

    Attributes:
        client: Whom to ask, such as ``openfeature.api.get_client()``.

        flag: The key of the flag. Its value is a text, ``active``, ``shadow`` or ``off``; or with *as_object* an object
            with such a ``mode`` and, if wanted, ``max_parallel``.

        as_object: Which of the two it is.

        max_parallel: Assignments at one time at a restaurant, where the flag does not say; from 1 to 20.

        on_error: Told once of each value that cannot be read, and of each kind of error; by default it is logged.

        first_answer: Seconds for which callers wait until the provider is ready, in all.
    """

    client: OpenFeatureClient
    flag: str = FLAG
    as_object: bool = False
    max_parallel: int = attrs.field(default=3, validator=whole(1, MOST_PARALLEL))
    on_error: Callable[[FlagError], None] | None = None
    first_answer: float = 2.0
    _patience: dict[int, float] = attrs.field(factory=dict, init=False, repr=False)
    _last: dict[str, FlagDecision] = attrs.field(factory=dict, init=False, repr=False)
    _told: set[tuple[str, str]] = attrs.field(factory=set, init=False, repr=False)

    @property
    def unread(self) -> bool:
        """Whether there is no provider, or one that is not ready, so that a question may wait for it."""
        none = isinstance(self.client.provider, NoOpProvider)
        return none or self.client.get_provider_status() is ProviderStatus.NOT_READY

    def resolve(self, restaurant_id: str) -> FlagDecision:
        """
        What the flag says about a restaurant, now.

        Raises:
            FlagsUnreadError: Nothing was ever read of that restaurant, and the provider does not answer.
        """
        last = self._last.get(restaurant_id)
        if last is None and self.unread:
            self._wait()
        context = EvaluationContext(targeting_key=restaurant_id, attributes={"restaurant_id": restaurant_id})
        if self.as_object:
            details: Any = self.client.get_object_details(self.flag, {"mode": Mode.OFF.value}, context)
        else:
            details = self.client.get_string_details(self.flag, Mode.OFF.value, context)
        try:
            decision = self._read(details, last)
        except FlagError as error:
            self._tell(error)
            if last is not None:
                return last
            if details.error_code is ErrorCode.FLAG_NOT_FOUND:
                return self._decision(Mode.OFF, self.max_parallel, "error")
            raise FlagsUnreadError(f"{error.variable}: {error.got}") from None
        if len(self._last) >= KEPT and restaurant_id not in self._last:
            self._last.clear()
        self._last[restaurant_id] = decision
        return decision

    def _wait(self) -> None:
        """Wait until the provider is ready: all callers until one moment for each provider, and not again after it."""
        while self.unread:
            provider = id(self.client.provider)
            if provider not in self._patience:
                self._patience.clear()
            if time.monotonic() >= self._patience.setdefault(provider, time.monotonic() + self.first_answer):
                return
            time.sleep(_LOOK)

    def _read(self, details: Any, last: FlagDecision | None) -> FlagDecision:
        if details.error_code is None and isinstance(self.client.provider, NoOpProvider):
            raise FlagError(self.flag, "no provider is set", "an answer of the provider")
        if details.error_code is not None:
            got = f"{details.error_code.value}: {details.error_message or 'no message'}"
            raise FlagError(self.flag, got, "an answer of the provider")
        value = details.value if self.as_object else {"mode": details.value}
        if not isinstance(value, Mapping) or "mode" not in value:
            raise FlagError(self.flag, repr(value), _OBJECT)
        try:
            mode = Mode(value["mode"])
        except ValueError:
            raise FlagError(self.flag, repr(value["mode"]), f"one of {MODES}") from None
        if not set(value) <= {"mode", "max_parallel"}:  # The mode counts all the same: it may be a rollback.
            self._tell(FlagError(self.flag, repr(value), _OBJECT))
        limit = value.get("max_parallel", self.max_parallel)
        if isinstance(limit, float) and limit.is_integer():
            limit = int(limit)  # Protobuf and JavaScript know no other numbers.
        if type(limit) is not int or not 1 <= limit <= MOST_PARALLEL:
            takes = f"a whole number from 1 to {MOST_PARALLEL}"
            self._tell(FlagError(f"{self.flag}: max_parallel", repr(limit), takes))
            limit = last.max_parallel if last is not None else self.max_parallel
        return self._decision(mode, limit, str(details.reason or "unknown").lower())

    def _decision(self, mode: Mode, max_parallel: int, reason: str) -> FlagDecision:
        return FlagDecision(mode=mode, max_parallel=max_parallel, reason=reason, source=SOURCE)

    def _tell(self, error: FlagError) -> None:
        what = (error.variable, error.got)
        if what in self._told or len(self._told) >= KEPT:
            return
        self._told.add(what)
        try:
            if self.on_error is None:
                log.error("%s The last good value stays.", error)
            else:
                self.on_error(error)
        except Exception as failure:  # noqa: BLE001 - a host's code may raise anything, and the flags go on
            log.error("on_error failed with %s, for: %s", redacted(failure), error)


class AssignmentPipelineProvider(AbstractProvider):
    """
    An OpenFeature provider of our flags: the restaurant is the targeting key.

    As a text the flag is the mode, as a boolean whether the pipeline is in charge, as a whole number how many
    assignments at one time, and as an object all of a `FlagDecision`.

    Args:
        flags: What decides, such as a coordinator's ``flags``.

        flag: The key of the flag.
    """

    def __init__(self, flags: FlagResolver, *, flag: str = FLAG) -> None:
        super().__init__()
        self._flags = flags
        self._flag = flag

    def get_metadata(self) -> Metadata:
        """Its name."""
        return Metadata(name="assignment-pipeline")

    def resolve_boolean_details(
        self,
        flag_key: str,
        default_value: bool,  # noqa: ARG002, FBT001 - OpenFeature passes it so; no default stands for an answer
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[bool]:
        """Whether the pipeline is in charge of the restaurant."""
        return self._details(flag_key, evaluation_context, lambda decision: decision.mode is Mode.ACTIVE)

    def resolve_string_details(
        self,
        flag_key: str,
        default_value: str,  # noqa: ARG002 - as above
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[str]:
        """What the pipeline does there: ``active``, ``shadow`` or ``off``."""
        return self._details(flag_key, evaluation_context, lambda decision: decision.mode.value)

    def resolve_integer_details(
        self,
        flag_key: str,
        default_value: int,  # noqa: ARG002 - as above
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[int]:
        """Assignments at one time there, at most."""
        return self._details(flag_key, evaluation_context, lambda decision: decision.max_parallel)

    def resolve_float_details(
        self,
        flag_key: str,
        default_value: float,  # noqa: ARG002 - as above
        evaluation_context: EvaluationContext | None = None,  # noqa: ARG002
    ) -> FlagResolutionDetails[float]:
        """
        It is none.

        Raises:
            TypeMismatchError: Always.
        """
        raise TypeMismatchError(f"{flag_key} is no fraction")

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[Any] | Mapping[str, Any],  # noqa: ARG002 - as above
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[Any] | Mapping[str, Any]]:
        """All that the flags say."""
        return self._details(flag_key, evaluation_context, _document)

    def _details(
        self, flag_key: str, context: EvaluationContext | None, value_of: Callable[[FlagDecision], Any]
    ) -> FlagResolutionDetails[Any]:
        if flag_key != self._flag:
            raise FlagNotFoundError(f"there is only {self._flag}")
        if context is None or not context.targeting_key:
            raise TargetingKeyMissingError("the targeting key is the restaurant's id")
        try:
            decision = self._flags.resolve(context.targeting_key)
        except FlagsUnreadError as error:
            raise ProviderNotReadyError(str(error)) from None
        return FlagResolutionDetails(
            value=value_of(decision),
            reason=_REASONS.get(decision.reason, Reason.TARGETING_MATCH),
            variant=decision.mode.value,
            flag_metadata={"rule": decision.reason, "source": decision.source},
        )


def _document(decision: FlagDecision) -> Mapping[str, Any]:
    facts = {**attrs.asdict(decision), "mode": decision.mode.value}
    del facts["fresh"]  # Between the flags and the store.
    return {key: value for key, value in facts.items() if value is not None}
