"""Evenings by the dozen: each replayed through every contender, twice, and set against its bound."""

from __future__ import annotations

import concurrent.futures
import json
import multiprocessing
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import attrs

from benchmarks.evenings.bound import Bound, bound, could_seat
from benchmarks.evenings.generator import Evening, Size, evening
from benchmarks.evenings.replay import CONTENDERS, Replay, replay

ALL = "all"
ACCOMMODATING = "accommodating"


@attrs.frozen(kw_only=True)
class Outcome:
    """
    What one contender made of one evening.

    Attributes:
        mix: What the evening was drawn for; the file's name for one that was read.

        size: Its tables and bookings, such as ``60x130``.

        seed: What it was drawn from; 0 for one that was read.

        requests: Which bookings asked: ``all``, or ``accommodating`` for those that the best known set seats.

        contender: Who was asked.

        covers: Guests that were seated.

        most: The proved bound on them.

        closed: Whether the best known set of the evening is an optimum.

        refused: Bookings that were not seated.

        avoidable: Those of them that could have been, had accepted ones been moved; None if nobody looked.

        unsure: Those of which that was not found out in time; None if nobody looked.

        saved: Bookings that were seated because others moved.

        moves: How many did.

        planning: Seconds for each decision.

        snapshots: Seconds for each snapshot that was built for one.
    """

    mix: str
    size: str
    seed: int
    requests: str
    contender: str
    covers: int
    most: int
    closed: bool
    refused: int
    avoidable: int | None
    unsure: int | None
    saved: int
    moves: int
    planning: tuple[float, ...]
    snapshots: tuple[float, ...]

    @property
    def share(self) -> float:
        """The covers as a share of the bound."""
        return self.covers / self.most if self.most else 1.0


@attrs.frozen(kw_only=True)
class Job:
    """
    An evening, and what is to be done with it.

    Attributes:
        mix: What it is drawn for, or the file that it is read from.

        size: Its size; None for a file.

        seed: What it is drawn from.

        contenders: The names of those who are asked.

        seconds: The time that each solver has for the bound.

        cache: The folder that keeps bounds.

        avoidable: Whether to look which refusals could have been avoided.
    """

    mix: str
    size: Size | None
    seed: int
    contenders: tuple[str, ...]
    seconds: float
    cache: Path | None
    avoidable: bool

    def evening(self) -> Evening:
        """The evening itself."""
        if self.size is not None:
            return evening(self.size, self.seed, self.mix)
        from assignment_pipeline.cli.day.service_file import read_service  # noqa: PLC0415 - takes the extra cli

        service = read_service(Path(self.mix))
        return Evening(Path(self.mix).stem, service.venue, service.bookings)


def measure(job: Job) -> list[Outcome]:
    """What each contender makes of the evening, with all requests and with the accommodating ones."""
    drawn = job.evening()
    limit = bound(drawn, seconds=job.seconds, cache=job.cache)
    rows = []
    for name in job.contenders:
        rows.append(_outcome(job, drawn, limit, name, replay(drawn, CONTENDERS[name]), requests=ALL))
        kept = replay(drawn, CONTENDERS[name], limit.seated)
        rows.append(_outcome(job, drawn, limit, name, kept, requests=ACCOMMODATING))
    return rows


def _outcome(job: Job, drawn: Evening, limit: Bound, name: str, done: Replay, *, requests: str) -> Outcome:
    could_have: list[bool | None] | None = None
    if requests == ACCOMMODATING:
        could_have = [True] * len(done.refused)  # The best known set seats them all.
    elif job.avoidable:
        could_have = [*_avoidable(drawn, done, job.seconds)]
    return Outcome(
        mix=job.mix if job.size else drawn.name,
        size=str(Size(len(drawn.venue.floor.tables), len(drawn.bookings))),
        seed=job.seed,
        requests=requests,
        contender=name,
        covers=done.covers,
        most=limit.covers if requests == ALL else limit.found,
        closed=limit.is_closed,
        refused=len(done.refused),
        avoidable=could_have.count(True) if could_have is not None else None,
        unsure=could_have.count(None) if could_have is not None else None,
        saved=done.saved,
        moves=done.moves,
        planning=done.planning,
        snapshots=done.snapshots,
    )


def _avoidable(drawn: Evening, done: Replay, seconds: float) -> Iterator[bool | None]:
    """For each refusal, whether it and all that had been accepted by then could sit at their times."""
    accepted = []
    refused = set(done.refused)
    for booking in drawn.bookings:
        if booking.id in done.seated:
            accepted.append(booking)
        elif booking.id in refused:
            yield could_seat(drawn.venue, [*accepted, booking], seconds=seconds)


def measured(jobs: Sequence[Job], processes: int) -> Iterator[list[Outcome]]:
    """The outcomes of each job, in their order."""
    if processes == 1:
        yield from map(measure, jobs)
        return
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(processes, mp_context=context) as pool:
        yield from pool.map(measure, jobs)


def write(path: Path, outcomes: Iterable[Outcome]) -> None:
    """Keep outcomes, a line each."""
    with path.open("a") as lines:
        for outcome in outcomes:
            lines.write(json.dumps(attrs.asdict(outcome)) + "\n")


def read(path: Path) -> list[Outcome]:
    """The outcomes that were kept; of those that were measured twice, the last."""
    found = {}
    for line in path.read_text().splitlines():
        row = json.loads(line)
        row |= {"planning": tuple(row["planning"]), "snapshots": tuple(row["snapshots"])}
        outcome = Outcome(**row)
        found[outcome.mix, outcome.size, outcome.seed, outcome.requests, outcome.contender] = outcome
    return list(found.values())
