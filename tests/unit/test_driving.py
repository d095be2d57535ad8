"""Generators are driven alike for threads, for asyncio, and from within another generator."""

import asyncio
import contextlib

import pytest

from assignment_pipeline.driving import adrive, drive, relay, resume


class RefusedError(Exception):
    """What an answer raises."""


def adding(count):
    """Ask *count* times; what was refused counts for nothing."""
    total = 0
    for number in range(count):
        with contextlib.suppress(RefusedError):
            total += yield number
    return total


def answer(number):
    if number == 1:
        raise RefusedError
    return number * 10


async def later(number):
    await asyncio.sleep(0)
    return answer(number)


def passing(number):
    got = yield number
    return answer(got)


def test_every_driver_answers_and_raises_inside():
    """Each question gets its answer, and a refusal is raised where it was asked."""
    assert drive(adding(4), answer) == 50
    assert asyncio.run(awaited(adding(4))) == 50
    assert drive(relay(adding(4), passing), lambda number: number) == 50


async def awaited(steps):
    return await adrive(steps, later)


def test_what_is_not_caught_ends_the_steps():
    """An error that is none of those to be caught comes out, and the steps are closed."""
    steps = adding(4)
    with pytest.raises(RefusedError):
        drive(steps, answer, caught=ValueError)
    assert steps.gi_frame is None


def test_a_stop_iteration_comes_through_as_it_is():
    """What an answer raises is what the caller gets, even what generators cannot raise."""
    with pytest.raises(StopIteration):
        drive(adding(2), lambda _: next(iter(())))


def test_steps_one_by_one():
    """Who drives by hand gets each question in turn."""
    steps = adding(2)
    assert resume(steps, None) == 0
    assert resume(steps, 5) == 1
    with pytest.raises(StopIteration) as stopped:
        resume(steps, None, RefusedError())
    assert stopped.value.value == 5
