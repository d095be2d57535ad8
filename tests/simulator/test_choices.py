"""Where the simulator's chance comes from."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assignment_pipeline.testing.simulator import Drawn, Replayed, Seeded
from assignment_pipeline.testing.simulator.choices import from_text, to_text


def draw_some(choices):
    """A bit of everything."""
    return [(choices.pick(7), choices.weigh((2_000, 3_000)), choices.chance(0.5), choices.of("abc")) for _ in range(50)]


def test_a_seed_is_the_same_choices():
    """And another others."""
    assert draw_some(Seeded(4)) == draw_some(Seeded(4)) != draw_some(Seeded(5))


def test_what_was_made_can_be_replayed():
    """It is the same again, and notes the same."""
    seeded = Seeded(4)
    drawn = draw_some(seeded)
    again = Replayed(seeded.made)
    assert draw_some(again) == drawn
    assert again.made == seeded.made


def test_a_list_that_ends_goes_on_with_the_plainest():
    """And a number that is too large for a choice is cut down to one."""
    choices = Replayed([9])
    assert choices.pick(7) == 2
    assert draw_some(choices) == [(0, 0, False, "a")] * 50


def test_chances_are_what_they_say():
    """Each of them, and that nothing comes about."""
    choices = Seeded(1)
    seen = Counter(choices.weigh((1_000, 3_000)) for _ in range(20_000))
    assert seen[0] / 20_000 == pytest.approx(0.6, abs=0.02)
    assert seen[1] / 20_000 == pytest.approx(0.1, abs=0.02)
    assert seen[2] / 20_000 == pytest.approx(0.3, abs=0.02)


@given(st.data())
def test_hypothesis_draws_them_too(data):
    """They are in the same bounds, and replay."""
    choices = Drawn(data)
    drawn = draw_some(choices)
    assert draw_some(Replayed(choices.made)) == drawn


@given(st.lists(st.integers(0, 30)))
def test_choices_go_through_text(made):
    """But for the zeros at the end, which a replay does not need."""
    read = list(from_text(to_text(made)))
    length = max((place for place, choice in enumerate(made, 1) if choice), default=1)
    assert read == (made or [0])[:length]


def test_text_is_short():
    """Zeros in a row are counted."""
    assert to_text([0, 0, 0, 1, 0, 2, 0, 0]) == "0x3.1.0.2"
    assert to_text([0, 10, 0, 0, 20]) == "0.10.0x2.20"


@pytest.mark.parametrize("text", ["", "a", "1..2", "1.-2", "2x", "x3", "1x2x3", "\uff11"])
def test_other_text_is_refused(text):
    """It says what it takes."""
    with pytest.raises(ValueError, match="expected choices such as"):
        from_text(text)
