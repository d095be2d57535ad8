"""
Take the pictures of docs/how-to/console.md anew, in Chromium.

    python -m tests.console.pictures
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from selenium import webdriver

from assignment_pipeline import Booking
from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore
from assignment_pipeline.cli.day.evening import evening
from assignment_pipeline.console import EVERYWHERE, Staff, console
from assignment_pipeline.coordinator import Coordinator
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.rollout.flags import FixedFlags
from assignment_pipeline.testing import FakeClock
from tests.console.house import rolled
from tests.console.test_browser import CHROMIUM, DRIVER, served

PLACE = Path(__file__).parents[2] / "docs" / "_static"
PICTURES = {
    "console-floor": ("floor?restaurant=demo&party=4", 1120, 620, "light"),
    "console-service": ("service?restaurant=demo", 390, 620, "dark"),
    "console-queue": ("queue?restaurant=demo", 1120, 640, "light"),
}
OF_THE_ROLLOUT = {"console-rollout": ("rollout", 1120, 920, "light")}


def house() -> Coordinator:
    """The demo's evening at half past seven: parties sit, some have left, and a few should have."""
    clock = FakeClock(dt.datetime(2031, 5, 17, 9, tzinfo=dt.UTC))
    service = evening(dt.date(2031, 5, 17), seed=1)
    host = MemoryHost()
    host.put_venue(service.venue)
    coordinator = Coordinator(MemoryStore(host, clock=clock), flags=FixedFlags(Mode.ACTIVE), sinks=())
    for booking in service.bookings:
        host.put_booking(booking)
        coordinator.assign(booking)
    day = coordinator.day(service.venue.id)
    parties = sorted(
        (record for record in day.records if record.allocation), key=lambda record: record.allocation.turn.start
    )
    now = dt.datetime.combine(day.date, dt.time(19, 30), service.venue.zone)
    comings = [(record.allocation.turn.start, "seated", record) for at, record in enumerate(parties) if at % 12]
    goings = [(record.allocation.turn.end, "left", record) for at, (*_, record) in enumerate(comings) if at % 15]
    for moment, act, record in sorted((*comings, *goings), key=lambda each: each[0]):
        if moment < now:
            clock.advance(max(moment - clock.now(), dt.timedelta()))
            held = coordinator.record(record.booking_id).allocation
            if act == "seated" or (held is not None and held.sits):
                getattr(coordinator, act)(record.booking_id, actor="anna")
    clock.advance(now - clock.now())
    return coordinator


def main() -> None:
    """Take them."""
    evenings, rollout = house(), rolled()[1]
    for key, party, start, facts in (("Guest 201", 30, 1, {}), ("Guest 202", 2, 2, {"zone": "Terrace"})):
        day = evenings.day("demo")
        evenings.assign(Booking(key, "demo", party, day.now + start * dt.timedelta(hours=1), **facts))
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for each in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(each)
    with webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER)) as driver:
        for coordinator, pictures in ((evenings, PICTURES), (rollout, OF_THE_ROLLOUT)):
            with served(console(coordinator, staff=lambda _: Staff("anna", restaurants=EVERYWHERE))) as base:
                for name, picture in pictures.items():
                    take(driver, base, name, *picture)


def take(driver: webdriver.Chrome, base: str, name: str, path: str, width: int, height: int, theme: str) -> None:
    """One of them."""
    feature = {"name": "prefers-color-scheme", "value": theme}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    driver.get(base + path)
    driver.save_screenshot(str(PLACE / f"{name}.png"))


if __name__ == "__main__":
    main()
