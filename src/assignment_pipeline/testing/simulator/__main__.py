"""``python -m assignment_pipeline.testing.simulator``."""

import sys

from assignment_pipeline.testing.simulator.command import main

if __name__ == "__main__":
    sys.exit(main())
