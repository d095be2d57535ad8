"""Whether this process's clock and the store's say the same."""

from __future__ import annotations

import datetime as dt

from assignment_pipeline.rollout.doctor.diagnosis import Finding, good, wrong

MOST_APART = dt.timedelta(minutes=1)


def examine_clock(now: dt.datetime, here: dt.datetime) -> Finding:
    """
    The finding of two clocks that are read one after the other.

    Args:
        now: The store's time: the database server's, unless the store was given a clock.

        here: This process's time.
    """
    here, now = here.astimezone(dt.UTC), now.astimezone(dt.UTC)
    apart = here - now
    seconds = round(abs(apart).total_seconds())
    if abs(apart) <= MOST_APART:
        return good("clock", f"this process and the store are {seconds} seconds apart")
    words = f"{dt.timedelta(seconds=seconds)} {'ahead of' if apart > dt.timedelta() else 'behind'}"
    return wrong(
        "clock",
        f"this process is {words} the store: {here:%Y-%m-%d %H:%M:%S} UTC here, {now:%Y-%m-%d %H:%M:%S} there",
        "the clock of this machine or of the database server is wrong, or the store was given another clock",
        "have both follow NTP. Bookings, gates and alerts go by the store's clock: one that is ahead sends bookings to"
        " review as past, and gates pass too early; leases of other servers go by their own",
    )
