"""``rollout``, ``env`` and ``flags explain``: what an operator types."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys

import pytest

from assignment_pipeline import Coordinator, EnvFlags, Mode
from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost, init
from assignment_pipeline.cli.rollout import env
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.rollout.control import PHASES, Phase
from assignment_pipeline.rollout.flags import FixedFlags, FlagSettings, LayeredFlags, StoreFlags

V3 = "FEATURE_ASSIGNMENT_PIPELINE_V3"
ACTOR = ("--actor", "dana")
FORCE = ("--force", "--reason", "a drill")


@pytest.fixture
def rollout(cli, db):
    """Runs a command of the group on that database."""

    def run(name, *arguments):
        return cli("rollout", name, *arguments, "--db", db)

    return run


@pytest.fixture
def unset(monkeypatch):
    """An environment without flags."""
    for phase in PHASES.values():
        for name in phase.variables:
            monkeypatch.delenv(name, raising=False)


pytestmark = pytest.mark.usefixtures("unset")


class TestStatus:
    """Where it stands."""

    def test_before_anything(self, rollout):
        """Off, and how to begin."""
        ended = rollout("status")
        assert ended.code == 0
        assert "none yet" in ended.out
        assert "Enter a phase: rollout enter local." in ended.out
        assert rollout("status", "--json").json["restaurants"] == {"active": 0, "shadow": 0, "off": 1}

    def test_in_a_phase(self, rollout):
        """The ladder, whom it covers, each criterion with its bound, and when it can pass at the earliest."""
        rollout("enter", "production-shadow", *ACTOR)
        out = rollout("status").out
        for text in (
            "production-shadow: Production, in shadow",
            "by dana",
            "0 active, 1 in shadow, 0 off, of those known here",
            "● production-shadow",
            "○ production-10",
            "closed loop covers",
            "≥ -1.0 %",
            "hold no service",
            "It may not go on to production-10 yet, at the earliest at 20",
            "nothing tells yet when closed_loop_covers and closed_loop_parties",
        ):
            assert text in " ".join(out.split())
        assert max(map(len, out.splitlines())) <= 80

    def test_as_json(self, rollout):
        """The same for programs."""
        rollout("enter", "production-shadow", *ACTOR)
        found = rollout("status", "--json").json
        assert (found["phase"], found["next"], found["passes"]) == ("production-shadow", "production-10", False)
        verdicts = {verdict["metric"]: verdict for verdict in found["verdicts"]}
        assert set(verdicts) == {
            "time_in_phase",
            "closed_loop_covers",
            "closed_loop_parties",
            "error_rate",
            "event_volume",
        }
        assert verdicts["time_in_phase"]["threshold"] == 24
        assert found["passes_at"] > found["since"]
        assert found["revision"]["generation"] == 1

    def test_a_phase_that_was_passed_is_marked(self, rollout):
        """Only one whose gates passed: none that it was forced past, and none that it was not in."""
        rollout("enter", "local", *ACTOR)
        rollout("advance", *ACTOR)
        rollout("enter", "production-shadow", *ACTOR)
        rollout("enter", "production-10", *ACTOR, *FORCE)
        out = rollout("status").out
        assert "✓ local\n" in out
        assert "○ staging-shadow, not passed" in out
        assert "○ staging-full\n" in out
        assert "○ production-shadow, not passed" in out
        assert "by dana, by force: a drill" in out

    def test_a_phase_that_was_entered_again_says_so(self, rollout):
        """Entering it until its gates pass is no proof: the attempts are counted, for programs too."""
        rollout("enter", "production-shadow", *ACTOR)
        assert "time" not in rollout("status").out.splitlines()[1]
        for _ in range(2):
            rollout("rollback", "--reason", "again", *ACTOR)
            rollout("enter", "production-shadow", *ACTOR)
        assert "for the 3rd time" in rollout("status").out
        assert json.loads(rollout("status", "--json").out)["attempt"] == 3

    def test_where_only_ascii_can_be_written(self, db, shell):
        """It is drawn with that."""
        ended = shell("rollout", "status", "--db", db, PYTHONIOENCODING="ascii")
        assert ended.code == 0
        assert "  . local" in ended.out

    def test_where_the_environment_rolls_it_back(self, rollout, monkeypatch):
        """It says so, and that nobody is covered."""
        rollout("enter", "production-shadow", *ACTOR)
        monkeypatch.setenv(V3, "false")
        monkeypatch.setenv(f"{V3}_SHADOW", "false")
        found = rollout("status")
        assert "rolls it back: everything is off" in found.out
        assert "0 active, 0 in shadow, 1 off" in found.out
        refused = rollout("enter", "staging-shadow", *ACTOR)
        assert refused.code == 1
        assert refused.complaint.endswith(f"would override it: {V3} and {V3}_SHADOW are set, and say off.")


class TestChanges:
    """On, and back."""

    def test_a_gate_refuses(self, rollout):
        """With 1, and a line that names what does not pass; check says the same, and changes nothing."""
        rollout("enter", "production-shadow", *ACTOR)
        checked = rollout("check")
        assert checked.code == 1
        assert "hold" in checked.out
        refused = rollout("advance", *ACTOR)
        assert refused.code == 1
        assert refused.complaint.startswith("The rollout stays in production-shadow: time_in_phase says hold: 24.0 h")
        assert len(rollout("history", "--json").json["revisions"]) == 1

    def test_force_needs_a_reason(self, rollout):
        """Which is bad usage, not an answer."""
        refused = rollout("advance", *ACTOR, "--force")
        assert (refused.code, refused.complaint) == (2, "--reason: expected why it is forced, got nothing")

    def test_by_force(self, rollout):
        """It goes on, and the history says how."""
        rollout("enter", "production-shadow", *ACTOR)
        ended = rollout("advance", *ACTOR, *FORCE)
        assert ended.out == "The rollout is in production-10 now, by force: generation 2, by dana.\n"
        newest, oldest = rollout("history", "--json").json["revisions"]
        assert (newest["phase"], newest["forced"], newest["reason"]) == ("production-10", True, "a drill")
        assert newest["settings"]["percent"] == 10
        assert oldest["evidence"]["change"] == "enter"
        out = rollout("history").out
        assert "by force: a drill" in out
        assert out.index("production-10") < out.index("production-shadow")

    def test_sign_offs(self, rollout):
        """They are asked for by role; a stranger is bad usage."""
        rollout("enter", "staging-full", *ACTOR, *FORCE)
        for given, got in (("boss=Ada", "got boss"), ("qa", "got 'qa'"), ("=Ada", "got '=Ada'")):
            refused = rollout("advance", *ACTOR, "--signed-off-by", given)
            assert refused.code == 2
            assert refused.complaint.startswith("--signed-off-by: expected")
            assert refused.complaint.endswith(got) or got in refused.complaint
        signed = ("--signed-off-by", "qa=Ada", "--signed-off-by", "engineering-lead=Bo")
        missing = rollout("check", *signed, "--json").json["blocking"]
        assert not [text for text in missing if "sign_off" in text]

    def test_back_at_once(self, rollout):
        """Off, twice is once, and the way back in is a decision."""
        rollout("enter", "production-50", *ACTOR, *FORCE)
        assert rollout("rollback", "--to", "production-10", *ACTOR).out.startswith(
            "The rollout is in production-10 now"
        )
        for _ in range(2):
            assert rollout("rollback", *ACTOR).out == "The rollout is in rollback now: generation 3, by dana.\n"
        refused = rollout("advance", *ACTOR, *FORCE)
        assert (refused.code, refused.complaint) == (
            1,
            "The rollout stays in rollback: it was rolled back; a phase has to be entered again.",
        )
        assert "It was rolled back. It stays so until a phase is entered again." in rollout("status").out
        assert rollout("rollback", "--to", "production-50", *ACTOR).code == 1

    def test_no_typo_stops_a_rollback(self, rollout, monkeypatch):
        """Neither one in the environment nor one in the database."""
        rollout("enter", "production-shadow", *ACTOR)
        monkeypatch.setenv(V3, "ture")
        assert rollout("status").code == 2
        assert rollout("rollback", *ACTOR).code == 0

    def test_an_unknown_phase(self, rollout):
        """It is bad usage, and says which there are."""
        refused = rollout("enter", "prod", *ACTOR)
        assert refused.code == 2
        assert refused.complaint.startswith("PHASE: expected one of local, staging-shadow")
        refused = rollout("rollback", "--to", "prod", *ACTOR)
        assert refused.code == 2
        assert refused.complaint.startswith("--to: expected one of local, staging-shadow")

    def test_lists(self, cli, rollout, db):
        """Single restaurants are in or out, and `flags explain` says why."""
        rollout("enter", "production-10", *ACTOR, *FORCE)
        explain = ("flags", "explain", "corner", "--db", db)
        rollout("list", "--always", "corner, other", "--reason", "a pilot", *ACTOR)
        assert cli(*explain).out == "Restaurant 'corner' is active: it is listed.\n"
        rollout("list", "--never", "corner", "--reason", "broken", *ACTOR)
        found = cli(*explain, "--json").json
        assert (found["mode"], found["rule"], found["source"], found["generation"]) == ("off", "excluded", "store", 3)
        rollout("list", "--never", "", "--always", "", "--reason", "over", *ACTOR)
        assert cli(*explain, "--json").json["rule"] == "percent"
        refused = rollout("list", "--always", "a,,b", "--reason", "typo", *ACTOR)
        assert refused.code == 2
        assert refused.complaint == "--always: expected ids with a comma between two, or '' for none, got 'a,,b'"

    def test_a_list_may_be_given_in_parts(self, rollout):
        """Who names a restaurant after the other stops both: none of them is dropped."""
        given = ("--never", "corner", "--never", "harbour, other", "--always", "", "--reason", "broken", *ACTOR)
        assert rollout("list", *given, "--json").json["settings"]["exclude"] == ["corner", "harbour", "other"]
        refused = rollout("list", "--never", "", "--never", "corner", "--reason", "typo", *ACTOR)
        assert refused.complaint == "--never: expected ids with a comma between two, or '' for none, got ',corner'"

    def test_who_is_listed_is_said(self, rollout):
        """A slip of the pen in the brake for one restaurant would leave it on, and nobody would know."""
        listed = rollout("list", "--always", "corner", "--never", "harbour, Cornerr", "--reason", "broken", *ACTOR)
        assert listed.out.splitlines() == [
            "The rollout is in no phase now: generation 1, by dana.",
            "Always in: corner",
            "Always off: Cornerr, harbour",
        ]
        unknown = "Not known here, and so listed for later only: Cornerr, harbour. Upper and lower case count."
        assert (listed.code, listed.err) == (0, f"{unknown}\n")
        listed = rollout("list", "--never", "corner", "--reason", "broken", "--json", *ACTOR)
        assert (listed.json["settings"]["exclude"], listed.err) == (["corner"], "")

    def test_a_list_is_needed(self, rollout):
        """Without one, nothing would change, and the history would have a line more."""
        refused = rollout("list", "--reason", "broken", *ACTOR)
        assert refused.code == 2
        assert (
            refused.complaint
            == "--always, --never and --shadow: expected one of them: what is not given stays, got none"
        )
        assert rollout("history", "--json").json["revisions"] == []

    def test_the_whole_reason_is_in_the_history(self, rollout, monkeypatch):
        """A rollback's begins with the alert: who reads it at night on a narrow screen has to know which."""
        monkeypatch.setenv("COLUMNS", "80")
        rollout("rollback", "--actor", "rollout watch", "--reason", "confirmation_rate_low: firing since 2031-05-03")
        said = rollout("history").out
        assert "…" not in said
        lines = said.splitlines()[1:]
        column = said.splitlines()[0].index("Why")
        assert "".join(line[column:].strip() for line in lines).startswith("confirmation_rate_low:firing since")

    def test_who_decides_is_whoever_is_logged_in(self, rollout, monkeypatch):
        """Unless somebody else is named."""
        monkeypatch.setenv("LOGNAME", "eli")
        assert rollout("enter", "local", "--json").json["actor"] == "eli"

    def test_settings_that_cannot_be_read(self, cli, rollout, db):
        """Whoever asks is told the place."""
        with SQLiteStore(db, host=StandaloneHost()) as store:
            store.revise(RolloutRevision(generation=1, phase="local", settings={"enabeld": True}))
        assert rollout("status").code == 0
        refused = cli("flags", "explain", "corner", "--db", db)
        assert (refused.code, refused.complaint.split(":")[0]) == (2, "settings.enabeld")

    def test_it_needs_a_place(self, cli):
        """A database, or an application."""
        refused = cli("rollout", "status")
        assert (refused.code, refused.complaint) == (2, "--db or --app: expected one of them, got none")

    def test_in_a_database_of_an_application(self, cli, tmp_path):
        """It needs our tables, and no restaurants."""
        path = tmp_path / "host.db"
        init(path)
        assert cli("rollout", "enter", "production-shadow", *ACTOR, "--db", path).code == 0
        stranger = cli("alerts", "check", "--restaurant", "nosuch", "--db", path)
        expected = "--restaurant: expected one that the database knows, or --app, which asks your host, got 'nosuch'"
        assert (stranger.code, stranger.complaint) == (2, expected)
        assert cli("rollout", "status", "--db", path, "--json").json["restaurants"] == {
            "active": 0,
            "shadow": 0,
            "off": 0,
        }


class TestApplication:
    """A host's own wiring."""

    @pytest.fixture
    def app(self, db, tmp_path, monkeypatch):
        """Makes an application with some kind of flags; the option that names it."""
        made = {}

        def wire(flags_of):
            module = type(sys)("an_application")

            def factory():
                store = SQLiteStore(db, host=StandaloneHost())
                made["coordinator"] = Coordinator(store, flags=flags_of(store), sinks=())
                return made["coordinator"]

            module.factory = factory
            monkeypatch.setitem(sys.modules, "an_application", module)
            return ("--app", "an_application:factory")

        yield wire
        made["coordinator"].store.close()

    def test_it_steers_what_the_flags_follow(self, cli, app):
        """The same rollout as with its database."""
        option = app(lambda store: LayeredFlags(EnvFlags({}), StoreFlags(store)))
        assert cli("rollout", "enter", "local", *ACTOR, *option) == (
            0,
            "The rollout is in local now: generation 1, by dana.\n",
            "",
        )
        assert cli("flags", "explain", "corner", *option).out.startswith("Restaurant 'corner' is active: its bucket")
        assert cli("rollout", "status", *option, "--json").json["restaurants"]["active"] == 1

    def test_where_nobody_follows(self, cli, app):
        """That is said: what is decided here reaches nobody."""
        option = app(lambda store: EnvFlags({}))
        ended = cli("rollout", "enter", "local", *ACTOR, *option)
        assert ended.code == 0
        assert ended.err.startswith("Nobody follows it: the application's flags do not come from the database")

    def test_flags_that_cannot_say_why(self, cli, app):
        """Say what they can."""
        option = app(lambda store: FixedFlags(Mode.SHADOW))
        assert cli("flags", "explain", "corner", *option).out == "Restaurant 'corner' is shadow, by fixed: fixed.\n"
        assert cli("flags", "explain", "corner", *option, "--json").json["mode"] == "shadow"


class TestEnv:
    """What to copy and paste."""

    @pytest.mark.parametrize("phase", PHASES)
    def test_a_shell_has_it(self, cli, phase, env):
        """Every row, evaluated by a shell, sets what the phase is, and nothing else."""
        script = cli("env", phase, "--format", "shell").out
        printed = subprocess.run(
            ["/bin/sh", "-c", f"{script}\nenv"], env={"PATH": env["PATH"]}, capture_output=True, text=True, check=True
        ).stdout
        found = dict(line.split("=", 1) for line in printed.splitlines() if line.startswith("FEATURE_"))
        assert found == PHASES[phase].variables
        assert EnvFlags(found).settings == PHASES[phase].settings

    @pytest.mark.parametrize("phase", PHASES)
    @pytest.mark.parametrize("form", ["dotenv", "docker"])
    def test_a_file_has_it(self, cli, phase, form):
        """A line for each variable."""
        lines = cli("env", phase, "--format", form).out.splitlines()
        found = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
        assert found == PHASES[phase].variables

    def test_kubernetes_has_it(self, cli):
        """Texts, not booleans and numbers."""
        out = cli("env", "production-10", "--format", "k8s").out
        data = out.partition("\ndata:\n")[2]
        assert {
            name: json.loads(value) for name, value in (line.strip().split(": ", 1) for line in data.splitlines())
        } == (PHASES["production-10"].variables)

    def test_vercel_is_given_it(self, cli):
        """Through its input, for the environment of the phase, and without a newline."""
        lines = cli("env", "production-10", "--format", "vercel").out.splitlines()
        assert f"printf %s 10 | vercel env add {V3}_PERCENT production --force" in lines
        assert f"printf %s true | vercel env add {V3}_SHADOW staging --force" in (
            cli("env", "staging-shadow", "--format", "vercel").out.splitlines()
        )
        assert f"vercel env add {V3} development" in cli("env", "local", "--format", "vercel").out

    @pytest.mark.parametrize("phase", PHASES)
    def test_a_percentage_is_pointed_out(self, cli, phase):
        """Where less than everything is wanted, it says what it would be without the percentage."""
        comments = [line for line in cli("env", phase).out.splitlines() if line.startswith("#")]
        assert any("without it, it is 100 %" in line for line in comments) == (
            phase in {"production-10", "production-50"}
        )

    def test_as_json_and_by_default(self, cli):
        """JSON for programs; a file for dotenv unless told otherwise."""
        assert cli("env", "rollback", "--json").json == PHASES["rollback"].variables
        assert cli("env", "rollback").out == cli("env", "rollback", "--format", "dotenv").out

    def test_an_unknown_phase(self, cli):
        """It says which there are."""
        refused = cli("env", "production-20")
        assert refused.code == 2
        assert refused.complaint.startswith("PHASE: expected one of local, ")

    def test_whatever_is_in_a_value(self):
        """Quotes, dollars and spaces come out as they went in."""
        nasty = 'it\'s "a" $HOME `id` \\ b'
        settings = FlagSettings(enabled=True, restaurants=frozenset({nasty}))
        phase = Phase(name="local", title="", settings=settings)
        [line] = [line for line in env.shell(phase) if "RESTAURANTS" in line]
        assert shlex.split(line)[1] == f"{V3}_RESTAURANTS={nasty}"
        [line] = [line for line in env.dotenv(phase) if "RESTAURANTS" in line]
        assert line == f'{V3}_RESTAURANTS="it\'s \\"a\\" \\$HOME \\`id\\` \\\\ b"'
        [line] = [line for line in env.docker(phase) if "RESTAURANTS" in line]
        assert line == f"{V3}_RESTAURANTS={nasty}"
        [line] = [line for line in env.k8s(phase) if "RESTAURANTS" in line]
        assert json.loads(line.split(": ", 1)[1]) == nasty
