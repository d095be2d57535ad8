"""What every lock manager promises."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

from assignment_pipeline.ports import Leases, LockManager, Refused, Wanted

Elapse = Callable[[dt.timedelta], None]

THREADS = 8


class LockManagerContract:
    """
    The suite for a `LockManager`.

    Give it two fixtures: ``locks``, a manager under which nothing is held, and
    ``elapse``, a function that lets a span of time pass by the lock server's clock.

    Attributes:
        ttl: For how long the tests lock; shorten it where ``elapse`` really sleeps.
    """

    ttl: ClassVar[dt.timedelta] = dt.timedelta(minutes=1)

    def take(self, locks: LockManager, *keys: str, ttl: dt.timedelta | None = None, slots: int = 1) -> Leases:
        """Lock *keys*, which must be free."""
        leases = locks.acquire([Wanted(key, slots) for key in keys], ttl=ttl or self.ttl)
        assert isinstance(leases, Leases)
        return leases

    def refused(self, locks: LockManager, *keys: str, slots: int = 1) -> str:
        """Ask for *keys*, of which one must be taken: that one."""
        refused = locks.acquire([Wanted(key, slots) for key in keys], ttl=self.ttl)
        assert isinstance(refused, Refused)
        return refused.key

    def test_a_held_key_is_refused(self, locks: LockManager) -> None:
        """Only one of two callers gets the key."""
        self.take(locks, "table-7")
        assert self.refused(locks, "table-7") == "table-7"

    def test_other_keys_stay_free(self, locks: LockManager) -> None:
        """A lock locks its own key only."""
        self.take(locks, "table-7")
        self.take(locks, "table-70")

    def test_a_released_key_is_free(self, locks: LockManager) -> None:
        """What the holder lets go of can be taken at once."""
        locks.release(self.take(locks, "table-7"))
        self.take(locks, "table-7")

    def test_leases_come_in_the_order_wanted(self, locks: LockManager) -> None:
        """There is one lease a key, in the order in which the keys were asked for."""
        leases = self.take(locks, "b", "c", "a").leases
        assert [lease.key for lease in leases] == ["b", "c", "a"]

    def test_wanting_nothing_is_granted(self, locks: LockManager) -> None:
        """No keys are no reason to refuse."""
        assert locks.acquire([], ttl=self.ttl) == Leases(())

    def test_it_is_all_or_none(self, locks: LockManager) -> None:
        """Where one key is refused, the others are left free."""
        self.take(locks, "b")
        assert self.refused(locks, "a", "b", "c") == "b"
        self.take(locks, "a", "c")

    def test_the_first_refused_key_is_named(self, locks: LockManager) -> None:
        """Of several held keys, the one named is the first in the order wanted."""
        self.take(locks, "a")
        self.take(locks, "b")
        assert self.refused(locks, "c", "b", "a") == "b"

    def test_a_lease_ends_by_itself(self, locks: LockManager, elapse: Elapse) -> None:
        """A key whose holder died is free once its time is up."""
        self.take(locks, "table-7")
        elapse(self.ttl)
        self.take(locks, "table-7")

    def test_a_lease_lasts_until_its_time(self, locks: LockManager, elapse: Elapse) -> None:
        """A lease outlives other, shorter ones on other keys."""
        self.take(locks, "long", ttl=3 * self.ttl)
        self.take(locks, "short")
        elapse(self.ttl)
        assert self.refused(locks, "long") == "long"
        self.take(locks, "short")

    def test_a_lease_says_when_it_ends(self, locks: LockManager) -> None:
        """Leases carry an aware end, later for a longer time to live."""
        (short,) = self.take(locks, "short").leases
        (long,) = self.take(locks, "long", ttl=2 * self.ttl).leases
        assert short.expires_at.utcoffset() is not None
        assert short.expires_at < long.expires_at

    def test_a_late_release_leaves_the_next_holder_alone(self, locks: LockManager, elapse: Elapse) -> None:
        """Who lost a key by expiry cannot free it under its new holder."""
        lost = self.take(locks, "table-7")
        elapse(self.ttl)
        self.take(locks, "table-7")
        locks.release(lost)
        assert self.refused(locks, "table-7") == "table-7"

    def test_releasing_twice_is_harmless(self, locks: LockManager) -> None:
        """The second release does nothing, even to a new holder."""
        leases = self.take(locks, "table-7")
        locks.release(leases)
        locks.release(leases)
        self.take(locks, "table-7")
        locks.release(leases)
        assert self.refused(locks, "table-7") == "table-7"

    def test_what_is_left_of_several_is_released(self, locks: LockManager, elapse: Elapse) -> None:
        """Of leases of which one was lost, release frees the others."""
        lost = self.take(locks, "a", ttl=self.ttl)
        kept = self.take(locks, "b", ttl=3 * self.ttl)
        elapse(self.ttl)
        self.take(locks, "a")
        locks.release(Leases((*lost.leases, *kept.leases)))
        assert self.refused(locks, "a") == "a"
        self.take(locks, "b")

    def test_a_key_has_as_many_holders_as_slots(self, locks: LockManager) -> None:
        """With three slots the fourth is refused, and one release lets one in."""
        first, *_ = [self.take(locks, "restaurant", slots=3) for _ in range(3)]
        assert self.refused(locks, "restaurant", slots=3) == "restaurant"
        locks.release(first)
        self.take(locks, "restaurant", slots=3)
        assert self.refused(locks, "restaurant", slots=3) == "restaurant"

    def test_slots_expire_one_by_one(self, locks: LockManager, elapse: Elapse) -> None:
        """A slot comes free when its own holder's time is up, not with the others'."""
        self.take(locks, "restaurant", slots=2)
        self.take(locks, "restaurant", slots=2, ttl=3 * self.ttl)
        elapse(self.ttl)
        self.take(locks, "restaurant", slots=2)
        assert self.refused(locks, "restaurant", slots=2) == "restaurant"

    def test_fewer_slots_now_count_those_held_before(self, locks: LockManager) -> None:
        """When the number of slots is turned down, holders from before still count."""
        for _ in range(2):
            self.take(locks, "restaurant", slots=3)
        assert self.refused(locks, "restaurant", slots=2) == "restaurant"
        self.take(locks, "restaurant", slots=3)

    def test_any_text_is_a_key(self, locks: LockManager) -> None:
        """Keys may hold what identifiers may: other scripts, spaces, quotes, colons and percent signs."""
        keys = ("booking:Zoë's 50 % off", "booking:東京 1")
        self.take(locks, *keys)
        assert [self.refused(locks, key) for key in keys] == list(keys)

    def test_threads_never_share_a_lock(self, locks: LockManager) -> None:
        """Of threads that ask at the same moment, as many get the key as it has slots."""
        assert self._race(locks, slots=1) == 1
        assert self._race(locks, slots=3) == 3

    def _race(self, locks: LockManager, *, slots: int) -> int:
        barrier = threading.Barrier(THREADS)

        def ask(_: int) -> Leases | Refused:
            wanted: Sequence[Wanted] = [Wanted(f"own-{slots}", THREADS), Wanted(f"shared-{slots}", slots)]
            barrier.wait()
            return locks.acquire(wanted, ttl=self.ttl)

        with ThreadPoolExecutor(THREADS) as pool:
            answers = list(pool.map(ask, range(THREADS)))
        return sum(isinstance(answer, Leases) for answer in answers)
