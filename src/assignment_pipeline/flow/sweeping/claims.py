"""Working off what is due: claims that stay fresh, and claims that are put back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence

import attrs

from assignment_pipeline.domain.reasons import CLAIM_COMES_BACK
from assignment_pipeline.domain.result import AssignmentResult
from assignment_pipeline.errors import CommitUnknownError, StoreUnavailableError
from assignment_pipeline.flow.effects import Apart, ClaimDue, Flow, Monotonic, PutBack
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.ports import CLAIM, Due
from assignment_pipeline.redaction import named

FRESH = CLAIM / 3
"""For how long after a claim the work on it may begin. What is left of the claim is for the work."""

_AT_ONCE = dt.timedelta()


@attrs.define
class Work:
    """
    What a sweep does with the bookings that are due.

    Attributes:
        take_up: The flow for one claim.

        together: The flow for several: what it does not answer is taken up alone.

        most: How many it takes at most.

        settings: How the flows behave.

        results: What became of each booking.

        errors: What was raised, by booking.
    """

    take_up: Callable[[Due], Flow[AssignmentResult]]
    together: Callable[[Sequence[Due]], Flow[dict[str, AssignmentResult]]]
    most: int
    settings: Settings
    results: list[AssignmentResult] = attrs.field(factory=list)
    errors: list[tuple[str, str]] = attrs.field(factory=list)
    _kept: list[Due] = attrs.field(factory=list)
    _seen: set[str] = attrs.field(factory=set)

    def off(self, limit: int) -> Flow[None]:
        """
        Claim and take up at most *limit* bookings, each once.

        All are claimed together. Where the work is slow, those that it has not come to are put back, and fewer are
        claimed from then on: other sweepers get the rest.

        Raises:
            StoreUnavailableError: The store could not be asked what is due.
        """
        size = limit
        while size:
            claims = yield from ClaimDue(size, self.settings.wake_order)
            done = yield from self._in_turn(claims)
            left = limit - len(self._seen)
            if done < len(claims):
                size = min(done, left)
            elif len(claims) == 1 < size and claims[0].deliveries > 1:
                size = left  # It was claimed alone: there may be more.
            elif len(claims) == size:
                size = min(size, left)
            else:
                break
        if self._kept:
            yield from self._put_back(self._kept, _AT_ONCE)

    def _in_turn(self, claims: Sequence[Due]) -> Flow[int]:
        """Take up *claims*, as far as they are fresh; how many were. Those left are put back."""
        begun = yield from Monotonic()
        seated = yield from self._together([due for due in claims if due.booking_id not in self._seen])
        left = [due for due in claims if due.booking_id not in seated]
        for place, due in enumerate(left):
            late = (place > 0 or bool(seated)) and (yield from Monotonic()) - begun > FRESH.total_seconds()
            if due.booking_id in self._seen or late:
                done = len(claims) - len(left) + place
                return done if (yield from self._put_back(left[place:], _AT_ONCE)) else 0
            if not (yield from self._one(due)):
                self._kept += left[place + 1 :]
                return 0
        return len(claims)

    def _together(self, claims: Sequence[Due]) -> Flow[set[str]]:
        """Take up what can be taken up together of *claims*, restaurant by restaurant; whom."""
        begun = yield from Monotonic()
        seated: set[str] = set()
        for part in _parts(claims, self.most):
            if (yield from Monotonic()) - begun > FRESH.total_seconds() / 2:
                break
            results = yield from Apart(self.together(part))
            self._seen.update(results)
            self.results += results.values()
            seated |= results.keys()
        return seated

    def _one(self, due: Due) -> Flow[bool]:
        """Take up one claim; whether there is any use in going on with others."""
        self._seen.add(due.booking_id)
        after = self.settings.rate_retry
        try:
            result = yield from Apart(self.take_up(due))
        except Exception as error:  # noqa: BLE001 - one booking must not keep the sweep from the others
            self.errors.append((due.booking_id, named(error, show=self.settings.show_errors)))
            if not isinstance(error, StoreUnavailableError | CommitUnknownError):
                return True
        else:
            self.results.append(result)
            if result.reason not in CLAIM_COMES_BACK:
                return True
            after = result.retry_after or after
        return (yield from self._put_back((due,), after))

    def _put_back(self, claims: Sequence[Due], after: dt.timedelta) -> Flow[bool]:
        """Give up claims; whether that could be done. Where it cannot, they end by themselves."""
        try:
            yield from PutBack(tuple(claims), after)
        except Exception:  # noqa: BLE001 - a store that is away: it is tried once more when the sweep ends
            if claims is not self._kept:
                self._kept += claims
            return False
        return True


def _parts(claims: Sequence[Due], most: int) -> Iterator[list[Due]]:
    """
    Parts of *claims* with *most* at most, those of a restaurant behind each other and in their order.

    Nobody is taken up alone here: who would be, is left out.
    """
    by_restaurant = sorted(claims, key=lambda due: due.restaurant_id)
    for start in range(0, len(by_restaurant), most):
        part = by_restaurant[start : start + most]
        if len(part) > 1:
            yield part
