"""How the shadow behaves."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from assignment_pipeline.domain.checks import enum_fields, number, positive_span, whole
from assignment_pipeline.errors import InvalidValueError
from assignment_pipeline.plain import Printed
from assignment_pipeline.ports import LegacyDryRun
from assignment_pipeline.ports.fitting import is_coroutine_function

Document = Mapping[str, Any]
"""A bundle, as JSON: see the concepts."""


class Runs(enum.StrEnum):
    """Where the candidate runs."""

    THREAD = "thread"
    """In the process that took the booking, in a thread of the shadow's."""

    WORKER = "worker"
    """In a process of its own, which takes the cases from the store."""


def _hook(_: object, attribute: Any, value: object) -> None:
    if value is not None and not callable(value):
        raise InvalidValueError(attribute.name, "a function, or None", repr(value))


def _dry_run(instance: object, attribute: Any, value: object) -> None:
    _hook(instance, attribute, value)
    if is_coroutine_function(value):
        raise InvalidValueError(attribute.name, "a function that answers at once: a thread calls it", "an async one")


@attrs.frozen(kw_only=True, field_transformer=enum_fields, repr=False)
class Shadow(Printed):
    """
    How the shadow behaves.

    Attributes:
        runs: Where the candidate runs: in a ``thread`` of this process, or in a ``worker`` process.

        sample: The share of the cases that are looked at, from 0 to 1.

        deadline: How long the candidate may take; then it is given up, with the verdict ``timeout``.

        capacity: How many cases of a process wait at most; others are dropped, and counted.

        shadow_workers: Threads of a process.

        spares: How many threads whose candidate never came back are replaced, a process.

        backlog: How many cases wait in the store at most, where a worker takes them.

        keep: How many bundles are kept, the newest.

        keep_for: For how long they are.

        keep_bytes: How large one may be, as JSON. The floor is left out of a larger one, and it cannot be run again.

        reverse: The old planner's dry run, if it has one: where the pipeline is in charge, the shadow asks it what it
            would have done, and holds that against what the pipeline did. See `LegacyDryRun`.

        clean: Called with each bundle before it is kept: returns it, another in its place, or None to keep nothing.
            If it raises, nothing is kept.

        ignore: Called with each bundle before it is reported: whether the difference is known and does not count. If it
            raises, it counts.
    """

    runs: Runs = attrs.field(default=Runs.THREAD, converter=Runs)
    sample: float = attrs.field(default=1.0, validator=number(0, 1))
    deadline: dt.timedelta = attrs.field(default=dt.timedelta(seconds=2), validator=positive_span)
    capacity: int = attrs.field(default=1_000, validator=whole(1, 100_000))
    shadow_workers: int = attrs.field(default=1, validator=whole(1, 64))
    spares: int = attrs.field(default=3, validator=whole(0, 64))
    backlog: int = attrs.field(default=10_000, validator=whole(1, 10_000_000))
    keep: int = attrs.field(default=1_000, validator=whole(0, 1_000_000))
    keep_for: dt.timedelta = attrs.field(default=dt.timedelta(days=14), validator=positive_span)
    keep_bytes: int = attrs.field(default=256 * 1024, validator=whole(1_024, 64 * 1024 * 1024))
    reverse: LegacyDryRun | None = attrs.field(default=None, validator=_dry_run)
    clean: Callable[[Document], Document | None] | None = attrs.field(default=None, validator=_hook)
    ignore: Callable[[Document], bool] | None = attrs.field(default=None, validator=_hook)

    @classmethod
    def of(cls, given: Shadow | Runs | str | None) -> Shadow | None:
        """
        The settings that are meant by a word for where it runs; None for no shadow.

        Raises:
            ValueError: There is no such word.
        """
        if given is None or isinstance(given, Shadow):
            return given
        try:
            return cls(runs=Runs(given))
        except ValueError:
            raise InvalidValueError("shadow", "thread, worker, None or a Shadow", repr(given)) from None
