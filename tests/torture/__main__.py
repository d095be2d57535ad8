"""``python -m tests.torture``."""

import sys

from assignment_pipeline.errors import MissingExtraError


def run() -> int:
    """Run the command, if what it needs is installed."""
    try:
        from tests.torture.command import main  # noqa: PLC0415 - may not be installed
    except MissingExtraError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return main()


if __name__ == "__main__":
    sys.exit(run())
