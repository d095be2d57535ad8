"""``python -m assignment_pipeline.testing.simulator``."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from assignment_pipeline.testing.simulator.command import main

HERE = Path(__file__).parent
BROKEN = "broken:harness"


@pytest.fixture(autouse=True)
def _find_broken(monkeypatch):
    monkeypatch.syspath_prepend(HERE)


def test_a_summary(capsys):
    """Seeds, steps, speed, and what came about."""
    assert main(["--seeds", "30"]) == 0
    first, faults, jobs, outcomes = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"30 seeds from 0, [\d,]+ steps in [\d.]+ s: [\d,]+ steps a second", first)
    assert re.match(r"faults: [a-z-]+ \d+, ", faults)
    assert " pauses " in faults
    assert "assign " in jobs
    assert "confirmed " in outcomes


def test_seeds_go_through_processes(capsys):
    """And come to the same."""
    told = []
    for jobs in ("1", "2"):
        assert main(["--first", "5", "--seeds", "20", "--jobs", jobs]) == 0
        told.append(capsys.readouterr().out.splitlines())
    assert told[0][1:] == told[1][1:]
    assert told[0][0].split(" in ")[0] == told[1][0].split(" in ")[0]


def test_one_seed_is_shown(capsys):
    """What happens in it, line by line."""
    assert main(["--seed", "4", "--faults", "none"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("R1: R1-T1 (")
    assert any(re.match(r"\d\d:\d\d:\d\d\.\d{3}  worker \d: assign B\d: commits B\d created > ", line) for line in told)
    assert told[-1].endswith("steps, and nothing broke.")


def test_sqlite(capsys):
    """The other store that comes with the library."""
    assert main(["--seeds", "2", "--store", "sqlite"]) == 0
    assert capsys.readouterr().out.startswith("2 seeds from 0, ")


def test_a_failure_can_be_had_again(capsys):
    """The seed, the invariant in a sentence, a short trace, and a command that breaks the same."""
    assert main(["--seeds", "50", "--store", BROKEN, "--shrink", "1"]) == 1
    told = capsys.readouterr().out
    assert re.search(r"^Seed \d+ fails", told, re.MULTILINE)
    assert "Broken: versions_are_gapless. A record's versions count its transitions" in told
    for name in ("shortened", "as it was"):
        [command] = re.findall(rf"^Once more, {name}: +(.*)$", told, re.MULTILINE)
        words = shlex.split(command)
        assert words[:3] == ["python", "-m", "assignment_pipeline.testing.simulator"]
        assert main(words[3:]) == 1
        assert "Broken: versions_are_gapless." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--faults", "gremlins"], "argument --faults: expected all, none, or faults among dies-before, "),
        (["--store", "postgres"], "argument --store: expected memory, sqlite, or module:factory, got 'postgres'"),
        (["--store", "no_such_module:make"], "argument --store: no_such_module:make: No module named"),
        (["--store", "broken:nothing"], "argument --store: broken:nothing: module 'broken' has no attribute 'nothing'"),
        (["--seeds", "0"], "argument --seeds: expected a number from 1, got 0"),
        (["--seeds", "many"], "argument --seeds: expected a whole number, got 'many'"),
        (["--seed", "-1"], "argument --seed: expected a"),
        (["--replay", "1..2"], "argument --replay: expected choices such as 0x3.1.0.2, got '1..2'"),
        (["--seed", "1", "--replay", "1"], "argument --replay: not allowed with argument --seed"),
        (["--moon", "full"], "unrecognized arguments: --moon full"),
    ],
)
def test_wrong_input_is_one_line(capsys, arguments, said):
    """On stderr, and the exit code for bad input."""
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


def test_who_has_read_enough_may_go():
    """As ``head`` does: the exit code is the verdict all the same, and nobody complains."""
    command = [sys.executable, "-m", "assignment_pipeline.testing.simulator", "--seeds", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        running.stdout.close()
        assert running.stderr.read() == ""
    assert running.returncode == 0


def test_it_is_a_command():
    """Its exit code is the answer."""
    command = [sys.executable, "-m", "assignment_pipeline.testing.simulator", "--seeds", "3"]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
