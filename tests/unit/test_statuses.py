"""The host's own words for where an assignment stands."""

import attrs
import pytest

from assignment_pipeline import AssignmentState, StatusMap
from assignment_pipeline.domain.record import AssignmentRecord

WORDS = {
    "waiting": "open",
    "review": "asked",
    "held": "held",
    "confirmed": "booked",
    "failed": "declined",
    "cancelled": "void",
}
SETTLED = {"confirmed", "failed", "cancelled"}


@pytest.mark.parametrize("state", AssignmentState)
def test_every_state_has_a_word_and_reads_back(state):
    """A state that waits reads back as pending, and every other as itself."""
    words = StatusMap(**WORDS)
    word = words.word(state)
    assert word in WORDS.values()
    assert words.status(word) == (state.value if state.value in SETTLED else "pending")


def test_a_record_has_the_word_of_its_state():
    """``on_commit`` hands over the record as it is."""
    record = AssignmentRecord(booking_id="b", restaurant_id="v", state=AssignmentState.MANUAL_REVIEW)
    assert StatusMap(**WORDS).word(record) == "asked"


def test_the_hosts_own_words_stay():
    """What the map does not know is the host's."""
    assert StatusMap(**WORDS).status("arrived") == "arrived"


@pytest.mark.parametrize("missing", WORDS)
def test_none_may_be_forgotten(missing):
    """Each word has to be given."""
    with pytest.raises(TypeError, match=missing):
        StatusMap(**{name: word for name, word in WORDS.items() if name != missing})


@pytest.mark.parametrize("name", WORDS)
@pytest.mark.parametrize("word", [None, 1, "", b"open"])
def test_words_are_texts(name, word):
    """A word that is none is refused by its name."""
    with pytest.raises(ValueError, match=f"^{name}: expected a non-empty text"):
        StatusMap(**{**WORDS, name: word})


@pytest.mark.parametrize("waiting", sorted(set(WORDS) - SETTLED))
@pytest.mark.parametrize("settled", sorted(SETTLED))
def test_who_waits_never_reads_as_settled(waiting, settled):
    """A word for both is refused, whichever way round."""
    with pytest.raises(ValueError, match="nobody could tell a booking"):
        StatusMap(**{**WORDS, waiting: WORDS[settled]})


def test_words_may_be_shared_where_that_changes_nothing():
    """A host with one word for all that wait, and one for all that end, is understood."""
    words = StatusMap(waiting="open", review="open", held="open", confirmed="booked", failed="void", cancelled="void")
    assert words.status("open") == "pending"
    assert words.status("void") in {"failed", "cancelled"}


def test_confirmed_is_told_from_what_ended():
    """A guest with tables and one without never share a word."""
    with pytest.raises(ValueError, match=r"has its tables"):
        attrs.evolve(StatusMap(**WORDS), failed="booked")
