"""Flags by way of OpenFeature, both ways."""

from __future__ import annotations

import threading
import time

import pytest

pytest.importorskip("openfeature")

from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import FlagResolutionDetails
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

from assignment_pipeline import Booking, Coordinator, EnvFlags, FixedFlags, Mode, Outcome, Reason
from assignment_pipeline.adapters.openfeature import FLAG, AssignmentPipelineProvider, OpenFeatureFlags
from assignment_pipeline.errors import FlagsUnreadError
from assignment_pipeline.ports import FlagDecision
from assignment_pipeline.testing.store_harness import DINNER, make_venue

V3 = "FEATURE_ASSIGNMENT_PIPELINE_V3"


@pytest.fixture
def client():
    """Makes a client of a provider of its own."""
    names = []

    def of(provider):
        names.append(f"test-{len(names)}-{id(names)}")
        api.set_provider(provider, names[-1])
        return api.get_client(names[-1])

    yield of
    api.shutdown()
    api.clear_providers()


@pytest.fixture
def said():
    """What the provider says of each restaurant."""
    return {}


@pytest.fixture
def provider(said):
    """The provider that OpenFeature brings, with a flag that differs from restaurant to restaurant."""

    def evaluate(flag, context):
        return FlagResolutionDetails(said[context.targeting_key])

    return InMemoryProvider({FLAG: InMemoryFlag("off", {"off": "off"}, context_evaluator=evaluate)})


class TestAsking:
    """Their flag, our decision."""

    def test_a_text_is_the_mode(self, client, provider, said):
        """Of the restaurant that is the targeting key."""
        said |= {"r-1": "active", "r-2": "shadow", "r-3": "off"}
        flags = OpenFeatureFlags(client(provider), max_parallel=5)
        assert [flags.resolve(name).mode for name in said] == [Mode.ACTIVE, Mode.SHADOW, Mode.OFF]
        assert flags.resolve("r-1") == FlagDecision(
            mode=Mode.ACTIVE, max_parallel=5, reason="unknown", source="openfeature"
        )

    def test_an_object_may_bound_it(self, client, provider, said):
        """Where it says how many at one time, that holds."""
        said |= {"r-1": {"mode": "active", "max_parallel": 7}, "r-2": {"mode": "shadow"}}
        flags = OpenFeatureFlags(client(provider), as_object=True)
        found = [(flags.resolve(name).mode, flags.resolve(name).max_parallel) for name in said]
        assert found == [(Mode.ACTIVE, 7), (Mode.SHADOW, 3)]

    @pytest.mark.parametrize(
        ("value", "as_object"),
        [
            ("ture", False),
            ("", False),
            ({"mode": "on"}, True),
            ({}, True),
            ([], True),
        ],
    )
    def test_the_last_good_value_stays(self, client, provider, said, value, as_object):
        """What cannot be read changes nothing, and is told of once."""
        told = []
        flags = OpenFeatureFlags(client(provider), as_object=as_object, on_error=told.append)
        said["r-1"] = {"mode": "active"} if as_object else "active"
        assert flags.resolve("r-1").mode is Mode.ACTIVE
        said["r-1"] = value
        assert [flags.resolve("r-1").mode for _ in range(3)] == [Mode.ACTIVE] * 3
        assert len(told) == 1
        said["r-2"] = value
        with pytest.raises(FlagsUnreadError):
            flags.resolve("r-2")

    @pytest.mark.parametrize("rest", [{"max_parallel": 0}, {"max_parallel": True}, {"max_paralel": 4}])
    @pytest.mark.parametrize("mode", list(Mode))
    def test_the_mode_counts_whatever_stands_beside_it(self, client, provider, said, mode, rest):
        """It may be a rollback: what cannot be read beside it is told, and stays as it was."""
        told = []
        flags = OpenFeatureFlags(client(provider), as_object=True, on_error=told.append)
        said["r-1"] = {"mode": "active", "max_parallel": 7}
        flags.resolve("r-1")
        said["r-1"] = {"mode": mode.value, **rest}
        decision = flags.resolve("r-1")
        assert decision.mode is mode
        assert decision.max_parallel == (3 if "max_paralel" in rest else 7)
        assert len(told) == 1

    def test_whole_floats_are_whole_numbers(self, client, provider, said):
        """An object that came over protobuf has no others."""
        said["r-1"] = {"mode": "active", "max_parallel": 5.0}
        assert repr(OpenFeatureFlags(client(provider), as_object=True).resolve("r-1").max_parallel) == "5"

    def test_a_provider_that_is_not_ready_is_waited_for(self, client, provider, said):
        """From openfeature-sdk 0.9 on, setting a provider does not wait for it; the first question does."""
        said["r-1"] = "active"
        provider.initialize = lambda _: time.sleep(0.2)
        assert OpenFeatureFlags(client(provider)).resolve("r-1").mode is Mode.ACTIVE

    def test_a_provider_that_never_is_ready_is_not_off(self, client, provider, said, caplog):
        """All callers share the time to wait; and who was answered before keeps that."""
        said |= {"r-1": "active", "r-2": "active"}
        ready = threading.Event()
        flags = OpenFeatureFlags(client(provider), first_answer=0.05)
        assert flags.resolve("r-1").mode is Mode.ACTIVE
        hanging = InMemoryProvider({})
        hanging.initialize = lambda _: ready.wait(10)
        api.set_provider(hanging, flags.client.domain)
        if not flags.unread:
            pytest.skip("this version of openfeature-sdk waits for a provider")
        for _ in range(3):
            with pytest.raises(FlagsUnreadError, match="PROVIDER_NOT_READY"):
                flags.resolve("r-2")
        assert flags.resolve("r-1").mode is Mode.ACTIVE
        ready.set()

    def test_without_a_provider_nothing_is_said(self):
        """The SDK's stand-in answers the default, which is nobody's decision."""
        with pytest.raises(FlagsUnreadError, match="no provider is set"):
            OpenFeatureFlags(api.get_client("nobody-has-set-one")).resolve("r-1")

    def test_a_flag_that_is_not_there_is_off(self, client):
        """The provider has answered: it knows of no such flag."""
        assert OpenFeatureFlags(client(InMemoryProvider({}))).resolve("r-1").mode is Mode.OFF

    def test_a_provider_that_fails_has_not_answered(self, client, provider, said, caplog):
        """Before its first answer nobody knows who is in charge; afterwards the last good value stays."""
        flags = OpenFeatureFlags(client(provider))
        with pytest.raises(FlagsUnreadError):
            flags.resolve("r-1")
        said["r-1"] = "active"
        assert flags.resolve("r-1").mode is Mode.ACTIVE
        del said["r-1"]
        assert flags.resolve("r-1").mode is Mode.ACTIVE
        assert "GENERAL" in caplog.text

    def test_it_decides_where_a_coordinator_is_in_charge(self, client, provider, said):
        """As any other resolver does."""
        flags = OpenFeatureFlags(client(provider))
        booking = Booking(id="b-1", restaurant_id="r-1", party_size=2, start_at=DINNER)
        said["r-1"] = "off"
        with Coordinator.in_memory(make_venue(), flags=flags, sinks=()) as coordinator:
            assert coordinator.assign(booking).reason is Reason.PIPELINE_DISABLED
            said["r-1"] = "active"
            assert coordinator.assign(booking).outcome is not Outcome.NOOP


class TestReplaced:
    """Each provider is waited for, once."""

    def test_unknown_restaurants_wait_for_the_next_provider(self):
        """Also where the wait for the one before is over; those that are known keep their last good value."""
        asking, told = api.get_client("replaced"), []
        variants = {mode.value: mode.value for mode in Mode}
        flags = OpenFeatureFlags(asking, first_answer=0, on_error=told.append)
        with pytest.raises(FlagsUnreadError, match="no provider is set"):
            flags.resolve("known")
        api.set_provider_and_wait(InMemoryProvider({FLAG: InMemoryFlag("active", variants)}), "replaced")
        assert flags.resolve("known").mode is Mode.ACTIVE
        ready = threading.Event()

        class Fetching(InMemoryProvider):
            def initialize(self, evaluation_context):
                assert ready.wait(20)

        api.set_provider(Fetching({FLAG: InMemoryFlag("shadow", variants)}), "replaced")
        assert flags.resolve("known").mode is Mode.ACTIVE
        with pytest.raises(FlagsUnreadError, match="NOT_READY"):
            flags.resolve("new")
        patient = OpenFeatureFlags(asking, first_answer=20, on_error=told.append)
        threading.Timer(0.05, ready.set).start()
        assert patient.resolve("new").mode is Mode.SHADOW
        assert [flags.resolve(name).mode for name in ("known", "new")] == [Mode.SHADOW] * 2
        api.clear_providers()

    def test_a_process_waits_for_its_provider_to_be_set(self):
        """OpenFeature answers with the default until then, as if the flag said so."""
        flags = OpenFeatureFlags(api.get_client("soon"), first_answer=20)
        provider = InMemoryProvider({FLAG: InMemoryFlag("on", {"on": "active"})})
        assert flags.unread
        threading.Timer(0.05, api.set_provider_and_wait, (provider, "soon")).start()
        assert flags.resolve("r-1").mode is Mode.ACTIVE
        api.clear_providers()


class TestBeingAsked:
    """Our flags, their client."""

    @pytest.fixture
    def ours(self, client):
        """A client of our provider over flags of the environment."""
        variables = {V3: "true", f"{V3}_PERCENT": "0", f"{V3}_RESTAURANTS": "r-1", f"{V3}_SHADOW": "true"}
        return client(AssignmentPipelineProvider(EnvFlags(variables)))

    def test_every_type(self, ours):
        """Text, boolean, whole number and object say the same."""
        context = EvaluationContext("r-1")
        assert ours.get_string_value(FLAG, "?", context) == "active"
        assert ours.get_boolean_value(FLAG, default_value=False, evaluation_context=context) is True
        assert ours.get_integer_value(FLAG, 0, context) == 3
        assert ours.get_object_value(FLAG, {}, context) == {
            "mode": "active",
            "max_parallel": 3,
            "reason": "listed",
            "source": "environment",
        }
        details = ours.get_string_details(FLAG, "?", EvaluationContext("r-2"))
        assert (details.value, details.variant, details.reason) == ("shadow", "shadow", "SPLIT")
        assert details.flag_metadata == {"rule": "percent", "source": "environment"}

    @pytest.mark.parametrize(
        ("flag", "context", "code"),
        [
            ("other", EvaluationContext("r-1"), "FLAG_NOT_FOUND"),
            (FLAG, EvaluationContext(), "TARGETING_KEY_MISSING"),
            (FLAG, None, "TARGETING_KEY_MISSING"),
        ],
    )
    def test_what_it_cannot_answer(self, ours, flag, context, code):
        """The client gets its default, and the code."""
        details = ours.get_string_details(flag, "mine", context)
        assert (details.value, details.error_code.value) == ("mine", code)

    def test_what_is_not_read_is_not_ready(self, client):
        """Flags of ours without a first answer give the asking client its default and the code for it."""
        unread = OpenFeatureFlags(api.get_client("nobody's"), first_answer=0, on_error=lambda _: None)
        details = client(AssignmentPipelineProvider(unread)).get_string_details(FLAG, "mine", EvaluationContext("r-1"))
        assert (details.value, details.error_code.value) == ("mine", "PROVIDER_NOT_READY")

    def test_it_is_no_fraction(self, ours):
        """Whoever asks for one is told."""
        assert ours.get_float_details(FLAG, 0.5, EvaluationContext("r-1")).error_code.value == "TYPE_MISMATCH"

    @pytest.mark.parametrize("mode", Mode)
    def test_there_and_back(self, client, mode):
        """Ours, asked by ours through theirs, says the same."""
        flags = OpenFeatureFlags(client(AssignmentPipelineProvider(FixedFlags(mode))))
        assert flags.resolve("r-1").mode is mode
