"""Steering the rollout."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest

from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.errors import CommitUnknownError, FlagError, RolloutRefusedError, StaleRolloutError
from assignment_pipeline.rollout.control import LADDER, PHASES, Answer, Criterion, Rollout, Verdict
from assignment_pipeline.rollout.control.phases import OWN_DAYS
from assignment_pipeline.rollout.control.standing import judge_phase
from assignment_pipeline.rollout.flags import DEFAULT_SALT, EnvFlags, LayeredFlags, StoreFlags
from assignment_pipeline.rollout.flags.document import read_settings
from assignment_pipeline.testing import FakeClock

V3 = "FEATURE_ASSIGNMENT_PIPELINE_V3"
SIGNED = {
    "staging-full": {"qa": "Ada", "engineering-lead": "Bo"},
    "production-10": {"support": "Cy"},
    "production-50": {"support": "Cy"},
}
FREE = {"local", "staging-shadow", "production-shadow"}
HOUR = dt.timedelta(hours=1)


class Measured:
    """Gates that a test sets."""

    def __init__(self):
        self.answers = {}

    def __call__(self, phase, since, now):
        days = Verdict(metric=OWN_DAYS, answer=self.answers.get(OWN_DAYS, Answer.PASS), value=3.0)
        return [days] + [
            Verdict.of(
                criterion,
                self.answers.get(criterion.metric, Answer.PASS),
                value=criterion.threshold,
                sample=criterion.min_sample,
                low=criterion.threshold - 0.01,
                high=criterion.threshold + 0.01,
                numbers={"good": 190, "all": 200},
            )
            for criterion in phase.criteria
        ]


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def store(clock):
    return MemoryStore(MemoryHost(), clock=clock)


@pytest.fixture
def gates():
    return Measured()


@pytest.fixture
def env():
    return {}


@pytest.fixture
def rollout(store, gates, env, clock):
    return Rollout(store, gates=gates, environment=EnvFlags(env, clock=clock), clock=clock)


@pytest.fixture
def at(rollout, clock):
    """Puts the rollout into a phase, past whatever is in the way, and lets its time pass."""

    def put(name):
        rollout.enter(name, actor="test", reason="for the test", force=True)
        clock.advance(PHASES[name].min_time)

    return put


def advance(rollout, **options):
    return rollout.advance(**{"actor": "dana", "signed_off": SIGNED.get(rollout.store.rollout().phase), **options})


def test_the_whole_way(rollout, store, clock):
    """From the first phase to the last, each through its gates; the flags say what each phase does."""
    flags = StoreFlags(store, refresh=3600, clock=clock)
    rollout.enter("local", actor="dana")
    for phase in LADDER.phases[1:]:
        clock.advance(LADDER.phases[LADDER.rung(phase) - 1].min_time)
        revision = advance(rollout)
        assert (revision.phase, revision.forced, revision.actor) == (phase.name, False, "dana")
        flags.refresh_now()
        assert flags.settings == phase.settings
        assert flags.generation == revision.generation
    flags.close()
    assert [revision.phase for revision in reversed(rollout.history())] == [phase.name for phase in LADDER.phases]
    assert [event.type for event in store.events if event.type != "rollout.gate"] == ["rollout.phase_changed"] * 7
    with pytest.raises(RolloutRefusedError, match="it is the last phase"):
        advance(rollout, force=True, reason="further")


def test_a_clock_that_is_behind_moves_nothing_on(store, gates, at):
    """A phase that began in the past would have had its time at once; a way back is taken all the same."""
    at("production-shadow")
    rollout = Rollout(store, gates=gates, clock=FakeClock(store.rollout().created_at - HOUR))
    for onwards in (
        lambda: rollout.enter("production-10", actor="dana", reason="by force", force=True),
        lambda: advance(rollout, reason="by force", force=True),
    ):
        with pytest.raises(RolloutRefusedError, match=r"the store's clock says .*, before the last change, at "):
            onwards()
    assert rollout.rollback(actor="dana", reason="guests suffer").phase == "rollback"


def test_attempts_at_a_phase_are_counted(rollout, at, clock):
    """Each stay is one, however many changes of lists it has; a row says at which attempt its gates passed."""
    at("production-10")
    assert rollout.status().attempt == 1
    for attempt in (2, 3):
        rollout.rollback("production-shadow", actor="dana", reason="again")
        clock.advance(24 * HOUR)
        advance(rollout)
        rollout.list_restaurants(actor="dana", reason="a pilot", always=[f"r-{attempt}"])
        standing = rollout.status()
        assert (standing.attempt, standing.since) == (attempt, clock.now())
    clock.advance(24 * HOUR)
    assert advance(rollout).evidence["attempt"] == 3


class TestAdvance:
    """Going on."""

    def test_it_has_to_be_begun(self, rollout):
        """Nothing is on before somebody says so."""
        assert rollout.status().phase is None
        with pytest.raises(RolloutRefusedError, match="has not begun: a phase has to be entered first, such as local"):
            advance(rollout)

    @pytest.mark.parametrize("answer", [Answer.HOLD, Answer.FAIL])
    def test_one_gate_is_enough_to_stay(self, rollout, gates, at, store, answer):
        """Every gate has to pass; the refusal names what does not, and is told."""
        at("production-10")
        before = store.rollout()
        gates.answers["review_rate"] = answer
        with pytest.raises(RolloutRefusedError) as refused:
            advance(rollout)
        assert refused.value.phase == "production-10"
        assert refused.value.because == (f"review_rate says {answer}: it is not met",)
        assert store.rollout() == before
        told = {event.context["metric"]: event.context["answer"] for event in store.events if "metric" in event.context}
        assert told == {
            "time_in_phase": "pass",
            "own_days": "pass",
            "confirmation_rate": "pass",
            "review_rate": answer.value,
            "error_rate": "pass",
            "relative_confirmation": "pass",
            "closed_loop_covers": "pass",
            "closed_loop_parties": "pass",
            "sign_off:support": "pass",
        }

    def test_not_a_second_too_early(self, rollout, at, clock):
        """The whole time has to be spent, and then it is enough."""
        at("production-10")
        rollout.rollback("production-shadow", actor="dana", reason="again")
        clock.advance(24 * HOUR - dt.timedelta(seconds=1))
        standing = rollout.status()
        assert not standing.passes
        assert standing.passes_at == standing.since + 24 * HOUR
        with pytest.raises(RolloutRefusedError, match=r"time_in_phase says hold: 0.0 h more"):
            advance(rollout)
        clock.advance(dt.timedelta(seconds=1))
        assert rollout.status().passes
        assert rollout.status().passes_at is None  # What is past is no moment to wait for.
        assert advance(rollout).phase == "production-10"

    def test_nobody_measures(self, store, clock):
        """Without gates, nothing passes: no data never promotes."""
        rollout = Rollout(store, clock=clock)
        rollout.enter("production-shadow", actor="dana")
        clock.advance(48 * HOUR)
        with pytest.raises(RolloutRefusedError, match="closed_loop_covers says hold: nothing measures it here"):
            rollout.advance(actor="dana")

    def test_sign_offs_are_asked_for_and_recorded(self, rollout, at):
        """Each role that the phase names, and no other."""
        at("staging-full")
        with pytest.raises(RolloutRefusedError, match="sign_off:engineering-lead says hold: engineering-lead has to"):
            rollout.advance(actor="dana", signed_off={"qa": "Ada"})
        with pytest.raises(
            ValueError, match="expected roles among engineering-lead, qa in phase staging-full, got boss"
        ):
            rollout.advance(actor="dana", signed_off={"boss": "Ada"})
        revision = advance(rollout)
        assert revision.evidence["signed_off"] == SIGNED["staging-full"]

    def test_force_needs_a_reason_and_is_recorded(self, rollout, gates, at, store):
        """Past a gate goes only who says why; the row says so, and past what."""
        at("production-10")
        gates.answers["confirmation_rate"] = Answer.FAIL
        for reason in (None, " "):
            with pytest.raises(ValueError, match="reason: expected why it is forced"):
                advance(rollout, force=True, reason=reason)
        revision = advance(rollout, force=True, reason="The metric is known to be off.")
        assert (revision.forced, revision.reason) == (True, "The metric is known to be off.")
        assert revision.evidence["past"] == ["confirmation_rate says fail: it is not met"]
        assert (store.events[-1].severity, store.events[-1].context["forced"]) == ("warning", True)

    def test_force_where_it_was_not_needed_is_not_held_against_anyone(self, rollout, at):
        """What passes is not forced."""
        at("production-10")
        assert not advance(rollout, force=True, reason="to be sure").forced

    def test_where_the_environment_overrides_it(self, rollout, at, env, clock):
        """Not even by force: it would say one thing and do another."""
        at("production-10")
        env |= {V3: "false", f"{V3}_SHADOW": "false"}
        clock.advance(HOUR)
        for go in (lambda: advance(rollout, force=True, reason="now"), lambda: rollout.enter("local", actor="dana")):
            with pytest.raises(RolloutRefusedError, match=f"{V3} and {V3}_SHADOW are set, and say off"):
                go()
        assert rollout.status().overridden

    def test_somebody_else_was_faster(self, rollout, at, gates, store):
        """What was decided on an older state is refused."""
        at("production-10")

        def meanwhile(phase, since, now):
            store.revise(attrs.evolve(store.rollout(), generation=store.generation + 1, created_at=None))
            return gates(phase, since, now)

        late = Rollout(store, gates=meanwhile, clock=store.clock)
        with pytest.raises(StaleRolloutError):
            advance(late)

    def test_a_verdict_is_kept_as_it_was(self, rollout, at, gates, clock):
        """What was decided can be decided again from the row alone."""
        at("production-10")
        verdicts = rollout.status(SIGNED["production-10"]).verdicts
        revision = advance(rollout)
        kept = tuple(map(Verdict.read, revision.evidence["verdicts"]))
        assert kept == verdicts
        since, now = (dt.datetime.fromisoformat(revision.evidence[key]) for key in ("since", "at"))
        assert judge_phase(PHASES["production-10"], since, now, kept, revision.evidence["signed_off"]) == kept


class TestBelieved:
    """What a gate says is looked at."""

    @pytest.mark.parametrize(
        ("fields", "missing"),
        [
            ({"value": None, "sample": 500}, "no value"),
            ({"value": 0.93, "sample": 500}, "no value that is good enough"),
            ({"value": 0.99, "sample": 199}, "1 more to measure"),
            ({"value": 0.99, "sample": None}, "200 more to measure"),
        ],
    )
    def test_a_pass_on_too_little_holds(self, store, clock, at, fields, missing):
        """No data never promotes, whatever the gates say."""

        def gates(phase, since, now):
            return [Verdict.of(PHASES["staging-full"].criteria[0], Answer.PASS, **fields)]

        rollout = Rollout(store, gates=gates, clock=clock)
        at("staging-full")
        found = next(verdict for verdict in rollout.status().verdicts if verdict.metric == "confirmation_rate")
        assert found.answer is Answer.HOLD
        assert missing in found.missing

    @pytest.mark.parametrize(("value", "answer"), [(0.94, Answer.PASS), (0.9399, Answer.HOLD)])
    def test_the_bound_itself_is_good_enough(self, store, clock, at, value, answer):
        """That is the threshold less the margin: what a gate shows is that the true value is no worse."""
        criterion = PHASES["staging-full"].criteria[0]
        rollout = Rollout(
            store, gates=lambda *_: [Verdict.of(criterion, Answer.PASS, value=value, sample=200)], clock=clock
        )
        at("staging-full")
        assert rollout.status().verdicts[1].answer is answer

    @pytest.mark.parametrize("bounds", [{}, {"at_least": 1.0, "at_most": 2.0}])
    def test_a_criterion_has_one_bound(self, bounds):
        """From below, or from above."""
        with pytest.raises(ValueError, match="either at_least or at_most"):
            Criterion(metric="x", **bounds)


class TestEnter:
    """Beginning, and beginning again."""

    @pytest.mark.parametrize("name", [name for name in PHASES if name != "rollback"])
    def test_where_one_may_begin(self, rollout, name):
        """On a developer's machine, and wherever nothing is put in charge."""
        if name in FREE:
            assert not rollout.enter(name, actor="dana").forced
        else:
            with pytest.raises(RolloutRefusedError, match=f"{name} is entered from"):
                rollout.enter(name, actor="dana")
            assert rollout.enter(name, actor="dana", reason="it ran for years", force=True).forced

    def test_the_next_phase_takes_its_gates(self, rollout, at, gates):
        """There is no way around them."""
        at("production-shadow")
        gates.answers["closed_loop_covers"] = Answer.HOLD
        with pytest.raises(RolloutRefusedError, match="closed_loop_covers says hold"):
            rollout.enter("production-10", actor="dana")
        gates.answers.clear()
        assert rollout.enter("production-10", actor="dana").phase == "production-10"

    @pytest.mark.parametrize(
        ("origin", "name", "free"),
        [
            ("production-50", "production-10", True),
            ("production-50", "production-shadow", True),
            ("production-10", "staging-full", False),
            ("production-10", "local", False),
            ("production-100", "staging-full", True),
            ("production-shadow", "production-50", False),
            ("rollback", "production-shadow", True),
            ("rollback", "local", False),
            ("rollback", "production-10", False),
        ],
    )
    def test_nobody_is_exposed_anew(self, rollout, at, origin, name, free):
        """Back is free as long as the pipeline is in charge of no more than before."""
        at(origin)
        if free:
            assert not rollout.enter(name, actor="dana").forced
        else:
            with pytest.raises(RolloutRefusedError):
                rollout.enter(name, actor="dana")

    def test_to_where_it_is_already(self, rollout, at, store):
        """Nothing changes."""
        at("production-10")
        before = store.rollout()
        assert rollout.enter("production-10", actor="dana") == before
        assert store.rollout() == before

    def test_an_unknown_phase(self, rollout):
        """It says which there are."""
        with pytest.raises(ValueError, match=r"expected one of local, .*, rollback, got 'prod'"):
            rollout.enter("prod", actor="dana")


class TestRollback:
    """Going back."""

    @pytest.mark.parametrize("origin", [*PHASES])
    def test_from_everywhere(self, rollout, at, store, origin, clock):
        """Off, whatever it was, whatever the gates say."""
        at(origin)
        assert rollout.rollback(actor="dana", reason="It is on fire.").phase == "rollback"
        flags = StoreFlags(store, refresh=3600, clock=clock)
        flags.refresh_now()
        flags.close()
        assert flags.resolve("r-1").mode is Mode.OFF

    def test_before_the_beginning(self, rollout):
        """It may be said before anything was on."""
        assert rollout.rollback(actor="dana", reason="to be sure").phase == "rollback"

    def test_twice_is_once(self, rollout, at, store):
        """Whoever is second finds it done."""
        at("production-50")
        first = rollout.rollback(actor="dana", reason="It is on fire.")
        assert rollout.rollback(actor="eli", reason="It burns!") == first
        assert store.rollout() == first

    def test_it_is_latched(self, rollout, at):
        """Nothing but somebody's decision gets back in."""
        at("production-50")
        rollout.rollback(actor="watch", reason="error_rate", evidence={"alert": {"value": 0.2}})
        assert rollout.history()[0].evidence["alert"] == {"value": 0.2}
        with pytest.raises(RolloutRefusedError, match="it was rolled back; a phase has to be entered again"):
            advance(rollout, force=True, reason="again")

    def test_step_by_step(self, rollout, at):
        """One step back is the nearest phase that exposes less."""
        at("production-100")
        way = []
        while (below := rollout.status().below) is not None:
            way.append(rollout.rollback(below.name, actor="dana", reason="careful").phase)
        assert way == ["production-50", "production-10", "production-shadow", "rollback"]

    @pytest.mark.parametrize(
        ("origin", "to"),
        [("production-10", "production-50"), ("production-10", "staging-full"), ("rollback", "production-10")],
    )
    def test_it_leads_back_only(self, rollout, at, origin, to):
        """Under that name, nobody is exposed anew."""
        at(origin)
        with pytest.raises(RolloutRefusedError, match="is no way back from there"):
            rollout.rollback(to, actor="dana", reason="?")

    def test_others_do_not_keep_it_from_happening(self, rollout, at, store):
        """Where somebody else changes the rollout at the same moment, it is done on top of that."""
        at("production-10")
        read, times = store.rollout, []

        def overtaken():
            current = read()
            if len(times) < 3:
                times.append(1)
                store.rollout = read
                store.revise(attrs.evolve(current, generation=current.generation + 1, created_at=None))
                store.rollout = overtaken
            return current

        store.rollout = overtaken
        assert rollout.rollback(actor="dana", reason="now").generation == 5

    def test_a_lost_answer_is_asked_for_again(self, rollout, at, store):
        """It is done once, and whoever asked is told that it is."""
        at("production-10")
        revise = store.revise

        def loses(revision, events=()):
            store.revise = revise
            revise(revision, events)
            raise CommitUnknownError("lost")

        store.revise = loses
        assert rollout.rollback(actor="dana", reason="now") == store.rollout()
        assert [revision.phase for revision in store.revisions()] == ["rollback", "production-10"]
        assert [event.type for event in store.events][-1:] == ["rollout.rolled_back"]

    def test_no_typo_stops_it(self, rollout, at, store):
        """Settings that cannot be read are put aside; going on with them is refused."""
        at("production-10")
        settings = {"enabled": "yes!"}
        store.revise(RolloutRevision(generation=2, phase="production-10", settings=settings))
        with pytest.raises(FlagError):
            advance(rollout, force=True, reason="now")
        assert read_settings(rollout.rollback(actor="dana", reason="now").settings).enabled is False


class TestLists:
    """Single restaurants."""

    def test_they_stay_from_phase_to_phase(self, rollout, at, store, clock):
        """Who is always in, never in, or in shadow, is so in every phase that follows."""
        at("production-10")
        since = rollout.status().since
        rollout.list_restaurants(actor="dana", reason="pilot", always=["r-1"], never=["r-2"], shadow=["r-3"])
        standing = rollout.status()
        assert (standing.phase.name, standing.since) == ("production-10", since)
        flags = StoreFlags(store, refresh=3600, clock=clock)
        for _ in range(2):
            flags.refresh_now()
            modes = [flags.resolve(name).mode for name in ("r-1", "r-2", "r-3")]
            assert modes[:2] == [Mode.ACTIVE, Mode.OFF]
            assert modes[2] is not Mode.OFF
            advance(rollout)
            clock.advance(24 * HOUR)
        flags.close()
        rollout.rollback(actor="dana", reason="now")
        settings = read_settings(store.rollout().settings)
        assert settings.restaurants == {"r-1"}
        assert settings.explain("r-1", source="", salt="s").mode is Mode.OFF

    def test_what_is_not_given_stays(self, rollout, at, store):
        """Each list is set by itself."""
        at("production-10")
        rollout.list_restaurants(actor="dana", reason="pilot", always=["r-1"])
        rollout.list_restaurants(actor="dana", reason="broken", never=["r-2"])
        settings = read_settings(store.rollout().settings)
        assert (settings.restaurants, settings.exclude) == ({"r-1"}, {"r-2"})
        with pytest.raises(FlagError, match="exclude"):
            rollout.list_restaurants(actor="dana", reason="typo", never=[" r-2"])


@pytest.mark.parametrize("salt", [DEFAULT_SALT, "another"])
def test_a_rollout_draws_as_the_flags_do(store, salt):
    """What ran is held against the flags that the application has, however they are layered."""
    for flags in (StoreFlags(store, salt=salt), LayeredFlags(EnvFlags({}), StoreFlags(store, salt=salt))):
        assert Rollout.of(store, flags).salt == salt
    assert Rollout.of(store, EnvFlags({}, salt=salt)).salt == salt
