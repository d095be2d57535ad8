"""The host's own words for where an assignment stands."""

from __future__ import annotations

from typing import Any

import attrs

from assignment_pipeline.domain.booking import CANCELLED, CONFIRMED, FAILED, PENDING
from assignment_pipeline.domain.checks import identifier
from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.errors import InvalidValueError
from assignment_pipeline.lifecycle import AssignmentState

_WAITING, _SETTLED, _ENDED = "waits for tables", "has its tables", "has ended"
_KINDS = {
    "waiting": (_WAITING, PENDING),
    "review": (_WAITING, PENDING),
    "held": (_WAITING, PENDING),
    "confirmed": (_SETTLED, CONFIRMED),
    "failed": (_ENDED, FAILED),
    "cancelled": (_ENDED, CANCELLED),
}
_WORD_OF = {
    AssignmentState.CREATED: "waiting",
    AssignmentState.CAPACITY_VERIFIED: "waiting",
    AssignmentState.ASSIGNMENT_PENDING: "waiting",
    AssignmentState.ASSIGNMENT_IN_PROGRESS: "waiting",
    AssignmentState.MANUAL_REVIEW: "review",
    AssignmentState.ASSIGNED: "held",
    AssignmentState.CONFIRMED: "confirmed",
    AssignmentState.FAILED: "failed",
    AssignmentState.CANCELLED: "cancelled",
}


@attrs.frozen(kw_only=True)
class StatusMap:
    """
    The host's own words for where an assignment stands: one for each, so that none is forgotten.

    ``on_commit`` writes `word`, and ``booking`` reads `status`. A booking that waits therefore always reads back as
    pending, whatever state it waited in before.

    One word may stand for several of *waiting*, *review* and *held*, or for *failed* and *cancelled*. A word of one of
    these groups never stands for one of another.

    Attributes:
        waiting: The booking waits for tables. Reads back as ``pending``.

        review: It waits for a person's decision. Reads back as ``pending``.

        held: It has tables that still have to be confirmed. Reads back as ``pending``.

        confirmed: It has its tables. Reads back as ``confirmed``.

        failed: It got no tables, for good. Reads back as ``failed``.

        cancelled: The guest does not come. Reads back as ``cancelled``.

    Raises:
        ValueError: A word is no text, or a booking that waits would read back as one that does not.
    """

    waiting: str = attrs.field(validator=identifier)
    review: str = attrs.field(validator=identifier)
    held: str = attrs.field(validator=identifier)
    confirmed: str = attrs.field(validator=identifier)
    failed: str = attrs.field(validator=identifier)
    cancelled: str = attrs.field(validator=identifier)

    def __attrs_post_init__(self) -> None:
        first: dict[str, str] = {}
        for name, (kind, _) in _KINDS.items():
            word = getattr(self, name)
            other = first.setdefault(word, name)
            if _KINDS[other][0] != kind:
                unclear = f"nobody could tell a booking that {kind} from one that {_KINDS[other][0]}"
                raise InvalidValueError(name, f"another word than that of {other}", f"{word!r} for both: {unclear}")

    def word(self, of: AssignmentRecord | AssignmentState) -> str:
        """
        What the host's row says, for ``on_commit`` to write.

        Args:
            of: A record, or a state.
        """
        state = of.state if isinstance(of, AssignmentRecord) else AssignmentState(of)
        word: str = getattr(self, _WORD_OF[state])
        return word

    def status(self, word: Any) -> Any:
        """What `Booking.status` is where the host's row says *word*. Words of the host's own stay as they are."""
        statuses = {getattr(self, name): status for name, (_, status) in reversed(_KINDS.items())}
        return statuses.get(word, word)
