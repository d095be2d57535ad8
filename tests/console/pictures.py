"""
Take the pictures of docs/how-to/console.md anew, in Chromium.

    python -m tests.console.pictures
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from selenium import webdriver

from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore
from assignment_pipeline.cli.day.evening import evening
from assignment_pipeline.console import Staff, console
from assignment_pipeline.coordinator import Coordinator
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.rollout.flags import FixedFlags
from assignment_pipeline.testing import FakeClock
from tests.console.test_browser import CHROMIUM, DRIVER, served

PLACE = Path(__file__).parents[2] / "docs" / "_static"
PICTURES = {
    "console-floor": ("floor?restaurant=demo&party=4", 1120, 620, "light"),
    "console-service": ("service?restaurant=demo", 390, 620, "dark"),
}


def house() -> Coordinator:
    """The demo's evening at half past seven, with some parties at their tables."""
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
    for at, record in enumerate(parties):
        start = record.allocation.turn.start
        if start < now and at % 5:
            clock.advance(max(start - clock.now(), dt.timedelta()))
            coordinator.seated(record.booking_id, actor="anna")
    clock.advance(now - clock.now())
    return coordinator


def main() -> None:
    """Take them."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for each in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(each)
    app = console(house(), staff=lambda _: Staff("anna", restaurants=["demo"]))
    with served(app) as base, webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER)) as driver:
        for name, (path, width, height, theme) in PICTURES.items():
            feature = {"name": "prefers-color-scheme", "value": theme}
            driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
            metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
            driver.get(base + path)
            driver.save_screenshot(str(PLACE / f"{name}.png"))


if __name__ == "__main__":
    main()
