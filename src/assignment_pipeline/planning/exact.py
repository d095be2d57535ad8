"""
An exact choice of places for many parties at once, by HiGHS: the extra ``optimize``.

There is a binary for each party and each place that it may have. At each table, the parties that sit there at one
instant are a row, of which one at most is chosen: parties that overlap pairwise all share an instant, so a row for
each maximal set of them is as good as one for each pair, and makes the relaxation far tighter.
"""

from __future__ import annotations

import collections
import contextlib
import enum
import functools
import importlib.util
import math
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import attrs

from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import MissingExtraError

EXTRA = "optimize"
PACKAGE = "highspy"

# Presolve takes longer than it saves: the rows are as tight as they get. One thread: the host has other work.
_OPTIONS = {"output_flag": False, "presolve": "off", "random_seed": 0, "threads": 1, "mip_rel_gap": 0.0}
_WHOLE = 0.999
"""The objectives are whole numbers: a bound that is nearer than this to what was found proves it."""


@functools.cache
def available() -> bool:
    """Whether the solver is installed."""
    return importlib.util.find_spec(PACKAGE) is not None


LOADING = 1.0
"""Seconds within which the solver is loaded on a slow machine. A tenth is usual."""

BEFORE_A_FORK = 60.0
"""Seconds that a fork waits for it at most: a child whose parent had not loaded it to the end could never."""

_loading: list[threading.Thread] = []


def is_at_hand(seconds: float) -> bool:
    """
    Whether who has so many seconds can have an answer of the solver, where it is installed.

    Loading it takes longer than a call may. So a thread begins to, the first time, and the call does without.
    """
    module = sys.modules.get(PACKAGE)
    is_loaded = module is not None and not getattr(module.__spec__, "_initializing", False)
    if is_loaded or seconds >= LOADING:
        return True
    if not _loading:
        _loading.append(threading.Thread(target=load, name="solver", daemon=True))
        _loading[0].start()
    return False


def load() -> None:
    """Load it, if it is installed. If that fails, the first call that needs the solver raises the error."""
    with contextlib.suppress(Exception):
        _highspy()


def _finish_loading() -> None:
    for thread in _loading:
        thread.join(BEFORE_A_FORK)


if hasattr(os, "register_at_fork"):  # In a child, nobody would ever end an import that a thread of the parent began.
    os.register_at_fork(before=_finish_loading)


class Proof(enum.Enum):
    """What is proved of an answer."""

    BEST = "best"
    """It is the cheapest."""

    FOUND = "found"
    """Nothing but that it is possible: the time ran out first."""

    IMPOSSIBLE = "impossible"
    """There is none."""

    UNKNOWN = "unknown"
    """Nothing: the time ran out before one was found."""


@attrs.frozen
class Solution:
    """
    What the solver found.

    Attributes:
        verdict: What is proved of it.

        chosen: The binaries that it sets.

        cost: What they cost.

        bound: What any answer costs at least, in whole numbers; minus infinity where nothing is known.
    """

    verdict: Proof
    chosen: frozenset[int] = frozenset()
    cost: float = math.inf
    bound: float = -math.inf


class _Stay(NamedTuple):
    """A binary that takes a table for a while; times in minutes since 1970."""

    start: int
    end: int
    binary: int
    present: bool


class Model:
    """
    Binaries and the rows over them.

    Attributes:
        costs: For each binary, what it costs to set it: whole numbers.
    """

    def __init__(self) -> None:
        self.costs: list[float] = []
        self._starts = [0]
        self._binaries: list[int] = []
        self._values: list[float] = []
        self._least: list[float] = []
        self._most: list[float] = []
        self._at_table: dict[int, list[_Stay]] = collections.defaultdict(list)

    def party(self, window: TimeWindow, places: Sequence[tuple[int, float]], *, seated: bool, must: bool = True) -> int:
        """
        Add a party.

        Args:
            window: When it takes its tables.

            places: The tables of each place that it may have, as a mask, and what the place costs.

            seated: Whether it has the first of the places at present. Parties that share a table at present, which
                only a person or the host can have brought about, may go on doing so.

            must: Whether it has to get one of them.

        Returns:
            The binary of its first place; the others follow.
        """
        first = len(self.costs)
        start, end = (int(instant.timestamp()) // 60 for instant in (window.start, window.end))
        for binary, (mask, cost) in enumerate(places, first):
            self.costs.append(cost)
            stay = _Stay(start, end, binary, present=seated and binary == first)
            left = mask
            while left:
                lowest = left & -left
                self._at_table[lowest].append(stay)
                left ^= lowest
        self.row(range(first, len(self.costs)), least=1 if must else 0, most=1)
        time.sleep(0)  # A large model takes a while: let other threads have their turn.
        return first

    def row(
        self,
        binaries: Sequence[int],
        values: Sequence[float] | None = None,
        *,
        least: float = -math.inf,
        most: float = math.inf,
    ) -> None:
        """Bound the sum of *binaries*, each times its value, or else 1."""
        self._binaries += binaries
        self._values += values or [1.0] * len(binaries)
        self._starts.append(len(self._binaries))
        self._least.append(least)
        self._most.append(most)

    def solve(self, seconds: float, start: Sequence[int] = (), nodes: int | None = None) -> Solution:
        """
        The cheapest choice, or the best that was found in *seconds*.

        Args:
            seconds: For how long the solver may run.

            start: The binaries of a choice that is known to be possible.

            nodes: How many branches to look into; as many as it takes unless told otherwise.

        Raises:
            MissingExtraError: The solver is not installed.
        """
        if seconds <= 0:
            return Solution(Proof.UNKNOWN)
        highs, solver = _solver(), _highspy()
        if not self.costs:
            return (
                Solution(Proof.IMPOSSIBLE) if max(self._least, default=0) > 0 else Solution(Proof.BEST, cost=0, bound=0)
            )
        self._close()
        highs.passModel(self._as_lp(solver))
        highs.setOptionValue("time_limit", seconds)
        highs.setOptionValue("mip_abs_gap", _WHOLE)
        if nodes is not None:
            highs.setOptionValue("mip_max_nodes", nodes)
        if start:
            known = solver.HighsSolution()
            known.col_value = self._values_of(start)
            highs.setSolution(known)
        if highs.run() == solver.HighsStatus.kError:
            # The host has run HiGHS on this thread with another number of threads, which stays: take it.
            highs.setOptionValue("threads", 0)
            highs.run()
        return self._answer(solver, highs)

    def _close(self) -> None:
        """Make the rows of the tables."""
        for stays in self._at_table.values():
            for together in _maximal(stays):
                present = [stay.binary for stay in together if stay.present]
                others = [stay.binary for stay in together if not stay.present]
                if len(present) <= 1:
                    self.row(present + others, most=1)
                else:
                    for binary in present:
                        self.row([binary, *others], most=1)
            time.sleep(0)
        self._at_table.clear()

    def _as_lp(self, solver: Any) -> Any:
        lp = solver.HighsLp()
        count = len(self.costs)
        lp.num_col_, lp.num_row_ = count, len(self._least)
        lp.col_cost_ = self.costs
        lp.col_lower_, lp.col_upper_ = [0.0] * count, [1.0] * count
        lp.integrality_ = [solver.HighsVarType.kInteger] * count
        lp.row_lower_, lp.row_upper_ = self._least, self._most
        lp.a_matrix_.format_ = solver.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = self._starts
        lp.a_matrix_.index_ = self._binaries
        lp.a_matrix_.value_ = self._values
        return lp

    def _values_of(self, chosen: Sequence[int]) -> list[float]:
        values = [0.0] * len(self.costs)
        for binary in chosen:
            values[binary] = 1.0
        return values

    def _answer(self, solver: Any, highs: Any) -> Solution:
        status, info = highs.getModelStatus(), highs.getInfo()
        if status == solver.HighsModelStatus.kInfeasible:
            return Solution(Proof.IMPOSSIBLE)
        known = math.isfinite(info.mip_dual_bound)
        bound = math.ceil(info.mip_dual_bound - 1e-6) if known else -math.inf
        if info.primal_solution_status != solver.SolutionStatus.kSolutionStatusFeasible:
            return Solution(Proof.UNKNOWN, bound=bound)
        values = highs.getSolution().col_value
        chosen = frozenset(binary for binary, value in enumerate(values) if value > 0.5)  # noqa: PLR2004 - 0 or 1
        cost = sum(self.costs[binary] for binary in chosen)
        verdict = Proof.BEST if bound >= cost else Proof.FOUND
        return Solution(verdict, chosen, cost, bound)


def _highspy() -> Any:
    try:
        import highspy  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingExtraError(EXTRA, PACKAGE) from None
    return highspy


def _solver() -> Any:
    highspy = _highspy()

    class Quiet(highspy.Highs):  # type: ignore[misc, name-defined]
        """A solver that does not print its name when it is made."""

        def enableCallbacks(self) -> None:  # noqa: N802 - the solver's
            self.silent()

    solver = Quiet()
    for name, value in _OPTIONS.items():
        solver.setOptionValue(name, value)
    return solver


def _maximal(stays: Sequence[_Stay]) -> Iterator[list[_Stay]]:
    """The sets of *stays* that share an instant, and to which no other could be added."""
    together: list[_Stay] = []
    soonest: float = math.inf
    for stay in sorted(stays):
        if soonest <= stay.start:
            yield together
            together = [other for other in together if other.end > stay.start]
            soonest = min((other.end for other in together), default=math.inf)
        together.append(stay)
        soonest = min(soonest, stay.end)
    yield together
