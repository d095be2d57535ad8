"""``python -m assignment_pipeline.testing.checker``: look into the tables of a store, and say what is wrong."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from assignment_pipeline.testing.checker.invariants import INVARIANTS, check, sentence
from assignment_pipeline.testing.checker.reading import read

NAME = "python -m assignment_pipeline.testing.checker"
GOOD, BROKEN, BAD_INPUT = 0, 1, 2
SHOWN = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, and say how it ended: 0 all holds, 1 something does not, 2 bad input."""
    parser = argparse.ArgumentParser(prog=NAME, description="Look into the tables of a store, and say what is wrong.")
    parser.add_argument("place", help="a PostgreSQL database, as a URL or key=value, or a file of SQLite")
    parser.add_argument(
        "--schema", help="the schema, in PostgreSQL, as ?schema= in a URL; assignment_pipeline unless told otherwise"
    )
    parser.add_argument(
        "--taken",
        metavar="QUERY",
        help="what the host has seated itself: restaurant_id, table_id, start_at, end_at, booking_id",
    )
    parser.add_argument("--skip", default="", metavar="NAMES", help="invariants to leave out, with commas between")
    parser.add_argument("--json", action="store_true", help="print one object: what breaks each invariant")
    options = parser.parse_args(arguments)
    skipped = set(filter(None, options.skip.split(",")))
    unknown = skipped - {invariant.__name__ for invariant in INVARIANTS}
    if unknown:
        return _refuse(f"--skip: expected names of invariants, got {', '.join(sorted(unknown))}")
    try:
        tables = read(options.place, schema=options.schema, taken=options.taken)
    except (LookupError, ValueError) as error:
        return _refuse(str(error))
    invariants = [invariant for invariant in INVARIANTS if invariant.__name__ not in skipped]
    found = check(tables, invariants)
    if options.json:
        print(json.dumps({"records": len(tables.records), "broken": found}))
        return BROKEN if found else GOOD
    for invariant in invariants:
        lines = found.get(invariant.__name__, ())
        if lines:
            print(f"Broken: {invariant.__name__}. {sentence(invariant)}")
            print(*(f"  {line}" for line in lines[:SHOWN]), sep="\n")
            print(*([f"  and {len(lines) - SHOWN:,} more"] if len(lines) > SHOWN else []), sep="\n", end="")
    if tables.inventory is None:
        print("The floors are the host's: whether tables have the seats was not looked at.")
    print(f"{len(tables.records):,} records, {len(invariants)} invariants, {len(found)} broken.")
    return BROKEN if found else GOOD


def _refuse(why: str) -> int:
    print(f"{NAME}: {why}", file=sys.stderr)
    return BAD_INPUT


if __name__ == "__main__":
    sys.exit(main())
