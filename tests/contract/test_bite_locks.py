"""The contract of lock managers bites."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from assignment_pipeline.adapters.memory import MemoryLockManager
from assignment_pipeline.ports import Lease, Leases, Refused, Wanted
from assignment_pipeline.testing import FakeClock, LockManagerContract

PAUSE = 0.02
"""Seconds for which a racy adapter looks away, that others may do the same."""


class GrantsAll(MemoryLockManager):
    """Locks nothing."""

    def acquire(self, wanted: Sequence[Wanted], *, ttl: dt.timedelta) -> Leases | Refused:
        return Leases(tuple(Lease(want.key, "me", "x", self.clock.now() + ttl) for want in wanted))


class OneLock(MemoryLockManager):
    """Has one lock for all keys."""

    def acquire(self, wanted: Sequence[Wanted], *, ttl: dt.timedelta) -> Leases | Refused:
        answer = super().acquire([Wanted("all", want.slots) for want in wanted[:1]], ttl=ttl)
        return Refused(wanted[0].key) if isinstance(answer, Refused) else answer


class ReleasesByKey(MemoryLockManager):
    """Lets anyone let go."""

    def release(self, leases: Leases) -> None:
        for lease in leases.leases:
            self._held.pop(lease.key, None)


class NeverReleases(MemoryLockManager):
    """Waits for the time to be up."""

    def release(self, leases: Leases) -> None:
        pass


class ReleasesTheFirst(MemoryLockManager):
    """Lets go of one key of several."""

    def release(self, leases: Leases) -> None:
        super().release(Leases(leases.leases[:1]))


class SomeOrNone(MemoryLockManager):
    """Keeps what it got before it was refused."""

    def acquire(self, wanted: Sequence[Wanted], *, ttl: dt.timedelta) -> Leases | Refused:
        leases: list[Lease] = []
        for want in wanted:
            answer = super().acquire([want], ttl=ttl)
            if isinstance(answer, Refused):
                return answer
            leases += answer.leases
        return Leases(tuple(leases))


class RefusesTheLast(MemoryLockManager):
    """Names the last of the keys that are held."""

    def acquire(self, wanted: Sequence[Wanted], *, ttl: dt.timedelta) -> Leases | Refused:
        return super().acquire(list(reversed(wanted)), ttl=ttl)


class RefusesNothing(MemoryLockManager):
    """Has no answer to no question."""

    def acquire(self, wanted: Sequence[Wanted], *, ttl: dt.timedelta) -> Leases | Refused:
        return super().acquire(wanted, ttl=ttl) if wanted else Refused("")


class NeverExpires(MemoryLockManager):
    """Keeps the keys of the dead."""

    def acquire(self, wanted: Sequence[Wanted], *, ttl: dt.timedelta) -> Leases | Refused:
        return super().acquire(wanted, ttl=1000 * ttl)


class ExpiresAtOnce(MemoryLockManager):
    """Gives every key the same, short time."""

    def acquire(self, wanted: Sequence[Wanted], *, ttl: dt.timedelta) -> Leases | Refused:
        return super().acquire(wanted, ttl=min(ttl, dt.timedelta(minutes=1)))


class ExpiresAllSlots(MemoryLockManager):
    """Ends all of a key's leases with the first of them."""

    def acquire(self, wanted: Sequence[Wanted], *, ttl: dt.timedelta) -> Leases | Refused:
        now = self.clock.now()
        self._held = {key: held for key, held in self._held.items() if all(one.expires_at > now for one in held)}
        return super().acquire(wanted, ttl=ttl)


class OneSlot(MemoryLockManager):
    """Takes no notice of slots."""

    def acquire(self, wanted: Sequence[Wanted], *, ttl: dt.timedelta) -> Leases | Refused:
        return super().acquire([Wanted(want.key) for want in wanted], ttl=ttl)


class SlotsApart(MemoryLockManager):
    """Counts holders by the number of slots that they asked for."""

    def acquire(self, wanted: Sequence[Wanted], *, ttl: dt.timedelta) -> Leases | Refused:
        answer = super().acquire([Wanted(f"{want.key} {want.slots}", want.slots) for want in wanted], ttl=ttl)
        return Refused(answer.key.rpartition(" ")[0]) if isinstance(answer, Refused) else answer


class PlainKeys(MemoryLockManager):
    """Keeps of a key what its own alphabet has."""

    def acquire(self, wanted: Sequence[Wanted], *, ttl: dt.timedelta) -> Leases | Refused:
        plain = [Wanted(want.key.encode("ascii", "ignore").decode(), want.slots) for want in wanted]
        return super().acquire(plain, ttl=ttl)


class RacyLocks(MemoryLockManager):
    """Looks, and only then takes."""

    def acquire(self, wanted: Sequence[Wanted], *, ttl: dt.timedelta) -> Leases | Refused:
        seen = {key: list(held) for key, held in self._held.items()}
        time.sleep(PAUSE)
        blind = MemoryLockManager(self.clock)
        blind._held = seen
        answer = blind.acquire(wanted, ttl=ttl)
        self._held |= blind._held
        return answer


BROKEN_LOCKS: list[tuple[type[MemoryLockManager], str]] = [
    (GrantsAll, "a_held_key_is_refused"),
    (GrantsAll, "a_key_has_as_many_holders_as_slots"),
    (OneLock, "other_keys_stay_free"),
    (ReleasesByKey, "a_late_release_leaves_the_next_holder_alone"),
    (ReleasesByKey, "releasing_twice_is_harmless"),
    (NeverReleases, "a_released_key_is_free"),
    (ReleasesTheFirst, "what_is_left_of_several_is_released"),
    (SomeOrNone, "it_is_all_or_none"),
    (RefusesTheLast, "the_first_refused_key_is_named"),
    (RefusesTheLast, "leases_come_in_the_order_wanted"),
    (RefusesNothing, "wanting_nothing_is_granted"),
    (NeverExpires, "a_lease_ends_by_itself"),
    (ExpiresAtOnce, "a_lease_lasts_until_its_time"),
    (ExpiresAtOnce, "a_lease_says_when_it_ends"),
    (ExpiresAllSlots, "slots_expire_one_by_one"),
    (OneSlot, "a_key_has_as_many_holders_as_slots"),
    (SlotsApart, "fewer_slots_now_count_those_held_before"),
    (PlainKeys, "any_text_is_a_key"),
    (RacyLocks, "threads_never_share_a_lock"),
]


def locks(kind: type[MemoryLockManager]) -> Callable[[], dict[str, Any]]:
    """The fixtures that the locks' contract wants, for a kind of lock manager."""

    def make() -> dict[str, Any]:
        clock = FakeClock()
        return {"locks": kind(clock), "elapse": clock.advance}

    return make


def test_the_reference_locks_pass(failures):
    """What is not broken passes every test, run as the broken ones are."""
    assert failures(LockManagerContract, locks(MemoryLockManager)) == set()


@pytest.mark.parametrize(("kind", "test"), BROKEN_LOCKS)
def test_a_broken_lock_manager_fails(kind, test, failures):
    """A lock manager that breaks one promise fails the test of that promise."""
    assert failures(LockManagerContract, locks(kind), test) == {test}


def test_every_lock_test_bites():
    """There is no test in the contract that no broken lock manager fails."""
    proven = {test for _, test in BROKEN_LOCKS}
    assert {name.removeprefix("test_") for name in dir(LockManagerContract) if name.startswith("test_")} == proven
