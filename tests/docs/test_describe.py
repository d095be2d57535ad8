"""The page that describes a restaurant names every key that the reader of the file takes, and no other."""

from __future__ import annotations

import collections
import json
import re
from pathlib import Path

import pytest

from assignment_pipeline.cli.day.json_file import Node, read_document
from assignment_pipeline.cli.day.service_file import read_service

PAGE = Path(__file__).parents[2] / "docs/how-to/describe-your-restaurant.md"
TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```json\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)

SAME = {"service_periods": "policy.service_periods", "turn_bands": "turn_bands"}
"""What is read alike wherever it stands."""


def place_of(path):
    """Where a key stands, whatever the number of the entry: ``policy.pacing`` for ``policy.pacing[1]``."""
    parts = re.sub(r"\[\d+\]", "", path).split(".")
    for number in range(len(parts) - 1, -1, -1):
        if parts[number] in SAME:
            return ".".join([SAME[parts[number]], *parts[number + 1 :]])
    return ".".join(parts)


def named():
    """The keys in the page's tables, by where they stand."""
    found = collections.defaultdict(set)
    place = None
    for line in TEXT.splitlines():
        heads = re.match(r"\| key of (?:the file|`([a-z_.]+)`)", line)
        if heads:
            place = heads[1] or ""
        elif not line.startswith("|"):
            place = None
        elif place is not None:
            for key in re.findall(r"`([a-z_.]+)`", line.split("|")[1]):
                *inside, name = key.split(".")
                found[".".join(filter(None, [place, *inside]))].add(name)
    return found


def written(example, folder):
    """A file with what the example has, and the least that a file needs beside it."""
    least = {
        "restaurant": {"id": "corner", "timezone": "Europe/Berlin"},
        "tables": [{"id": "T1", "capacity": 2}],
        "bookings": [],
    }
    path = folder / "service.json"
    path.write_text(json.dumps(least | json.loads(example)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """The keys that the reader took from the page's examples, by where they stand."""
    found, sound = collections.defaultdict(set), Node.keys

    def keys(self, required, optional=()):
        found[place_of(self.path)].update(required, optional)
        return sound(self, required, optional)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Node, "keys", keys)
        for example in EXAMPLES:
            read_service(written(example, tmp_path_factory.mktemp("page")))
    return found


def test_each_key_that_is_read_is_on_the_page(read):
    """In the table of the place where it stands."""
    missing = {place: sorted(keys - named()[place]) for place, keys in read.items()}
    assert {place: keys for place, keys in missing.items() if keys} == {}


def test_each_key_on_the_page_is_read(read):
    """By the reader, in that place; and some example of the page has the place."""
    unread = {place: sorted(keys - read[place]) for place, keys in named().items()}
    assert {place: keys for place, keys in unread.items() if keys} == {}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: " ".join(example.split())[:40])
def test_each_example_is_read(example, tmp_path):
    """As a file, with nothing in it that is unknown."""
    service = read_service(written(example, tmp_path))
    assert service.venue.seatings
    assert read_document(tmp_path / "service.json").value.keys() >= json.loads(example).keys()


def test_the_mistakes_on_the_page_have_places_that_are_on_it():
    """Each line names a key of the page."""
    lines = re.findall(r"^service\.json: ([a-z_.\[\]0-9]+): expected", TEXT, re.MULTILINE)
    assert len(lines) >= 6
    for line in lines:
        *place, key = re.sub(r"\[\d+\]", "", line).split(".")
        assert key in named()[place_of(".".join(place))], line
