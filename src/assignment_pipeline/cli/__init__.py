"""The command line, ``assignment-pipeline``: an optional part, with the extra ``cli``."""

from __future__ import annotations

import gc
import sys

from assignment_pipeline.errors import MissingExtraError


def main() -> int:
    """Run the command line on this process's arguments; the exit code is 0 for good, 1 for no and 2 for bad input."""
    gc.set_threshold(10_000)  # A command begins with imports, in which looking for garbage is a tenth of the time.
    try:
        try:
            from assignment_pipeline.cli.app import run  # noqa: PLC0415 - what it needs may not be installed
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package == __name__.partition(".")[0]:
                raise
            print(MissingExtraError("cli", package), file=sys.stderr)
            return 2
        return run()
    except KeyboardInterrupt:
        return 130
