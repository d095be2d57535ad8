"""``python -m assignment_pipeline.testing.torture``."""

import sys

from assignment_pipeline.testing.torture.command import main

if __name__ == "__main__":
    sys.exit(main())
