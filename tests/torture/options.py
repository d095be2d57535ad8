"""What a run is told."""

from __future__ import annotations

import attrs

ON_POSTGRES = {
    "terminate": "sessions are ended in the middle of commits",
    "restart": "PostgreSQL crashes, or is shut down, and starts again",
    "broker": "the broker crashes, and starts again, with all messages lost",
    "flush": "Redis forgets everything",
    "pause": "Redis takes connections and does not answer",
    "redis": "Redis crashes, and starts again",
}
ON_SQLITE = {
    "away": "the database file is moved away, and put back",
    "restore": "the database file is replaced by a copy of it",
}
EVERYWHERE = {
    "kill": "workers are killed, and replaced",
    "stop": "workers are stopped until after their locks have ended, and go on",
    "clocks": "the clocks of workers differ by minutes",
    "twice": "every message is delivered twice, and some only then",
    "cancel": "bookings are cancelled while they are under way",
    "change": "bookings change their time and party while they are under way",
    "blocks": "tables are taken out of service and put back",
    "flags": "restaurants go from active to shadow, to off, and back",
    "staff": "the host's staff seat people without telling anybody",
}
FAULTS = EVERYWHERE | ON_POSTGRES | ON_SQLITE
"""What goes wrong, by the name that it is asked for."""

ON_REDIS = frozenset({"flush", "pause", "redis"})


@attrs.frozen(kw_only=True)
class Options:
    """
    What a run is told.

    Attributes:
        store: ``postgres`` or ``sqlite``.

        seconds: For how long bookings come and things go wrong.

        bookings: How many come.

        restaurants: At how many restaurants.

        workers: Processes that assign.

        threads: Threads of each that do.

        faults: What goes wrong, among `FAULTS`.

        seed: What is drawn by; the times at which processes get to run are not.
    """

    store: str = "postgres"
    seconds: float = 60.0
    bookings: int = 1_000
    restaurants: int = 3
    workers: int = 4
    threads: int = 3
    faults: frozenset[str] = frozenset(EVERYWHERE | ON_POSTGRES)
    seed: int = 0

    @property
    def has_staff(self) -> bool:
        """Whether the host seats people itself, so that it is asked inside every commit."""
        return "staff" in self.faults

    @property
    def has_redis(self) -> bool:
        """Whether locks are in Redis; else they are in the store's own database."""
        return bool(self.faults & ON_REDIS)

    @property
    def has_broker(self) -> bool:
        """Whether messages go through a broker; else they go through pipes."""
        return "broker" in self.faults


def select(text: str, store: str) -> frozenset[str]:
    """
    The faults that *text* names: ``all``, ``none``, or names with commas between.

    Raises:
        ValueError: There is no such fault on that store.
    """
    known = EVERYWHERE | (ON_POSTGRES if store == "postgres" else ON_SQLITE)
    if text in {"all", "none"}:
        return frozenset(known) if text == "all" else frozenset()
    wanted = [name.strip() for name in text.split(",")]
    for name in wanted:
        if name not in known:
            msg = f"expected all, none, or some of {', '.join(known)}, got {name!r}"
            raise ValueError(msg)
    return frozenset(wanted)
