"""``python -m benchmarks.evenings``: replay evenings, print how they went, and write that into the documentation."""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path

from benchmarks.evenings.generator import MIXES, SIZES, Size
from benchmarks.evenings.measure import Job, measured, read, write
from benchmarks.evenings.replay import CONTENDERS
from benchmarks.evenings.summary import plain, summarise

TUNING = "0:10"
"""Seeds for whoever turns a knob. What is published starts at 1000."""


def seeds(text: str) -> range:
    """The range that *text*, such as ``1000:1030``, says."""
    first, _, end = text.partition(":")
    return range(int(first), int(end) if end else int(first) + 1)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m benchmarks.evenings", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)

    run = commands.add_parser("run", help="replay evenings and print a table")
    run.add_argument("--sizes", nargs="+", type=Size.parse, default=SIZES[:1], metavar="TABLESxBOOKINGS")
    run.add_argument("--seeds", type=seeds, default=TUNING, metavar="FIRST:END", help="tuning: below 1000")
    run.add_argument("--mixes", nargs="+", choices=MIXES, default=["standard"])
    run.add_argument("--service", nargs="+", type=Path, metavar="FILE", help="evenings of your own; see the docs")
    run.add_argument("--planners", nargs="+", choices=CONTENDERS, default=[*CONTENDERS])
    run.add_argument("--seconds", type=float, default=60, help="for each solver that works on a bound")
    run.add_argument("--cache", type=Path, help="a folder that keeps bounds, outside the repository")
    run.add_argument("--avoidable", action="store_true", help="count the refusals that a re-plan could have avoided")
    run.add_argument("--processes", type=int, default=1, help="one for latencies that mean something")
    run.add_argument("--results", type=Path, metavar="FILE", help="add the outcomes to this file")

    report = commands.add_parser("report", help="write kept outcomes into the documentation")
    report.add_argument("--results", type=Path, required=True, metavar="FILE")
    report.add_argument("--page", type=Path, default=Path("docs/concepts/benchmark.md"))
    report.add_argument("--picture", type=Path, default=Path("docs/concepts/benchmark.svg"))
    return top


def run(options: argparse.Namespace) -> None:
    """Replay evenings and print a table."""
    if options.service:
        evenings = [(str(path), None, number) for number, path in enumerate(options.service)]
    else:
        evenings = list(itertools.product(options.mixes, options.sizes, options.seeds))
    jobs = [
        Job(
            mix=mix,
            size=size,
            seed=seed,
            contenders=tuple(options.planners),
            seconds=options.seconds,
            cache=options.cache,
            avoidable=options.avoidable,
        )
        for mix, size, seed in evenings
    ]
    outcomes = []
    for number, found in enumerate(measured(jobs, options.processes), 1):
        outcomes += found
        if options.results:
            write(options.results, found)
        print(f"\r{number} of {len(jobs)} evenings", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    print(plain(summarise(outcomes)))


def report(options: argparse.Namespace) -> None:
    """Write kept outcomes into the documentation."""
    from benchmarks.evenings import page, picture  # noqa: PLC0415

    lines = summarise(read(options.results))
    page.rewrite(options.page, lines)
    picture.draw(options.picture, lines)
    print(plain(lines))


if __name__ == "__main__":
    given = parser().parse_args()
    {"run": run, "report": report}[given.command](given)
