"""The places that CONTRIBUTING names exist."""

import re
from pathlib import Path

import pytest

import assignment_pipeline

PACKAGE = Path(assignment_pipeline.__file__).parent
ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PLACES = sorted(set(re.findall(r"`([\w./-]+/[\w.-]*|[\w-]+\.(?:py|md|sql|toml))`", TEXT)))


def exists(place):
    """Whether there is such a file or folder, in the repository or in the package; ``NAME`` stands for any name."""
    pattern = place.rstrip("/").replace("NAME", "*")
    return any(any(folder.glob(pattern)) for folder in (ROOT, PACKAGE, ROOT / "tests" / "integration"))


@pytest.mark.parametrize("place", [place for place in PLACES if not place.endswith("_2.sql")])
def test_a_place_exists(place):
    """What is named as a path is there; migrations come with the second release."""
    anywhere = "/" not in place.rstrip("/") or place.startswith("sql/")
    assert exists(place) or (anywhere and any(PACKAGE.rglob(place.rstrip("/"))))


def test_places_are_found():
    """The recipes name some dozen."""
    assert {"domain/reasons.py", "rollout/control/metrics.py", "lifecycle.py"} <= set(PLACES)
    assert len(PLACES) > 30
    assert not exists("domain/no_such_place.py")
