"""``python -m tests.torture``: a run, and what it came to."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from assignment_pipeline.errors import MissingExtraError
from tests.torture.options import FAULTS, Options, select
from tests.torture.report import Report
from tests.torture.run import Run

NAME = "python -m tests.torture"
GOOD, BROKEN, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
SHOWN = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, and say how it ended: 0 all is well, 1 something broke, 2 bad input, 130 interrupted."""
    parser = _parser()
    told = parser.parse_args(arguments)
    try:
        options = _options(told)
    except ValueError as error:
        parser.error(f"--faults: {error}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # Whoever ends it wants nothing left behind.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        report = Run(options, say=lambda line: print(line, file=sys.stderr, flush=True))()
    except (LookupError, MissingExtraError) as error:
        return _refuse(str(error))
    except KeyboardInterrupt:
        print("Interrupted; all processes and databases of the run are gone.", file=sys.stderr)
        return INTERRUPTED
    print(json.dumps(_facts(report)) if told.json else _text(report))
    return BROKEN if report.broken else GOOD


def _parser() -> argparse.ArgumentParser:
    parser = _OneLine(prog=NAME, description="Real processes on real servers, while both go down.")
    add, usual = parser.add_argument, Options()
    add("--minutes", type=_minutes, default=1.0, metavar="M", help="for how long bookings come (default: 1)")
    add("--bookings", type=_number(1, 1_000_000), default=None, metavar="N", help="default: 12 a second")
    add("--restaurants", type=_number(1, 100), default=usual.restaurants, metavar="N", help="default: 3")
    add("--workers", type=_number(1, 64), default=usual.workers, metavar="N", help="processes (default: 4)")
    add("--threads", type=_number(1, 32), default=usual.threads, metavar="N", help="threads of each (default: 3)")
    add("--faults", default="all", metavar="NAMES", help=f"all, none, or some of {', '.join(FAULTS)}")
    add("--store", choices=("postgres", "sqlite"), default=usual.store, help="default: postgres")
    add("--seed", type=_number(0, 2**63), default=usual.seed, metavar="N", help="default: 0")
    add("--json", action="store_true", help="print one object")
    return parser


class _OneLine(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"{self.prog}: {message}\n")


def _options(told: argparse.Namespace) -> Options:
    seconds = told.minutes * 60
    return Options(
        store=told.store,
        seconds=seconds,
        bookings=told.bookings or max(1, round(12 * seconds)),
        restaurants=told.restaurants,
        workers=told.workers,
        threads=told.threads,
        faults=select(told.faults, told.store),
        seed=told.seed,
    )


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not 0.02 <= minutes <= 24 * 60:
        msg = f"expected minutes from 0.02 to 1440, got {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return minutes


class _number:  # noqa: N801 - used as a function
    def __init__(self, least: int, most: int) -> None:
        self._least, self._most = least, most

    def __call__(self, text: str) -> int:
        if not (text.isascii() and text.isdigit() and self._least <= int(text) <= self._most):
            msg = f"expected a whole number from {self._least:,} to {self._most:,}, got {text!r}"
            raise argparse.ArgumentTypeError(msg)
        return int(text)


def _facts(report: Report) -> dict[str, object]:
    return {
        "counts": dict(report.counts),
        "outcomes": dict(report.answers.outcomes),
        "missed": dict(report.answers.missed),
        "seconds": round(report.seconds, 1),
        "broken": report.broken,
    }


def _text(report: Report) -> str:
    lines = []
    for name, found in report.broken.items():
        lines.append(f"Broken: {name}, {len(found):,} times")
        lines += [f"  {line}" for line in found[:SHOWN]]
    for title, counter in (("answers", report.answers.outcomes), ("without the store", report.answers.missed)):
        counts = ", ".join(f"{what} {count:,}" for what, count in counter.most_common())
        lines.append(f"{title}: {counts or 'none'}")
    counts = ", ".join(f"{what} {count:,}" for what, count in report.counts.items())
    verdict = f"{len(report.broken)} broken" if report.broken else "nothing broken"
    return "\n".join([*lines, f"{report.seconds:,.0f} s: {counts}: {verdict}"])


def _refuse(why: str) -> int:
    print(f"{NAME}: {why}", file=sys.stderr)
    return BAD_INPUT
