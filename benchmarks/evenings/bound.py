"""How many covers an evening could seat at most, proved; and the best set of bookings that was found. Extra `bench`."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

from assignment_pipeline import Booking, Venue
from benchmarks.evenings.generator import Evening
from benchmarks.evenings.model import Model, model, seated

SLACK = 1e-6
"""How far the solvers' arithmetic may be off; a bound is rounded down only past it."""


@attrs.frozen(kw_only=True)
class Bound:
    """
    What is known of an evening's optimum.

    Attributes:
        covers: The proved bound: no planner seats more guests, whatever it knew and in whatever order.

        relaxed: The value of the linear relaxation, or None if it took too long.

        found: The covers of the best set that was found.

        seated: Its bookings, each with its tables.

        seconds: The time that each solver was given.
    """

    covers: int
    relaxed: float | None
    found: int
    seated: dict[str, tuple[str, ...]]
    seconds: float

    @property
    def is_closed(self) -> bool:
        """Whether the best set is an optimum."""
        return self.found == self.covers


def bound(evening: Evening, *, seconds: float = 60, cache: Path | None = None) -> Bound:
    """
    The bound of an evening: the least that a solver proved.

    HiGHS solves the relaxation and branches from there; where it leaves a gap, CP-SAT goes on from its best set.

    Args:
        evening: The floor and its requests.

        seconds: The time that each of the three may take.

        cache: A folder that keeps bounds, by what they were computed from; None keeps nothing.
    """
    problem = model(evening.venue, evening.bookings)
    path = None if cache is None else cache / f"{_digest(problem)}.json"
    if path is not None and path.exists():
        kept = json.loads(path.read_text())
        known = Bound(**kept["bound"] | {"seated": {key: tuple(ids) for key, ids in kept["bound"]["seated"].items()}})
        if known.is_closed or known.seconds >= seconds:
            return known
    found = solve(problem, seconds)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps({"evening": evening.name, "bound": attrs.asdict(found)}))
        draft.replace(path)
    return found


def solve(problem: Model, seconds: float) -> Bound:
    """The bound of a model."""
    most = sum(booking.party_size for booking, own in zip(problem.bookings, problem.by_booking, strict=True) if own)
    relaxed = _relax(problem, seconds)
    if relaxed is not None:
        most = min(most, math.floor(relaxed + SLACK))
    best: tuple[int, ...] = ()
    for solver in (_branch, _search):
        if _covers(problem, best) < most:
            proved, chosen = solver(problem, best, most, seconds)
            most = min(most, proved)
            best = max(best, chosen, key=lambda columns: _covers(problem, columns))
    return Bound(
        covers=most,
        relaxed=relaxed,
        found=_covers(problem, best),
        seated=seated(problem, best),
        seconds=seconds,
    )


def could_seat(venue: Venue, bookings: Sequence[Booking], *, seconds: float = 20) -> bool | None:
    """
    Whether all of *bookings* could sit at their times, whoever sits where; None if time ran out.

    With a seating for every booking as a condition and nothing to maximise, HiGHS answers some fifty times as fast as
    it finds the most covers.
    """
    import highspy  # noqa: PLC0415
    from ortools.sat.python import cp_model  # noqa: PLC0415

    problem = model(venue, bookings)
    if not all(problem.by_booking):
        return False
    highs = _highs(problem, seconds, integer=True)
    for row in range(len(bookings)):
        highs.changeRowBounds(row, 1.0, 1.0)
    for column in range(len(problem.columns)):
        highs.changeColCost(column, 0.0)
    highs.run()
    answers = {highspy.HighsModelStatus.kOptimal: True, highspy.HighsModelStatus.kInfeasible: False}
    if highs.getModelStatus() in answers:
        return answers[highs.getModelStatus()]
    question, choices = _program(problem)
    for own in problem.by_booking:
        question.add_exactly_one(choices[column] for column in own)
    status = _solver(seconds).solve(question)
    return None if status == cp_model.UNKNOWN else status in (cp_model.OPTIMAL, cp_model.FEASIBLE)


def _covers(problem: Model, columns: tuple[int, ...]) -> int:
    return sum(problem.covers[column] for column in columns)


def _highs(problem: Model, seconds: float, *, integer: bool) -> Any:
    """HiGHS with the model in it, on one thread, which makes it repeatable."""
    import highspy  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    rows = [*problem.by_booking, *problem.cliques]
    count = len(problem.columns)
    program = highspy.HighsLp()
    program.num_col_, program.num_row_ = count, len(rows)
    program.sense_ = highspy.ObjSense.kMaximize
    program.col_cost_ = np.array(problem.covers, dtype=float)
    program.col_lower_, program.col_upper_ = np.zeros(count), np.ones(count)
    program.row_lower_, program.row_upper_ = np.full(len(rows), -highspy.kHighsInf), np.ones(len(rows))
    program.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    program.a_matrix_.start_ = np.cumsum([0, *map(len, rows)])
    program.a_matrix_.index_ = np.fromiter(itertools.chain.from_iterable(rows), dtype=int)
    program.a_matrix_.value_ = np.ones(sum(map(len, rows)))
    if integer:
        program.integrality_ = [highspy.HighsVarType.kInteger] * count
    highs = highspy.Highs()
    for option, value in {"output_flag": False, "threads": 1, "time_limit": float(seconds)}.items():
        highs.setOptionValue(option, value)
    highs.passModel(program)
    return highs


def _relax(problem: Model, seconds: float) -> float | None:
    """The value of the linear relaxation."""
    import highspy  # noqa: PLC0415

    highs = _highs(problem, seconds, integer=False)
    highs.run()
    solved = highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
    return float(highs.getInfo().objective_function_value) if solved else None


def _branch(problem: Model, _: tuple[int, ...], most: int, seconds: float) -> tuple[int, tuple[int, ...]]:
    """What HiGHS proves by branching, and the best binaries that it found."""
    highs = _highs(problem, seconds, integer=True)
    # Once the relaxation is reached there is nothing left to prove.
    highs.setOptionValue("objective_target", float(most))
    highs.run()
    info = highs.getInfo()
    proved = math.floor(info.mip_dual_bound + SLACK) if math.isfinite(info.mip_dual_bound) else most
    values = highs.getSolution().col_value if info.primal_solution_status == 2 else []
    return proved, tuple(column for column, value in enumerate(values) if value > 0.5)


def _search(problem: Model, best: tuple[int, ...], most: int, seconds: float) -> tuple[int, tuple[int, ...]]:
    """What CP-SAT proves, and the best binaries that it found, given those that are known."""
    from ortools.sat.python import cp_model  # noqa: PLC0415

    question, choices = _program(problem)
    for own in problem.by_booking:
        question.add_at_most_one(choices[column] for column in own)
    total = sum(covers * choice for covers, choice in zip(problem.covers, choices, strict=True))
    question.add(total <= most)
    question.maximize(total)
    known = set(best)
    for column, choice in enumerate(choices):
        question.add_hint(choice, column in known)
    solver = _solver(seconds)
    if solver.solve(question) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return most, best
    chosen = tuple(column for column, choice in enumerate(choices) if solver.boolean_value(choice))
    return math.floor(solver.best_objective_bound + SLACK), chosen


def _program(problem: Model) -> tuple[Any, list[Any]]:
    """The binaries and the cliques, as CP-SAT has them."""
    from ortools.sat.python import cp_model  # noqa: PLC0415

    question = cp_model.CpModel()
    choices = [question.new_bool_var("") for _ in problem.columns]
    for clique in problem.cliques:
        question.add_at_most_one(choices[column] for column in clique)
    return question, choices


def _solver(seconds: float) -> Any:
    """CP-SAT on one thread, from a seed: as repeatable as a limit in seconds can be."""
    from ortools.sat.python import cp_model  # noqa: PLC0415

    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 1
    solver.parameters.max_time_in_seconds = seconds
    return solver


def _digest(problem: Model) -> str:
    """What the model asks, as a name: the bound of equal models is the same."""
    asked = repr(
        (
            [(booking.id, booking.party_size) for booking in problem.bookings],
            [(place, seating.table_ids) for place, seating in problem.columns],
            problem.cliques,
        )
    )
    return hashlib.blake2b(asked.encode(), digest_size=12).hexdigest()
