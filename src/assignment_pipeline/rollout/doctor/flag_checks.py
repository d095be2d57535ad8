"""Whether the flags can be read, agree and are applied, and whether the shadow that they switch on is at work."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping

from assignment_pipeline.domain.result import Mode
from assignment_pipeline.errors import FlagError
from assignment_pipeline.rollout.doctor.app_flags import AppFlags
from assignment_pipeline.rollout.doctor.diagnosis import Finding, good, noted, wrong
from assignment_pipeline.rollout.doctor.facts import Facts, may_be
from assignment_pipeline.rollout.flags import EnvFlags, FlagSettings
from assignment_pipeline.rollout.flags.cohorts import BUCKETS
from assignment_pipeline.rollout.flags.environment import VARIABLES

_PREFIX = VARIABLES["enabled"].name


def environment_read(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Whether every variable is known and can be read."""
    known = {variable.name for variable in VARIABLES.values()}
    unknown = sorted(name for name in environ if name.startswith(_PREFIX) and name not in known)
    try:
        settings = EnvFlags(environ).settings
    except FlagError as error:
        yield wrong(
            "environment",
            str(error),
            "a typo: workers that start with it stop at once, running ones keep the last good value",
            f"set {error.variable} to {error.expected}",
        )
        return
    if unknown:
        near = {name: difflib.get_close_matches(name, known, 1, 0.5) for name in unknown}
        meant = ", ".join(f"{name} (meant: {found[0]}?)" if found else name for name, found in near.items())
        yield wrong(
            "environment", f"nothing reads {meant}", "a typo in a variable's name", "rename it, or take it away"
        )
        return
    unset = VARIABLES["percent"].name not in environ
    if settings.enabled and unset and settings.percent == BUCKETS:
        yield noted(
            "environment",
            f"{_PREFIX} is on, and {VARIABLES['percent'].name} is not set: that is 100 % of the restaurants",
            "a row for 10 % or 50 % that has no percentage is a row for all of them",
            f"set {VARIABLES['percent'].name} if fewer are meant, or leave the flags to the database",
        )
        return
    yield good("environment", "every variable is known and can be read")


def flags_agree(facts: Facts) -> Finding:
    """Whether the application, the database and the environment say the same."""
    check, names = "flags-agree", (_PREFIX, VARIABLES["shadow"].name)
    if facts.flags is not None and (facts.flags.raised or facts.has_own_flags):
        return _of_app(facts, facts.flags)
    stored = facts.read_here
    if not facts.revision.generation:
        return good(check, "the database says nothing: the environment decides")
    if stored is None:
        return wrong(
            check,
            "the settings in the database cannot be read",
            "somebody has changed the row by hand",
            "enter a phase again: `assignment-pipeline rollout enter PHASE`",
        )
    said = {name: facts.environ[name] for name in names if name in facts.environ}
    if not said:
        return good(check, "the environment says nothing: the database decides")
    try:
        environment = EnvFlags(facts.environ)
    except FlagError:
        return noted(check, "the environment cannot be read")
    evidence = f"the environment says {', '.join(f'{name}={value}' for name, value in said.items())}"
    return _hold_against(stored, environment, f"{evidence}; the database is in phase {facts.revision.phase}")


def _of_app(facts: Facts, flags: AppFlags) -> Finding:
    check = "flags-agree"
    if flags.raised:
        where, what = min(flags.raised.items())
        more = f"; and for {len(flags.raised) - 1} more" if len(flags.raised) > 1 else ""
        return wrong(
            check,
            f"the application's flags raised for {where}: {what}{more}",
            "code of the application's that raises, or flags that cannot be read",
            "mend it: until then, calls about these restaurants end with that error; see `flags explain RESTAURANT`",
        )
    evidence = f"the application's flags decide: {flags}"
    if facts.says_nothing:
        return good(check, evidence)
    phase = f"the database is in phase {facts.revision.phase}" if facts.revision.generation else "flags are set here"
    return noted(
        check,
        f"{evidence}; {phase}, and they do not go by that",
        "a coordinator with flags of its own, or workers with another environment",
        "see `flags explain RESTAURANT`; wire `LayeredFlags` if the database is to decide",
    )


def _hold_against(stored: FlagSettings, environment: EnvFlags, evidence: str) -> Finding:
    check = "flags-agree"
    if environment.is_rollback and (stored.enabled or stored.shadow):
        return wrong(
            check,
            evidence,
            "the environment rolls back whatever the database says",
            "unset one of the two and start the workers anew, or roll back in the database, too",
        )
    own = environment.settings
    if (own.enabled, own.shadow) != (stored.enabled, stored.shadow) or (own.enabled and own.percent != stored.percent):
        return wrong(
            check,
            f"{evidence}, which is something else",
            "workers with `EnvFlags` go by the one, workers with `StoreFlags` or `LayeredFlags` by the other",
            "take the variables away, and wire `LayeredFlags` everywhere",
        )
    return good(check, evidence)


def flags_applied(facts: Facts) -> Finding:
    """Whether calls are made in the modes that the flags allow."""
    check = "flags-applied"
    settings = facts.settings
    calls = {mode: facts.number(mode, "assignment.coordinator", "auto_assign") for mode in Mode}
    told = ", ".join(f"{number} in mode {mode.value}" for mode, number in calls.items() if number) or "none"
    if settings is None or not any(calls.values()):
        app = f"; the application's flags: {facts.flags}" if facts.has_own_flags else ""
        return noted(check, f"events of calls {facts.span}: {told}{app}")
    wanted = {mode for mode in Mode if may_be(mode, settings)}
    if facts.says_nothing:
        return noted(
            check,
            f"events of calls in the last hour: {told}; neither the environment nor the database sets a flag",
            "a day of `demo` or `assign`, or workers with flags or an environment of their own",
            "nothing after `demo` or `assign`; else run the doctor in the workers' environment",
        )
    strangers = [mode for mode, number in calls.items() if number and mode not in wanted]
    if strangers:
        return wrong(
            check,
            f"events of calls {facts.span}: {told}; by the flags there should be none in mode "
            + ", ".join(mode.value for mode in strangers),
            "workers that still run with older variables, or that are not wired to these flags",
            "restart the workers, or wire `StoreFlags`, which follows within a second; see `flags explain RESTAURANT`",
        )
    return good(check, f"events of calls {facts.span}: {told}")


def shadow_at_work(facts: Facts) -> Finding:
    """Whether a shadow that is switched on tells of something."""
    check = "shadow"
    if not facts.has_shadow:
        return _without_shadow(facts.flags)
    legacy = facts.number(Mode.SHADOW, "auto_assign")
    shadowed = facts.number(Mode.SHADOW, "assignment.state_machine", "assignment.shadow")
    called = facts.number(Mode.SHADOW, "assignment.coordinator", "auto_assign")
    agreement = facts.day.agreement
    if agreement.unreadable:
        return wrong(
            check,
            f"{agreement.unreadable} of {agreement.comparable + agreement.incomparable} answers of legacy's in a day"
            " could not be compared",
            "the legacy planner returns something else than a LegacyResult, or names tables that the floor has not",
            "return LegacyResult(tables) with the ids of the floor's tables; see `shadow list --verdict incomparable`",
        )
    if shadowed:
        return good(check, f"{shadowed} events of the shadow, {legacy} of legacy's, {facts.span}")
    if called:
        return wrong(
            check,
            f"{called} events of calls in mode shadow, and none of the shadow's own",
            "no shadow is wired (reason `shadow_unavailable`), or none of its workers runs, or it samples nothing",
            'give the coordinator a shadow; with `shadow="worker"` run `assignment-pipeline worker`; see the log',
        )
    others = sum(facts.number(mode, "assignment.coordinator", "auto_assign") for mode in (Mode.OFF, Mode.ACTIVE))
    if others:
        return wrong(
            check,
            f"{others} events of calls, none of them in mode shadow",
            "the flags have not reached the workers, or no restaurant that took a booking is covered",
            "see `flags explain RESTAURANT`, and restart the workers if they go by the environment",
        )
    return noted(
        check,
        f"no event {facts.span}",
        "no booking was taken, or the coordinator is not called for them",
        "make a booking, and look again",
    )


def _without_shadow(flags: AppFlags | None) -> Finding:
    check = "shadow"
    if flags is None:
        return good(check, "no shadow is switched on")
    if flags.decisions:
        return good(check, f"no shadow is switched on: {flags}")
    evidence = "no restaurant is known, so the application's flags were not asked for one"
    return noted(check, evidence, fix="name one: `doctor --restaurant ID`")
