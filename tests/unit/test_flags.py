"""What the flags decide, and what they make of values that cannot be read."""

import logging
import pickle

import pytest

from assignment_pipeline.domain.result import Mode
from assignment_pipeline.errors import FlagError
from assignment_pipeline.ports import FlagDecision
from assignment_pipeline.rollout.flags import DEFAULT_SALT, EnvFlags, FixedFlags, FlagRule, FlagSettings, bucket
from assignment_pipeline.rollout.flags.environment import VARIABLES

V3 = "FEATURE_ASSIGNMENT_PIPELINE_V3"


class Ticks:
    """A clock that a test moves on."""

    def __init__(self):
        self.seconds = 100.0

    def monotonic(self):
        return self.seconds


@pytest.fixture
def ticks():
    return Ticks()


@pytest.fixture
def env():
    return {}


@pytest.fixture
def told():
    return []


@pytest.fixture
def flags(env, ticks, told):
    """Builds flags of `env`, whose errors end up in `told`."""

    def build():
        return EnvFlags(env, on_error=told.append, clock=ticks)

    return build


def restaurant(*, below=10_000, at_least=0):
    """The id of a restaurant in a bucket of that range."""
    return next(name for name in map(str, range(100_000)) if at_least <= bucket(name, DEFAULT_SALT) < below)


@pytest.mark.parametrize(
    ("enabled", "shadow", "mode"),
    [
        pytest.param("true", "false", Mode.ACTIVE, id="local"),
        pytest.param("false", "true", Mode.SHADOW, id="staging-shadow"),
        pytest.param("true", "false", Mode.ACTIVE, id="staging-full"),
        pytest.param("false", "true", Mode.SHADOW, id="production-shadow"),
        pytest.param("true", "false", Mode.ACTIVE, id="production-10"),
        pytest.param("true", "false", Mode.ACTIVE, id="production-50"),
        pytest.param("true", "false", Mode.ACTIVE, id="production-100"),
        pytest.param("false", "false", Mode.OFF, id="rollback"),
    ],
)
def test_every_phase_means_what_the_guide_says(flags, env, enabled, shadow, mode):
    """The three variables of a phase, as they are copied from the guide, give its mode."""
    env |= {V3: enabled, f"{V3}_SHADOW": shadow, f"{V3}_MAX_PARALLEL": "3"}
    decision = flags().resolve("r1")
    assert (decision.mode, decision.max_parallel, decision.source) == (mode, 3, "environment")


def test_nothing_set_is_off(flags):
    """A fresh deployment leaves everything to legacy."""
    assert flags().resolve("r1") == FlagDecision(mode=Mode.OFF, max_parallel=3, reason="disabled", source="environment")


def test_a_rollback_by_removing_variables_is_off(flags, env, ticks):
    """Variables that are taken away count as not set."""
    env |= {V3: "true", f"{V3}_SHADOW": "true"}
    subject = flags()
    env.clear()
    ticks.seconds += 1
    assert subject.resolve("r1").mode is Mode.OFF


@pytest.mark.parametrize("text", ["true", "TRUE", "Yes", "on", "1", " true ", "True\n"])
def test_ways_to_say_true(flags, env, text):
    """Case and blanks do not matter."""
    env[V3] = text
    assert flags().resolve("r1").mode is Mode.ACTIVE


@pytest.mark.parametrize("text", ["false", "False", "NO", "off", "0", "\tfalse"])
def test_ways_to_say_false(flags, env, text):
    """Case and blanks do not matter."""
    env[V3] = text
    assert flags().resolve("r1").mode is Mode.OFF


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        *[(suffix, text) for suffix in ("", "_SHADOW") for text in ("ture", "", " ", "2", "y", "truefalse", "none")],
        *[("_MAX_PARALLEL", text) for text in ("0", "21", "-1", "3.0", "", "three", "1_0", "³", "٣")],
        *[
            (suffix, text)
            for suffix in ("_PERCENT", "_SHADOW_PERCENT")
            for text in ("ture", "150", "100.01", "-1", "", "nan", "inf", "1e1", "12.345", "10%", "+5", "1,5", "\u0665")
        ],
        *[
            (suffix, text)
            for suffix in ("_RESTAURANTS", "_EXCLUDE", "_SHADOW_RESTAURANTS")
            for text in ("r1,,r2", "r1,", ",", "r1, ,r2")
        ],
    ],
)
def test_a_value_that_cannot_be_read_stops_the_start(flags, env, suffix, text):
    """The error names the variable, what it holds and what it takes."""
    env[V3 + suffix] = text
    with pytest.raises(FlagError) as caught:
        flags()
    variable = next(variable for variable in VARIABLES.values() if variable.name == V3 + suffix)
    assert caught.value.variable == variable.name
    assert caught.value.got == text
    assert caught.value.expected == variable.takes
    assert str(caught.value) == f"{variable.name}: expected {variable.takes}, got {text!r}."


def test_a_flag_error_survives_pickling(flags, env):
    """A worker process can hand it to its parent."""
    env[V3] = "ture"
    with pytest.raises(FlagError) as caught:
        flags()
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize("field", VARIABLES)
def test_the_defaults_of_the_variables_are_those_of_the_settings(field):
    """A variable that is not set and a setting that is not given are the same."""
    variable = VARIABLES[field]
    assert variable.read(variable.default) == getattr(FlagSettings(), field)


def test_excluded_beats_listed(flags, env):
    """Excluded means off, in shadow as well, whatever else names the restaurant."""
    env |= {V3: "true", f"{V3}_SHADOW": "true", f"{V3}_EXCLUDE": "r1"}
    env |= {f"{V3}_RESTAURANTS": "r1", f"{V3}_SHADOW_RESTAURANTS": "r1"}
    decision = flags().resolve("r1")
    assert (decision.mode, decision.reason) == (Mode.OFF, "excluded")


def test_listed_beats_percent(flags, env):
    """A listed restaurant is in at 0 %, and no other is."""
    env |= {V3: "true", f"{V3}_PERCENT": "0", f"{V3}_RESTAURANTS": " r1 , r2 "}
    subject = flags()
    assert [subject.resolve(name).mode for name in ("r1", "r2", "r3")] == [Mode.ACTIVE, Mode.ACTIVE, Mode.OFF]
    assert [subject.resolve(name).reason for name in ("r1", "r3")] == ["listed", "percent"]


def test_lists_do_nothing_where_nothing_is_switched_on(flags, env):
    """Rolling back takes one variable, not three."""
    env |= {V3: "false", f"{V3}_RESTAURANTS": "r1", f"{V3}_SHADOW_RESTAURANTS": "r1"}
    assert flags().resolve("r1").reason == "disabled"


def test_who_is_not_in_the_cohort_may_be_in_the_shadow(flags, env):
    """Enabled for a tenth and in shadow for half: the next four tenths are in shadow."""
    env |= {V3: "true", f"{V3}_PERCENT": "10", f"{V3}_SHADOW": "true", f"{V3}_SHADOW_PERCENT": "50"}
    subject = flags()
    restaurants = (restaurant(below=1000), restaurant(at_least=1000, below=5000), restaurant(at_least=5000))
    assert [subject.resolve(name).mode for name in restaurants] == [Mode.ACTIVE, Mode.SHADOW, Mode.OFF]


def test_the_percentage_is_strict(flags, env):
    """The bucket at the threshold itself is out."""
    name = restaurant(at_least=100, below=9900)
    place = bucket(name, DEFAULT_SALT)
    env |= {V3: "true", f"{V3}_PERCENT": f"{place // 100}.{place % 100:02}"}
    decision = flags().resolve(name)
    assert (decision.mode, decision.bucket) == (Mode.OFF, place)
    place += 1
    env[f"{V3}_PERCENT"] = f"{place // 100}.{place % 100:02}"
    assert flags().resolve(name).mode is Mode.ACTIVE


class TestWhileRunning:
    """The environment changes under a process that goes on."""

    @pytest.fixture(autouse=True)
    def enabled(self, env):
        env[V3] = "true"

    def test_a_change_is_seen_after_a_second(self, flags, env, ticks):
        """What was read holds for the refresh interval, and no longer."""
        subject = flags()
        env[V3] = "false"
        ticks.seconds += 0.9
        assert subject.resolve("r1").mode is Mode.ACTIVE
        ticks.seconds += 0.1
        assert subject.resolve("r1").mode is Mode.OFF

    def test_the_last_good_value_stays(self, flags, env, ticks, told):
        """A typo changes nothing, and is told of once."""
        subject = flags()
        env[V3] = "ture"
        for _ in range(3):
            ticks.seconds += 1
            assert subject.resolve("r1").mode is Mode.ACTIVE
        assert [(error.variable, error.got) for error in told] == [(V3, "ture")]

    def test_each_bad_value_is_told_of_once(self, flags, env, ticks, told):
        """However often it comes back."""
        subject = flags()
        for text in ("ture", "true", "ture", "tru", "ture"):
            env[V3] = text
            ticks.seconds += 1
            subject.resolve("r1")
        assert [error.got for error in told] == ["ture", "tru"]

    def test_no_typo_stops_a_rollback(self, flags, env, ticks, told):
        """A variable that can be read is followed although another one cannot."""
        subject = flags()
        env |= {V3: "false", f"{V3}_PERCENT": "fifty"}
        ticks.seconds += 1
        assert subject.resolve("r1").mode is Mode.OFF
        assert [error.variable for error in told] == [f"{V3}_PERCENT"]

    def test_a_mended_value_counts(self, flags, env, ticks):
        """After a typo, the next good value is taken."""
        subject = flags()
        for text, mode in (("flase", Mode.ACTIVE), ("false", Mode.OFF), ("true", Mode.ACTIVE)):
            env[V3] = text
            ticks.seconds += 1
            assert subject.resolve("r1").mode is mode

    def test_a_hook_that_raises_is_logged(self, env, ticks, caplog):
        """What a host does with the error cannot break the decision."""
        subject = EnvFlags(env, on_error=lambda _: 1 / 0, clock=ticks)
        env[V3] = "ture"
        ticks.seconds += 1
        assert subject.resolve("r1").mode is Mode.ACTIVE
        assert [record.levelno for record in caplog.records] == [logging.ERROR]

    def test_without_a_hook_it_is_logged(self, env, ticks, caplog):
        """Nobody has to ask to hear of it."""
        subject = EnvFlags(env, clock=ticks)
        env[V3] = "ture"
        ticks.seconds += 1
        subject.resolve("r1")
        assert f"{V3}: expected" in caplog.text
        assert "'ture'" in caplog.text

    def test_the_process_environment_is_the_default(self, monkeypatch):
        """Without arguments, it is the variables of the process that count."""
        monkeypatch.setenv(V3, "true")
        assert EnvFlags().resolve("r1").mode is Mode.ACTIVE


class TestExplain:
    """Why a restaurant is where it is."""

    @pytest.mark.parametrize(
        ("values", "rule", "sentence"),
        [
            ({}, FlagRule.DISABLED, "Restaurant 'r1' is off: the pipeline is neither enabled nor in shadow."),
            ({"": "true", "_EXCLUDE": "r1"}, FlagRule.EXCLUDED, "Restaurant 'r1' is off: it is excluded."),
            ({"": "true", "_RESTAURANTS": "r1"}, FlagRule.LISTED, "Restaurant 'r1' is active: it is listed."),
            (
                {"_SHADOW": "true"},
                FlagRule.PERCENT,
                "Restaurant 'r1' is in shadow: its bucket, {b}, is below 10000 (100 %).",
            ),
            (
                {"": "true", "_SHADOW": "true", "_PERCENT": "0.5", "_SHADOW_PERCENT": "0"},
                FlagRule.PERCENT,
                "Restaurant 'r1' is off: its bucket, {b}, is not below 50 (0.5 %).",
            ),
        ],
    )
    def test_the_sentence_says_why(self, flags, env, values, rule, sentence):
        """It names the rule and the numbers behind it."""
        env |= {V3 + suffix: text for suffix, text in values.items()}
        found = flags().explain("r1")
        assert found.rule is rule
        assert found.sentence == sentence.format(b=bucket("r1", DEFAULT_SALT))

    def test_it_names_the_lists(self, flags, env):
        """Also those that did not decide."""
        env |= {V3: "true", f"{V3}_EXCLUDE": "r1", f"{V3}_RESTAURANTS": "r1"}
        found = flags().explain("r1")
        assert found.lists == ("restaurants", "exclude")
        assert (found.source, found.salt, found.threshold) == ("environment", DEFAULT_SALT, None)

    def test_it_agrees_with_the_decision(self, flags, env):
        """The same mode, reason and bucket."""
        env |= {V3: "true", f"{V3}_PERCENT": "40", f"{V3}_SHADOW": "true", f"{V3}_SHADOW_PERCENT": "70"}
        subject = flags()
        for name in map(str, range(100)):
            found, decision = subject.explain(name), subject.resolve(name)
            assert (found.mode, found.rule, found.bucket) == (decision.mode, decision.reason, decision.bucket)


def test_a_salt_that_is_too_long_is_refused():
    """At once, and not with the first booking."""
    with pytest.raises(ValueError, match="64"):
        EnvFlags({}, salt="x" * 65)


@pytest.mark.parametrize("mode", Mode)
def test_fixed_flags_are_the_same_everywhere(mode):
    """Mode and bound are what they were made with."""
    expected = FlagDecision(mode=mode, max_parallel=5, reason="fixed", source="fixed")
    assert FixedFlags(mode, max_parallel=5).resolve("anyone") == expected


@pytest.mark.parametrize(
    "bad", [{"mode": "on"}, {"mode": "off", "max_parallel": 0}, {"mode": "off", "max_parallel": 21}]
)
def test_fixed_flags_refuse_what_cannot_be(bad):
    """The bounds are those of the environment."""
    with pytest.raises(ValueError, match=r"on|max_parallel"):
        FixedFlags(**bad)
