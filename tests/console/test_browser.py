"""An evening is worked in a real browser: Chromium, where it is installed."""

from __future__ import annotations

import base64
import contextlib
import re
import shutil
import socket
import subprocess
import tarfile
import threading
from pathlib import Path

import pytest
import uvicorn

from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore
from assignment_pipeline.console import EVERYWHERE, Staff, console
from assignment_pipeline.console.file import floor_file
from assignment_pipeline.coordinator import Coordinator
from assignment_pipeline.domain.result import LegacyResult, Mode
from assignment_pipeline.rollout.flags import FixedFlags
from assignment_pipeline.testing import FakeClock
from tests.console.house import ANNA, EVENING, booking, full_house, rolled

webdriver = pytest.importorskip("selenium.webdriver")
from selenium.common.exceptions import WebDriverException  # noqa: E402 - behind the check that it is there
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.expected_conditions import staleness_of  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium with its chromedriver is installed")

SIZES = {"phone": (390, 844), "tablet": (820, 1180), "desktop": (1440, 900)}
PAGES = (
    "floor",
    "floor?party=2",
    "moment",
    "service",
    "queue",
    "booking?id=b-1",
    "act?do=place&id=b-1",
    "rollout",
    "./",
)


def said(element):
    """What an element says, in one line, what only screen readers read with it."""
    return " ".join(element.text.split())


class Window:
    """A window of a browser on a console."""

    def __init__(self, driver, base):
        self.driver = driver
        self.base = base

    def go(self, path):
        self.driver.get(self.base + path)
        return self

    @property
    def text(self):
        return self.driver.find_element(By.ID, "main").text

    def click(self, words):
        """The link or button that is called so."""
        found = [
            each for each in self.driver.find_elements(By.CSS_SELECTOR, "#main a, #main button") if said(each) == words
        ]
        assert found, f"{words!r} is not among what can be clicked on: {self.text}"
        left = self.driver.find_element(By.TAG_NAME, "html")
        found[0].click()
        # Each click leads to another page. While one page gives way to the next, the driver may have another error.
        WebDriverWait(self.driver, 10, ignored_exceptions=[WebDriverException]).until(staleness_of(left))

    def fill(self, name, value):
        """A field of a form. Times are typed as people in the United States do: the browser speaks English."""
        self.driver.find_element(By.CSS_SELECTOR, f"#main input[name={name}]:not([type=hidden])").send_keys(value)

    def do(self, path, button, **fields):
        """Look at what an act will do, then do it; what was said before and after."""
        self.go(path)
        for name, value in fields.items():
            self.fill(name, value)
        if fields:
            self.click("Show what it will do")
        before = self.text
        self.click(button)
        return before, self.text


@pytest.fixture(scope="module")
def chromium():
    """A browser without a window."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for each in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--lang=en-US"):
        options.add_argument(each)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@contextlib.contextmanager
def served(app):
    """An address at which an application answers, for the block."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        finally:
            server.should_exit = True
            thread.join(20)


@pytest.fixture
def who():
    """Who is logged in: a list of one."""
    return [ANNA]


@pytest.fixture
def window(coordinator, chromium, who):
    """A window of anna's; nothing that the pages do may be refused by their own policy."""
    with served(console(coordinator, staff=lambda _: who[0])) as base:
        chromium.delete_all_cookies()
        chromium.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": 1440, "height": 900, "deviceScaleFactor": 1, "mobile": False},
        )
        chromium.get_log("browser")
        yield Window(chromium, base)
        severe = [entry["message"] for entry in chromium.get_log("browser") if entry["level"] == "SEVERE"]
        assert [each for each in severe if "409 (Conflict)" not in each and "404 (Not" not in each] == []
        chromium.get("about:blank")


def test_an_evening_is_worked(window, coordinator, put, who):
    """Seat, other tables, a swap, a no-show, a walk-in, a review placed, a room closed, and two at once."""
    put("b-1", 2, 17, 30)
    put("b-2", 2, 17, 30)
    put("b-3", 4, 19)
    put("large", 12, 19)
    table, other = (coordinator.record(key).tables[0] for key in ("b-1", "b-2"))

    window.go("floor")
    window.driver.find_element(By.CSS_SELECTOR, '.bar a[href="booking?id=b-1"]').click()
    WebDriverWait(window.driver, 10).until(lambda driver: driver.title == "Booking b-1")
    window.click("Swap tables b-1")
    window.fill("other", "b-2")
    window.click("Show what it will do")
    assert f"b-1 gets {other} instead of {table}." in window.text
    window.click("Swap tables")
    assert "Done." in window.text
    assert (coordinator.record("b-1").tables, coordinator.record("b-2").tables) == ((other,), (table,))

    before, after = window.do("act?do=seated&id=b-1", "Seat")
    assert f"The party of b-1 sits at {other}." in before
    assert "Done." in after
    assert coordinator.record("b-1").allocation.sits
    assert "Done." in window.do("act?do=no_show&id=b-2", "No-show")[1]
    window.go("service")
    window.fill("id", "b-2")
    window.click("Show")
    window.click("Put back b-2")
    window.click("Put back")
    assert "Done." in window.text
    assert coordinator.record("b-2").state == "confirmed"
    assert "Done." in window.do("act?do=place&id=b-3", "Give tables", tables="T4")[1]
    assert coordinator.record("b-3").tables == ("T4",)
    walks_in(window, coordinator, "3")

    window.go("queue")
    assert "large" in window.text
    window.click("Turn down large")
    assert "large is turned down for good, and its guests are told." in window.text
    window.click("Turn down")
    assert "Done." in window.text

    before, after = window.do("act?do=block&tables=T3,T4", "Close tables", to="1100PM", reason="leak")
    assert "b-3 has T4 then, and keeps it until somebody moves it." in before
    assert {block.table_id for block in coordinator.blocks("corner")} == {"T3", "T4"}

    window.go("act?do=place&id=b-3&tables=T1,T2")
    coordinator.unpin("b-3", actor="ben")
    window.click("Give tables")
    assert "somebody was first" in window.text
    assert "ben" in window.text
    assert coordinator.record("b-3").tables == ("T4",)


def walks_in(window, coordinator, guests):
    """Seat guests who have no booking, at the table that the page offers."""
    window.go("service")
    window.click("Seat a walk-in")
    window.fill("guests", guests)
    window.click("Show what it will do")
    (offered,) = re.findall(r"They sit down at (T\d), until 21:\d\d\.", window.text)
    window.click("Seat a walk-in")
    assert "Done." in window.text
    (party,) = [one for one in coordinator.floor("corner").parties if one.booking_id.startswith("walk-in")]
    assert (party.tables, party.presence) == ((offered,), "sits")


def test_with_the_keyboard_alone(window, coordinator, put):
    """From the first key on: past the menu, to a booking, to what can be done, and done."""
    put("b-1", 2, 17, 30)
    window.go("service")
    at = window.driver.switch_to.active_element
    at.send_keys(Keys.TAB)
    assert window.driver.switch_to.active_element.text == "Skip to the content"
    window.driver.switch_to.active_element.send_keys(Keys.ENTER)
    for _ in range(20):
        window.driver.switch_to.active_element.send_keys(Keys.TAB)
        if said(window.driver.switch_to.active_element) == "Seat b-1":
            break
    window.driver.switch_to.active_element.send_keys(Keys.ENTER)
    WebDriverWait(window.driver, 10).until(lambda driver: driver.title == "Seat")
    assert window.driver.switch_to.active_element.text == "Seat"
    window.driver.switch_to.active_element.send_keys(Keys.ENTER)
    WebDriverWait(window.driver, 10).until(lambda driver: "Done." in driver.page_source)
    assert coordinator.record("b-1").allocation.sits


def test_new_things_appear_by_themselves(window, coordinator, put):
    """Without a reload; the script is asked at once, as when the page is looked at again."""
    window.go("floor")
    put("b-1", 2, 17, 30)
    assert "b-1" not in window.text
    window.driver.execute_script("document.dispatchEvent(new Event('visibilitychange'))")
    WebDriverWait(window.driver, 10).until(lambda driver: "booking?id=b-1" in driver.page_source)


def test_it_works_without_script(window, coordinator, put):
    """Everything is links and forms."""
    put("b-1", 2, 17, 30)
    window.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        window.go("moment?m=1180")
        window.click("Show")
        assert "19:40" in window.text
        assert "Done." in window.do("act?do=seated&id=b-1", "Seat")[1]
    finally:
        window.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_nothing_is_wider_than_the_window(window, coordinator, put, who):
    """On a phone, a tablet and a desk: what is wide scrolls by itself."""
    put("b-1", 2, 17, 30)
    who[0] = Staff("anna", restaurants=EVERYWHERE)
    for width, height in SIZES.values():
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        window.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        for path in PAGES:
            window.go(path if "?" in path or path in {"./", "rollout"} else f"{path}?restaurant=corner")
            wide = window.driver.execute_script("return document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, (path, width)
            for picture in window.driver.find_elements(By.CSS_SELECTOR, "svg.lifecycle, .list"):
                assert picture.rect["x"] + picture.rect["width"] <= width, (path, width)


@pytest.mark.parametrize(("tables", "zones", "sheets"), [(4, 8, 1), (16, 8, 1), (40, 8, 3), (200, 8, 8), (200, 1, 6)])
def test_a_floor_is_printed_so_that_it_can_be_read(chromium, tmp_path, tables, zones, sheets):
    """On one sheet, or a zone a sheet; never smaller than six tenths of the usual size. The file, in landscape."""
    store = MemoryStore(MemoryHost(), clock=FakeClock(EVENING))
    full_house(store, store.host.put_venue, tables=tables, bookings=2 * tables, zones=zones)
    path = tmp_path / "floor.html"
    path.write_text(floor_file(Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=()).day("palace")))
    assert int(re.search(r'class="board n\d+ z(\d+) ', path.read_text())[1]) >= 60
    chromium.get(path.as_uri())
    printed = chromium.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True, "printBackground": True})
    pages = re.findall(rb"/Type\s*/Page\b", base64.b64decode(printed["data"]))
    assert len(pages) == sheets


@pytest.fixture(scope="session")
def axe(tmp_path_factory):
    """The source of axe-core, from npm's registry; skips where it cannot be had."""
    folder = tmp_path_factory.mktemp("axe")
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm to get axe-core with")
    try:
        subprocess.run([npm, "pack", "axe-core@4"], cwd=folder, check=True, capture_output=True, timeout=60)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        pytest.skip("axe-core cannot be had from npm")
    (archive,) = Path(folder).glob("axe-core-*.tgz")
    with tarfile.open(archive) as packed:
        return packed.extractfile("package/axe.min.js").read().decode()


def test_a_rollout_with_its_gates_and_a_mismatch(chromium, axe):
    """They fit a phone, and axe finds nothing serious, in light and in dark."""
    store, coordinator = rolled(hours=6)
    with Coordinator(store, flags=FixedFlags(Mode.SHADOW), sinks=(), shadow="thread") as shadowing:
        made = booking("b-1", 2, 19, restaurant_id=store.restaurants()[0])
        store.host.put_booking(made)
        assert shadowing.observe(made, LegacyResult(("T4",)))
        assert shadowing.shadow.flush(20)
    (bundle,) = store.bundles(limit=5)
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    with served(console(coordinator, staff=lambda _: Staff("anna", restaurants=EVERYWHERE))) as base:
        window = Window(chromium, base)
        chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        for path, picture in (("rollout", "svg.sequence"), (f"mismatch?id={bundle.id}", ".board")):
            window.go(path)
            assert len(chromium.find_elements(By.CSS_SELECTOR, picture)) >= 2
            assert chromium.execute_script("return document.documentElement.scrollWidth - innerWidth") <= 0
            for theme in ("light", "dark"):
                assert serious(chromium, axe, theme) == []
        chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
        chromium.get("about:blank")


def serious(driver, axe, theme):
    """What axe-core finds on the page that is serious, in a theme: in dark, of colours, as nothing else is another."""
    feature = {"name": "prefers-color-scheme", "value": theme}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    if not driver.execute_script("return 'axe' in window"):
        driver.execute_cdp_cmd("Runtime.evaluate", {"expression": axe})
    rules = ", runOnly: ['color-contrast']" if theme == "dark" else ""
    options = f"{{resultTypes: ['violations']{rules}}}"  # Of what passes, one node a rule.
    answer = driver.execute_async_script(f"axe.run(document, {options}).then(arguments[0])")
    assert len(answer["passes"]) > (0 if theme == "dark" else 10)
    return [
        (each["id"], [node["html"][:120] for node in each["nodes"][:3]])
        for each in answer["violations"]
        if each["impact"] in {"serious", "critical"}
    ]


def test_axe_finds_nothing_serious(window, coordinator, put, who, axe):
    """On each page, in light and in dark."""
    put("b-1", 2, 17, 30)
    put("b-2", 2, 19)
    put("large", 12, 19)
    coordinator.seated("b-1", actor="anna")
    who[0] = Staff("anna", restaurants=EVERYWHERE)
    found = []
    for path in PAGES:
        mark = "&" if "?" in path else "?"
        window.go(path if path in {"./", "rollout"} or "id=" in path else f"{path}{mark}restaurant=corner")
        for theme in ("light", "dark"):
            found += [(theme, path, *each) for each in serious(window.driver, axe, theme)]
    window.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert found == []
