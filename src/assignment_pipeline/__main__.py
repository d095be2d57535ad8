"""``python -m assignment_pipeline`` is ``assignment-pipeline``."""

from __future__ import annotations

import sys

from assignment_pipeline.cli import main

if __name__ == "__main__":
    sys.exit(main())
