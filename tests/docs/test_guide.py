"""The operator's guide: each of its commands runs, and what it says of a phase is what the phase is."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import re
import shlex
from pathlib import Path

import pytest

from assignment_pipeline import Booking, Coordinator, FloorPlan, Mode, Table, Venue
from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost, init
from assignment_pipeline.cli.app import run
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.rollout.control import PHASES, Phase
from assignment_pipeline.rollout.flags import FixedFlags

GUIDE = Path(__file__).parents[2] / "docs" / "guide"
PAGES = {page.stem: page.read_text(encoding="utf-8") for page in sorted(GUIDE.glob("*.md"))}
NAME = "assignment-pipeline "


def commands(text):
    """The commands of a page's shell blocks."""
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        for line in block.replace("\\\n", "").splitlines():
            if line.strip():
                yield line.strip()


COMMANDS = [(page, line) for page, text in PAGES.items() for line in commands(text)]


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory):
    """A folder with the guide's database, after an evening in the phase of each page."""
    folder = tmp_path_factory.mktemp("guide")
    path = folder / "bookings.db"
    init(path, standalone=True)
    host = StandaloneHost()
    start_at = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).replace(second=0, microsecond=0)
    with (
        SQLiteStore(path, host=host) as store,
        Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=()) as coordinator,
    ):
        venue = Venue("chez-nous", "Europe/Paris", FloorPlan([Table("T1", 4), Table("T2", 4)]))
        store.write(lambda connection: host.put_venue(connection, venue))
        for number, size in enumerate((2, 4, 9)):
            coordinator.assign(Booking(f"b-{number}", "chez-nous", size, start_at))
    return folder


@pytest.fixture
def here(lived_in, request, monkeypatch):
    """That folder, with the rollout in the phase of the page."""
    for phase in PHASES.values():
        for name in phase.variables:
            monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(lived_in)
    name = request.node.callspec.params["page"]
    with SQLiteStore(lived_in / "bookings.db", host=StandaloneHost()) as store:
        generation = store.rollout().generation + 1
        store.revise(RolloutRevision(generation=generation, phase=name if name in PHASES else "production-100"))
    return lived_in


@pytest.mark.parametrize(("page", "line"), COMMANDS, ids=[f"{page}: {line[20:70]}" for page, line in COMMANDS])
def test_every_command_runs(page, line, here):
    """As it stands there: it does what it says, or answers no; it is never bad usage."""
    assert line.startswith(NAME)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(shlex.split(line.removeprefix(NAME)))
    assert code in {0, 1}, err.getvalue()
    assert out.getvalue() or err.getvalue()
    assert "Traceback" not in err.getvalue()


def test_every_phase_has_a_page():
    """And the list of them says how long each lasts, and what the pipeline does in it."""
    for name, phase in PHASES.items():
        assert name in PAGES
        (row,) = [line for line in PAGES["index"].splitlines() if line.startswith(f"| [{name}]")]
        assert asked(phase) in row
        assert does(phase) in row


def asked(phase: Phase) -> str:
    """How long a phase takes at least, as the guide has it."""
    hours = phase.min_time // dt.timedelta(hours=1)
    return f"| {hours // 24} days |" if hours > 48 else f"| {hours} hours |" if hours else "| |"


def does(phase: Phase) -> str:
    """What the pipeline does in a phase."""
    return "| active |" if phase.settings.enabled else "| in shadow |" if phase.settings.shadow else "| off |"


@pytest.mark.parametrize("phase", [phase for phase in PHASES.values() if phase.criteria], ids=lambda phase: phase.name)
def test_each_page_says_what_is_asked(phase):
    """Every criterion with its bound, and every signature."""
    page = PAGES[phase.name]
    for criterion in phase.criteria:
        sign = "at least" if criterion.direction == "at_least" else "at most"
        bound = f"{100 * criterion.threshold:g} %"
        assert re.search(rf"\| `{criterion.metric}` \| {sign} {re.escape(bound)} \|", page), criterion
    for sign_off in phase.sign_offs:
        assert f"--signed-off-by {sign_off.role}=" in page or f"`{sign_off.role}`" in page, sign_off
