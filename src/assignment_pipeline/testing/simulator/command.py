"""``python -m assignment_pipeline.testing.simulator``: many seeds, and what they came to."""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import functools
import importlib
import io
import multiprocessing
import os
import shlex
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from assignment_pipeline.testing.harnesses import MemoryHarness, SQLiteHarness
from assignment_pipeline.testing.simulator import faults as every
from assignment_pipeline.testing.simulator.choices import Choices, Replayed, Seeded, from_text, to_text
from assignment_pipeline.testing.simulator.run import MOST_STEPS, Report, Run
from assignment_pipeline.testing.simulator.shrink import shrink
from assignment_pipeline.testing.simulator.world import MakeHarness

NAME = "python -m assignment_pipeline.testing.simulator"
STORES: dict[str, MakeHarness] = {"memory": MemoryHarness.new, "sqlite": SQLiteHarness.new}
PATIENCE = 20.0
"""Seconds for which a failure is shrunk, unless told otherwise."""

GOOD, BROKEN, BAD_INPUT = 0, 1, 2
BATCH = 50


@attrs.define
class Tally:
    """
    What the seeds came to.

    Attributes:
        seeds: How many there were.

        steps: Effects that were answered in them.

        counts: How often each fault struck, each job was begun, and calls came out how.

        failed: The first seed that broke an invariant, or None.
    """

    seeds: int = 0
    steps: int = 0
    counts: dict[str, Counter[str]] = attrs.Factory(
        lambda: {"faults": Counter(), "jobs": Counter(), "outcomes": Counter()}
    )
    failed: int | None = None

    def add(self, report: Report) -> None:
        """Count a run."""
        self.seeds += 1
        self.steps += report.steps
        for name, counter in self.counts.items():
            counter.update(getattr(report, name))

    def merge(self, other: Tally) -> None:
        """Count what another has counted."""
        self.seeds += other.seeds
        self.steps += other.steps
        for name, counter in self.counts.items():
            counter.update(other.counts[name])
        if self.failed is None:
            self.failed = other.failed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, and say how it ended: 0 all went well, 1 an invariant broke, 2 bad input."""
    options = _parser().parse_args(arguments)
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        code = _main(options)
    try:
        print(told.getvalue(), end="", flush=True)
    except BrokenPipeError:  # Whoever reads has had enough. Python would complain once more when it closes the output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _main(options: argparse.Namespace) -> int:
    run = _run(options.store, options.faults, options.steps)
    if options.replay is not None:
        return _one(run, Replayed(options.replay))
    if options.seed is not None:
        return _one(run, Seeded(options.seed))
    started = time.monotonic()
    tally = Tally()
    for part in _parts(options):
        tally.merge(part)
        if tally.failed is not None:
            break
    _summarise(tally, options.first, time.monotonic() - started)
    if tally.failed is None:
        return GOOD
    print()
    return _tell(run, options, run(Seeded(tally.failed)), tally.failed)


def _parser() -> argparse.ArgumentParser:
    parser = _OneLine(prog=NAME, description="Run a fleet of workers through interleavings and faults, from seeds.")
    add = parser.add_argument
    add("--seeds", type=_count, default=1_000, metavar="N", help="how many seeds to run (default: 1000)")
    add("--first", type=_whole, default=0, metavar="N", help="the first of them (default: 0)")
    alone = parser.add_mutually_exclusive_group()
    alone.add_argument("--seed", type=_whole, metavar="N", help="run this seed alone, and show what happens in it")
    alone.add_argument(
        "--replay", type=_choices, metavar="CHOICES", help="run these choices, as a failure printed them"
    )
    add("--faults", type=_faults, default="all", metavar="NAMES", help="all, none, or names with commas between")
    add("--store", type=_store, default="memory", metavar="STORE", help="memory, sqlite, or module:factory")
    add(
        "--steps",
        type=_count,
        default=MOST_STEPS,
        metavar="N",
        help=f"effects in a run at most (default: {MOST_STEPS})",
    )
    add("--jobs", type=_count, default=1, metavar="N", help="processes to run seeds in (default: 1)")
    add("--shrink", type=_seconds, default=PATIENCE, metavar="S", help="seconds to shrink a failure for (default: 20)")
    return parser


class _OneLine(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(BAD_INPUT, f"{self.prog}: {message}\n")


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        msg = f"expected a whole number, got {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def _count(text: str) -> int:
    count = _whole(text)
    if not count:
        msg = "expected a number from 1, got 0"
        raise argparse.ArgumentTypeError(msg)
    return count


def _seconds(text: str) -> float:
    return float(_whole(text))


def _choices(text: str) -> tuple[int, ...]:
    try:
        return from_text(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _faults(text: str) -> str:
    try:
        every.select(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _store(text: str) -> str:
    _maker(text)
    return text


def _maker(text: str) -> MakeHarness:
    known = STORES.get(text)
    if known is not None:
        return known
    module, _, name = text.partition(":")
    if not (module and name):
        msg = f"expected memory, sqlite, or module:factory, got {text!r}"
        raise argparse.ArgumentTypeError(msg)
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        msg = f"{text}: {error}"
        raise argparse.ArgumentTypeError(msg) from None
    made: MakeHarness = found
    return made


def _run(store: str, faults: str, steps: int) -> Run:
    return Run(harness=_maker(store), faults=every.select(faults), steps=steps)


def _parts(options: argparse.Namespace) -> Iterator[Tally]:
    """The seeds, some at a time, until one fails."""
    end = options.first + options.seeds
    parts = [range(start, min(start + BATCH, end)) for start in range(options.first, end, BATCH)]
    batch = functools.partial(_batch, options.store, options.faults, options.steps)
    if options.jobs == 1:
        yield from map(batch, parts)
        return
    context = multiprocessing.get_context("spawn")  # Nothing is inherited: stores of hosts may mind a fork.
    with concurrent.futures.ProcessPoolExecutor(options.jobs, mp_context=context) as pool:
        try:
            yield from pool.map(batch, parts)
        finally:
            pool.shutdown(cancel_futures=True)


def _batch(store: str, faults: str, steps: int, seeds: range) -> Tally:
    run, tally = _run(store, faults, steps), Tally()
    for seed in seeds:
        report = run(Seeded(seed))
        tally.add(report)
        if report.failure is not None:
            tally.failed = seed
            break
    return tally


def _summarise(tally: Tally, first: int, seconds: float) -> None:
    speed = f"{tally.steps / seconds:,.0f} steps a second"
    print(f"{tally.seeds:,} seeds from {first}, {tally.steps:,} steps in {seconds:.1f} s: {speed}")
    for name, counter in tally.counts.items():
        counts = ", ".join(f"{what} {count:,}" for what, count in counter.most_common())
        print(f"{name}: {counts or 'none'}")


def _one(run: Run, choices: Choices) -> int:
    """Show one run, as it is."""
    report = run(choices, traced=True)
    print(*report.trace, sep="\n")
    if report.failure is None:
        print(f"{report.steps:,} steps, and nothing broke.")
        return GOOD
    return _verdict(report)


def _tell(run: Run, options: argparse.Namespace, found: Report, seed: int) -> int:
    """Show the shortest run that breaks what a seed has broken."""
    again = [*NAME.split(), "--store", options.store, "--faults", options.faults, "--steps", str(options.steps)]
    shortest = shrink(run, found, seconds=options.shrink)
    print(f"Seed {seed} fails. The shortest run found that fails so:")
    print(*shortest.trace, sep="\n")
    code = _verdict(shortest)
    print("Once more, shortened: ", shlex.join([*again, "--replay", to_text(shortest.choices)]))
    print("Once more, as it was: ", shlex.join([*again, "--seed", str(seed)]))
    return code


def _verdict(report: Report) -> int:
    failure = report.failure
    assert failure is not None
    print(f"Broken: {failure.invariant}. {failure.sentence}")
    print(*(f"  {detail}" for detail in failure.details), sep="\n")
    return BROKEN
