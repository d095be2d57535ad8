"""
How often gates and alerts are wrong, and how soon they are right: simulated through the library's own code.

    python -m benchmarks.gates                    # some minutes
    python -m benchmarks.gates --runs 100         # quicker, and less exact
    python -m benchmarks.gates --seed 7 --json
    python -m benchmarks.gates --attainable       # what the best limit of a rule could do instead

Bookings come at random moments. Each is confirmed or left to a person, by chance. A gate is asked after each booking,
and the watcher's rule at each full five minutes. Each number comes with the end of its 95 % Monte Carlo interval.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import math
import random
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import attrs

from assignment_pipeline.domain.counts import Outcomes
from assignment_pipeline.domain.metrics import PIPELINE, Bucket
from assignment_pipeline.domain.record import Owner
from assignment_pipeline.rollout.control import PHASES, Answer, Count, Criterion
from assignment_pipeline.rollout.control.clusters import correlation, design_effect
from assignment_pipeline.rollout.control.covariate import explained_by
from assignment_pipeline.rollout.control.forecast import bookings_to_compare, forecast
from assignment_pipeline.rollout.control.gates import decide, sequence
from assignment_pipeline.rollout.control.intervals import wilson
from assignment_pipeline.rollout.control.sequential import Counted, difference_sequence
from assignment_pipeline.rollout.control.store_gates import compare
from assignment_pipeline.rollout.watching import AlertState
from assignment_pipeline.rollout.watching.alerts import USUALLY_ALIKE, evaluate
from assignment_pipeline.rollout.watching.cusum import Cusum
from assignment_pipeline.rollout.watching.rules import RULES, STEP

CONFIRMED, _, _, NO_WORSE, *_ = PHASES["production-10"].criteria
RING = RULES[0]

TRAFFIC = (4, 12, 60, 240)
"""Bookings an hour."""

CORRELATIONS = (0.0, 0.02, 0.05, 0.1)
WEEK = 7 * 24.0
CHANGE = 108
"""Noon of day five, in hours."""

BEGIN = dt.datetime(2031, 5, 1, tzinfo=dt.UTC)
SLOTS = round(dt.timedelta(hours=1) / STEP)
LOOK_BACK = round((RING.within + RING.hold + STEP) / STEP)
FEWEST = 96.0
"""Bookings a day: with fewer, the rule's limits are no lower."""

SHORT = 0.5
"""So far below its limit, a sum over all hours tells that the one over 24 hours is below it, too."""

EMPTY: dict[Any, Outcomes] = {}


@attrs.frozen
class Found:
    """
    A number that was simulated.

    Attributes:
        value: What it is.

        low: The lower end of its 95 % Monte Carlo interval.

        high: The upper end.
    """

    value: float
    low: float
    high: float


def share(part: int, whole: int) -> Found:
    """So many of so many runs."""
    return Found(part / whole, *wilson(part, whole))


def median(values: Sequence[float]) -> Found:
    """The median, and the order statistics around it that have it between them with 95 % confidence."""
    ranked = sorted(values)
    spread = 0.98 * math.sqrt(len(ranked))
    low = max(0, math.floor(len(ranked) / 2 - spread))
    high = min(len(ranked) - 1, math.ceil(len(ranked) / 2 + spread))
    return Found(statistics.median(ranked), ranked[low], ranked[high])


# -- Gates --------------------------------------------------------------------------------------------------------


def ever(answer: Answer, rate: float, bookings: int, runs: int, chance: random.Random) -> Found:
    """In how many of the phases with that true rate the gate gives *answer* after any of so many bookings."""
    border = list(_borders(CONFIRMED, answer, bookings))
    part = 0
    for _ in range(runs):
        good = 0
        for least_or_most in border:
            good += chance.random() < rate
            if good >= least_or_most if answer is Answer.PASS else good <= least_or_most:
                part += 1
                break
    return share(part, runs)


def _borders(criterion: Criterion, answer: Answer, bookings: int) -> Iterator[int]:
    """For each number of bookings, how many have to be good to pass, or may be at most to fail."""
    good = -1 if answer is Answer.FAIL else 0
    for whole in range(1, bookings + 1):
        if answer is Answer.FAIL:
            while good < whole and decide(criterion, Count(good + 1, whole)).answer is answer:
                good += 1
        else:
            while good <= whole and decide(criterion, Count(good, whole)).answer is not answer:
                good += 1
        yield good


def compared(worse_by: float, runs: int, chance: random.Random, *, looks: int = 40) -> tuple[Found, int]:
    """How many planners that confirm so many less than 95 % pass, and the bookings on each side: what a plan says."""
    bookings = bookings_to_compare(-NO_WORSE.limit)
    assert bookings is not None
    ends = [round(bookings * (look + 1) / looks) for look in range(looks)]
    part = 0
    for _ in range(runs):
        own = theirs = done = 0
        for end in ends:
            own += _successes(end - done, 0.95 - worse_by, chance)
            theirs += _successes(end - done, 0.95, chance)
            done = end
            if own / end - theirs / end < NO_WORSE.limit:
                continue
            if decide(NO_WORSE, Count(own, end, theirs, end)).answer is Answer.PASS:
                part += 1
                break
    return share(part, runs), bookings


def _successes(many: int, rate: float, chance: random.Random) -> int:
    return sum(chance.random() < rate for _ in range(many))


def covered(alike: float, runs: int, chance: random.Random, *, drawn: int = 3, others: int = 27) -> Found:
    """How often the interval of the difference holds the true one, with restaurants that differ."""
    part = 0
    for _ in range(runs):
        sides = [_restaurants(count, alike, chance) for count in (drawn, others)]
        resemble = correlation(*sides)
        one, other = (_worth(side, resemble) for side in sides)
        low, high = difference_sequence(one, other, NO_WORSE.error)
        part += low <= 0 <= high
    return share(part, runs)


def covered_with_past(
    alike: float, runs: int, chance: random.Random, *, drawn: int = 3, others: int = 27
) -> tuple[Found, Found]:
    """The same, with each restaurant's own past as covariate; and how wide the interval is, without it as 1."""
    part, wide = 0, []
    for _ in range(runs):
        found, halves = {}, ({}, {})
        for number in range(drawn + others):
            weight = 1 / alike - 1
            rate, name = chance.betavariate(0.95 * weight, 0.05 * weight), f"r-{number}"
            for half in halves:
                half[name] = (_successes(140, rate, chance), 140)
            good = _successes(70, rate, chance)
            group = PIPELINE if number < drawn else (Owner.LEGACY, None)
            found[name] = {group: Outcomes(confirmed=good, review=70 - good)}
        low, high = sequence(NO_WORSE, compare(found, frozenset(), explained_by(*halves)))
        part += low <= 0 <= high
        other_low, other_high = sequence(NO_WORSE, compare(found))
        wide.append((high - low) / (other_high - other_low))
    return share(part, runs), median(wide)


def _restaurants(count: int, alike: float, chance: random.Random, *, bookings: int = 70) -> list[Counted]:
    def rate() -> float:
        weight = 1 / alike - 1 if alike else 0.0
        return chance.betavariate(0.95 * weight, 0.05 * weight) if alike else 0.95

    return [(_successes(bookings, rate(), chance), bookings) for _ in range(count)]


def _worth(side: Sequence[Counted], resemble: float) -> tuple[float, float]:
    effect = design_effect(side, resemble)
    return sum(part for part, _ in side) / effect, sum(whole for _, whole in side) / effect


# -- The watcher --------------------------------------------------------------------------------------------------


Stretch = tuple[int, int]
"""Of five minutes: how many bookings are bad, and of how many."""


def first_alarm(
    rate_at: Callable[[float], float],
    an_hour: float,
    hours: float,
    chance: random.Random,
    *,
    legacy: Legacy | None = None,
) -> tuple[float, Sequence[Stretch]]:
    """
    The hour at which the rule that rolls back first fires, infinity if it does not; and what there was until then.

    Args:
        rate_at: The true rate, so many hours after the phase began.

        an_hour: How many bookings come an hour, on average.

        hours: How long it is watched.

        chance: The dice.

        legacy: Who is in charge of the other restaurants; nobody unless given.
    """
    seen: list[Stretch] = []
    stretches: list[Bucket] = []
    sums = Sums([RING.cusum(FEWEST), RING.cusum(FEWEST, USUALLY_ALIKE)])
    for slot in range(round(hours * SLOTS)):
        if not slot % SLOTS:
            sums.begin_an_hour()
        count = _arrivals(an_hour / SLOTS, chance)
        bad = count - _successes(count, rate_at(slot / SLOTS), chance)
        seen.append((bad, count))
        if count:
            sums.add(bad, count)
        is_new = slot < LOOK_BACK
        if not sums.is_near(-math.log(RING.at_start) if is_new else math.inf) and an_hour / SLOTS < RING.enough / 2:
            continue  # Neither of the tests that the rule begins with can show anything.
        stretches += _buckets(seen, len(stretches))
        at, past = BEGIN + (slot + 1) * STEP, partial(_hours_of_a_week, seen, legacy)
        alert = evaluate(RING, stretches[-LOOK_BACK:], at, from_start=is_new, past=past)
        if alert.state is AlertState.FIRING:
            return (slot + 1) / SLOTS, seen
    return math.inf, seen


def _buckets(seen: Sequence[Stretch], first: int, width: int = 1) -> list[Bucket]:
    """What a store would have counted, from that five minutes on, in stretches of so many of them."""
    return [_bucket(BEGIN + slot * STEP, seen[slot : slot + width]) for slot in range(first, len(seen), width)]


def _bucket(start: dt.datetime, seen: Sequence[Stretch]) -> Bucket:
    bad, whole = (sum(numbers) for numbers in zip(*seen, strict=True))
    outcomes = {PIPELINE: Outcomes(confirmed=whole - bad, review=bad)} if whole else EMPTY
    return Bucket(start=start, outcomes=outcomes)


def _hours_of_a_week(seen: Sequence[Stretch], legacy: Legacy | None) -> list[Bucket]:
    first = max(0, math.ceil(len(seen) / SLOTS) - round(WEEK))
    found = _buckets(seen, first * SLOTS, SLOTS)
    if legacy is None:
        return found
    beside = ({(Owner.LEGACY, None): legacy.in_hour(first + place)} for place in range(len(found)))
    return [
        attrs.evolve(bucket, outcomes={**bucket.outcomes, **other}) for bucket, other in zip(found, beside, strict=True)
    ]


class Legacy:
    """What legacy answers in each hour: so many bookings, as well and as much alike as the pipeline's."""

    def __init__(self, an_hour: float, alike: float, chance: random.Random) -> None:
        self._an_hour, self._alike, self._chance = an_hour, alike, chance
        self._hours: list[Outcomes] = []

    def in_hour(self, hour: int) -> Outcomes:
        """The outcomes of that one."""
        while len(self._hours) <= hour:
            whole = _arrivals(self._an_hour, self._chance)
            bad = _successes(whole, _rate_of_an_hour(0.05, self._alike, self._chance), self._chance)
            self._hours.append(Outcomes(confirmed=whole - bad, review=bad))
        return self._hours[hour]


class Sums:
    """The sum of each of some tests, over all bookings so far."""

    def __init__(self, tests: Iterable[Cusum]) -> None:
        self._tests = tuple(tests)
        self.values = [0.0 for _ in self._tests]
        self.begin_an_hour()

    def begin_an_hour(self) -> None:
        """The bookings that follow are of another hour."""
        self._seen = [(0, 0) for _ in self._tests]

    def add(self, bad: int, whole: int) -> None:
        """So many more of this hour."""
        for place, test in enumerate(self._tests):
            seen = self._seen[place]
            both = seen[0] + bad, seen[1] + whole
            value = self.values[place] + test.evidence(*both) - test.evidence(*seen)
            self._seen[place] = both if value > 0 else (0, 0)
            self.values[place] = max(value, 0.0)

    def is_near(self, limit: float) -> bool:
        """Whether one of them is not far below that limit, or below that of its test."""
        return any(
            value >= min(test.limit, limit) - SHORT for test, value in zip(self._tests, self.values, strict=True)
        )


def _arrivals(mean: float, chance: random.Random) -> int:
    """As many as come by chance: Poisson's distribution, by D. E. Knuth's algorithm."""
    limit, count, product = math.exp(-mean), 0, chance.random()
    while product > limit:
        count += 1
        product *= chance.random()
    return count


def rolled_back(an_hour: float, runs: int, chance: random.Random, *, alike: float = 0.0, beside: float = 0.0) -> Found:
    """
    In how many healthy weeks, with 95 % confirmed, the watcher rolls back.

    Args:
        an_hour: How many bookings come an hour, on average.

        runs: How many weeks.

        chance: The dice.

        alike: How far the bookings of an hour resemble each other: full evenings turn many away at once.

        beside: How many bookings come an hour at the restaurants of legacy.
    """

    def is_rolled_back() -> bool:
        rates: dict[int, float] = {}

        def rate_at(hour: float) -> float:
            return rates.setdefault(int(hour), _rate_of_an_hour(0.95, alike, chance))

        legacy = Legacy(beside, alike, chance) if beside else None
        return first_alarm(rate_at, an_hour, WEEK, chance, legacy=legacy)[0] < math.inf

    return share(sum(is_rolled_back() for _ in range(runs)), runs)


def bookings_until_caught(
    an_hour: float, runs: int, chance: random.Random, *, after: float, beside: float = 0.0
) -> Found:
    """How many bookings the watcher takes to roll back once only 80 % are confirmed, so many hours into the phase."""
    return median(list(_caught(an_hour, runs, chance, after, beside)))


def _caught(an_hour: float, runs: int, chance: random.Random, after: float, beside: float) -> Iterator[float]:
    def rate_at(hour: float) -> float:
        return 0.95 if hour < after else 0.80

    while runs:
        legacy = Legacy(beside, 0.0, chance) if beside else None
        when, seen = first_alarm(rate_at, an_hour, after + 1000, chance, legacy=legacy)
        if when > after:  # Else it was a false alarm: no run for this.
            runs -= 1
            yield sum(whole for _, whole in seen[round(after * SLOTS) :])


# -- What any limit can do ----------------------------------------------------------------------------------------


def attainable(an_hour: float, alike: float, runs: int, seed: int) -> dict[str, dict[str, float]]:
    """
    What the CUSUM test can do with the best limit there is: 5 % of healthy weeks are rolled back, found by trying.

    Args:
        an_hour: How many bookings come an hour, on average.

        alike: How far the bookings of one hour of those weeks resemble each other.

        runs: How many weeks.

        seed: Of the dice.

    Returns:
        By the correlation that the test takes for granted: its limit, the share of weeks with independent bookings
        that is rolled back with it, and the median of the bookings that it takes from noon of day five on, when 80 % of
        independent bookings are confirmed.
    """
    tests = {each: Cusum.of(0.05, 0.2, every=1000, alike=each) for each in (0.0, 0.02, 0.05, 0.08)}
    chance = random.Random(f"{seed} attainable {an_hour} {alike}")  # noqa: S311 - a simulation

    def weeks(each: float, bad: Callable[[int], float], hours: int) -> Iterator[Iterator[Step]]:
        for _ in range(runs):
            rates = (_rate_of_an_hour(bad(hour), each, chance) for hour in range(hours))
            yield _sums(tests.values(), rates, an_hour, chance)

    def peaks(each: float) -> list[list[float]]:
        found = [
            map(max, zip(*(sums for _, _, sums in week), strict=True)) for week in weeks(each, _healthy, round(WEEK))
        ]
        return [list(ranked) for ranked in zip(*found, strict=True)]

    tuned, independent = peaks(alike), peaks(0.0)
    changed = [list(week) for week in weeks(0.0, lambda hour: 0.05 if hour < CHANGE else 0.2, CHANGE + 72)]
    answers = {}
    for place, name in enumerate(tests):
        limit = sorted(tuned[place])[min(round(0.95 * runs), runs - 1)]
        took = []
        for week in changed:
            before = max((total for hour, total, _ in week if hour < CHANGE), default=0)
            first = next((total for _, total, sums in week if sums[place] >= limit), math.inf)
            took += [first - before] if first > before else []
        rolled = sum(peak >= limit for peak in independent[place]) / runs
        answers[f"{name:g}"] = {"limit": limit, "independent": rolled, "median": statistics.median(took)}
    return answers


Step = tuple[int, int, tuple[float, ...]]


def _healthy(_: int) -> float:
    return 0.05


def _rate_of_an_hour(mean: float, alike: float, chance: random.Random) -> float:
    weight = 1 / alike - 1 if alike else 0.0
    return chance.betavariate(mean * weight, (1 - mean) * weight) if alike else mean


def _sums(tests: Iterable[Cusum], rates: Iterable[float], an_hour: float, chance: random.Random) -> Iterator[Step]:
    """After each five minutes with bookings: the hour, how many there were so far, and the sum of each test."""
    total, sums = 0, Sums(tests)
    for hour, rate in enumerate(rates):
        sums.begin_an_hour()
        for _ in range(SLOTS):
            count = _arrivals(an_hour / SLOTS, chance)
            if count:
                sums.add(_successes(count, rate, chance), count)
                total += count
                yield hour, total, tuple(sums.values)


# -- Everything ---------------------------------------------------------------------------------------------------


def _weeks(alike: float, runs: int) -> int:
    """How many weeks of full evenings: of those that something is stated of, as many as of the rest."""
    return runs if alike == USUALLY_ALIKE else max(runs // 4, 10)


def simulate(seed: int, runs: int, *, traffic: Sequence[int] = TRAFFIC) -> dict[str, Any]:
    """All that is published, by name."""

    def chance(name: str) -> random.Random:
        return random.Random(f"{seed} {name}")  # noqa: S311 - a simulation

    equal, sample = compared(0.0, max(runs // 4, 20), chance("equal"))
    worse, _ = compared(0.03, max(runs // 4, 20), chance("worse"))
    with_past = {each: covered_with_past(each, max(runs // 4, 20), chance(f"past {each}")) for each in CORRELATIONS[1:]}
    return {
        "false_fail": ever(Answer.FAIL, 0.95, 1000, runs, chance("fail")),
        "false_pass": ever(Answer.PASS, 0.94, 2000, runs, chance("pass")),
        "false_rollback_week": {
            str(each): rolled_back(each, max(runs // (1 + each // 60), 10), chance(f"week {each}")) for each in traffic
        },
        "full_evenings_rollback_week": {
            f"{each:g}": rolled_back(4, _weeks(each, runs), chance(f"evenings {each}"), alike=each)
            for each in CORRELATIONS[1:]
        },
        "full_evenings_rollback_week_at_12": {
            f"{each:g}": rolled_back(12, _weeks(each, runs), chance(f"evenings at 12 {each}"), alike=each)
            for each in (CORRELATIONS[1:] if 12 in traffic else ())
        },
        "detect_80_median": bookings_until_caught(4, max(runs // 2, 20), chance("caught"), after=CHANGE),
        "detect_80_at_once_median": bookings_until_caught(4, max(runs // 4, 20), chance("at once"), after=0),
        "beside_legacy_rollback_week": {
            f"{each:g}": rolled_back(4, max(runs // 2, 10), chance(f"beside {each}"), alike=each, beside=36)
            for each in (0.0, USUALLY_ALIKE)
        },
        "beside_legacy_detect_80_median": bookings_until_caught(
            4, max(runs // 4, 10), chance("caught beside"), after=CHANGE, beside=36
        ),
        "coverage": {f"{each:g}": covered(each, max(runs // 4, 20), chance(f"cover {each}")) for each in CORRELATIONS},
        "coverage_with_past": {f"{each:g}": with_past[each][0] for each in with_past},
        "width_with_past": {f"{each:g}": with_past[each][1] for each in with_past},
        "equal_passes": equal,
        "three_points_worse_passes": worse,
        "sample_a_side": Found(sample, sample, sample),
    }


TITLES = {
    "false_fail": "a gate ever says FAIL in 1,000 bookings, though the true rate is 95 %",
    "false_pass": "a gate ever says PASS to a true 94 % in 2,000 bookings",
    "false_rollback_week": "the watcher rolls a healthy week back, by bookings an hour",
    "full_evenings_rollback_week": "the same at 4 an hour, by how much the bookings of an hour resemble each other",
    "full_evenings_rollback_week_at_12": "the same at 12 an hour",
    "detect_80_median": "bookings until a true 80 % is rolled back, from noon of day five on, 4 an hour (median)",
    "detect_80_at_once_median": "the same, from the phase's beginning on",
    "beside_legacy_rollback_week": "a healthy week is rolled back at 4 an hour, beside 36 of legacy's, by correlation",
    "beside_legacy_detect_80_median": "bookings until a true 80 % is rolled back there, from noon of day five on",
    "coverage": "the interval of the difference holds the true one: 3 of 30 restaurants, by correlation",
    "coverage_with_past": "the same with each restaurant's own past as covariate, where it goes on",
    "width_with_past": "that interval's width, of what it is without the past (median)",
    "equal_passes": "an equal planner passes at the sample that is said in advance",
    "three_points_worse_passes": "one that is three points worse does",
    "sample_a_side": "that sample, on each side",
}


# -- The picture --------------------------------------------------------------------------------------------------


def chance_of(answer: Answer, rate: float, border: Sequence[int]) -> float:
    """How likely the gate has given *answer* by the last of so many bookings: counted, not simulated."""
    still, given = [1.0], 0.0
    for bound in border:
        reached = [0.0, *(weight * rate for weight in still)]
        for good, weight in enumerate(still):
            reached[good] += weight * (1 - rate)
        for good, weight in enumerate(reached):
            if weight and (good >= bound if answer is Answer.PASS else good <= bound):
                given += weight
                reached[good] = 0.0
        still = reached
    return given


def draw(path: str, *, bookings: Sequence[int] = (300, 1000)) -> None:
    """How often a gate has passed and failed, by the true rate; and how long the phases take, by the traffic."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    rates = [0.80 + 0.005 * step for step in range(41)]
    for answer, colour in ((Answer.PASS, "#0b7a4b"), (Answer.FAIL, "#b3261e")):
        border = list(_borders(CONFIRMED, answer, max(bookings)))
        for most, style in zip(bookings, ("--", "-"), strict=True):
            shares = [100 * chance_of(answer, rate, border[:most]) for rate in rates]
            label = f"{answer.value.upper()} within {most:,} bookings"
            left.plot([100 * rate for rate in rates], shares, style, color=colour, label=label)
    left.axvline(95, color="#8a94a0", linewidth=0.8)
    left.set(xlabel="true confirmation rate, %", ylabel="phases, %", title="At least 95 %, less a point")
    left.legend(fontsize=7, frameon=False)
    traffic = [20 * 2 ** (step / 2) for step in range(18)]
    for place, name in enumerate(("production-shadow", "production-10", "production-50", "production-100")):
        found = [next(each for each in forecast(30, daily) if each.phase.name == name) for daily in traffic]
        right.plot(traffic, [each.days for each in found], label=name, color=f"C{place}")
    right.set(
        xscale="log", yscale="log", xlabel="bookings a day, all restaurants", ylabel="days", title="Days a phase takes"
    )
    right.legend(fontsize=7, frameon=False)
    figure.savefig(path, format="svg", metadata={"Date": None})


def main() -> None:
    """Print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, default=1000, help="how many phases for a share (1000)")
    parser.add_argument("--traffic", type=int, nargs="+", default=TRAFFIC, help="bookings an hour (4 12 60 240)")
    parser.add_argument(
        "--attainable", action="store_true", help="what the best limit could do instead, by the correlation of an hour"
    )
    parser.add_argument("--picture", metavar="FILE", help="draw the curves instead, as SVG; with the extra bench")
    parser.add_argument("--json", action="store_true", help="one object, for programs")
    options = parser.parse_args()
    if options.picture:
        draw(options.picture)
        return
    if options.attainable:
        for an_hour in options.traffic:
            for alike in (0.0, 0.05):
                for assumed, answer in attainable(an_hour, alike, options.runs, options.seed).items():
                    print(
                        f"{an_hour:>4} an hour, weeks of {alike:g}, a test for {assumed:>4}:"
                        f" limit {answer['limit']:.2f}, independent weeks {answer['independent']:.1%},"
                        f" caught after {answer['median']:.0f}"
                    )
        return
    found = simulate(options.seed, options.runs, traffic=options.traffic)
    if options.json:
        print(json.dumps({name: _document(each) for name, each in found.items()}, indent=2))
        return
    for name, each in found.items():
        print(TITLES[name])
        for label, number in each.items() if isinstance(each, dict) else [("", each)]:
            shown = f"{number.value:.1%}" if number.high <= 1 else f"{number.value:,.0f}"
            high = f"{number.high:.1%}" if number.high <= 1 else f"{number.high:,.0f}"
            print(f"  {label:>6} {shown:>8}  at most {high}")


def _document(found: Any) -> Any:
    if isinstance(found, Found):
        return attrs.asdict(found)
    return {name: attrs.asdict(each) for name, each in found.items()}


if __name__ == "__main__":
    main()
