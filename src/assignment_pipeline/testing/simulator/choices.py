"""Where everything random in a run comes from: a list of whole numbers, drawn, replayed, or Hypothesis's."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from assignment_pipeline.errors import InvalidValueError

if TYPE_CHECKING:
    from hypothesis import strategies as st

T = TypeVar("T")

CERTAIN = 10_000
"""A chance of 1, in the whole numbers that chances are counted in."""


class Choices:
    """
    A source of choices. Each is a whole number, and 0 is the plainest: nothing happens, the first goes on.

    Attributes:
        made: The choices so far. Replayed, they make the same run; a shorter list, or more zeros, makes a simpler one.
    """

    def __init__(self) -> None:
        self.made: list[int] = []

    def _draw(self, chances: Sequence[int] | None, ways: int) -> int:
        """A number below *ways*: each as likely as the others, or from 1 on as *chances* (of `CERTAIN`) have it."""
        raise NotImplementedError

    def pick(self, ways: int) -> int:
        """One of so many *ways*, from 0."""
        if ways < 2:
            return 0
        choice = self._draw(None, ways)
        self.made.append(choice)
        return choice

    def weigh(self, chances: Sequence[int]) -> int:
        """The number, from 1, of the one of *chances* that came about; 0 if none did."""
        if not chances:
            return 0
        choice = self._draw(chances, len(chances) + 1)
        self.made.append(choice)
        return choice

    def of(self, options: Sequence[T]) -> T:
        """One of *options*; the first is the plainest."""
        return options[self.pick(len(options))]

    def chance(self, rate: float) -> bool:
        """Whether something comes about that does so at that *rate*, from 0 to 1."""
        return self.weigh((round(rate * CERTAIN),)) == 1


class Seeded(Choices):
    """Choices drawn from a seed."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._random = random.Random(seed)  # noqa: S311 - it is to be repeated, not to be secret

    def _draw(self, chances: Sequence[int] | None, ways: int) -> int:
        drawn = self._random.random()
        if chances is None:
            return int(drawn * ways)
        return _which(chances, int(drawn * CERTAIN))


class Replayed(Choices):
    """Choices that were made before; where the list ends, zeros."""

    def __init__(self, made: Sequence[int]) -> None:
        super().__init__()
        self._left = iter(made)

    def _draw(self, chances: Sequence[int] | None, ways: int) -> int:  # noqa: ARG002 - what is likely was settled then
        return next(self._left, 0) % ways


class Drawn(Choices):
    """Hypothesis's choices: its ``data`` draws them, and what it shrinks is the run."""

    def __init__(self, data: st.DataObject) -> None:
        super().__init__()
        from hypothesis import strategies  # noqa: PLC0415 - only this needs it

        self._data = data
        self._integers = strategies.integers

    def _draw_below(self, ways: int) -> int:
        drawn: int = self._data.draw(self._integers(0, ways - 1))
        return drawn

    def _draw(self, chances: Sequence[int] | None, ways: int) -> int:
        return self._draw_below(ways) if chances is None else _which(chances, self._draw_below(CERTAIN))


def _which(chances: Sequence[int], drawn: int) -> int:
    """Which of the *chances* a number below `CERTAIN` means: they take the highest numbers, nothing the lowest."""
    drawn = CERTAIN - 1 - drawn
    for number, chance in enumerate(chances, 1):
        drawn -= chance
        if drawn < 0:
            return number
    return 0


def to_text(choices: Sequence[int]) -> str:
    """A list of choices on one line, for a command: zeros in a row are counted, those at the end left out."""
    made = list(choices)
    while made and not made[-1]:
        made.pop()
    text = ".".join(map(str, made))
    return re.sub(r"\b0(?:\.0\b)+", lambda zeros: f"0x{(len(zeros[0]) + 1) // 2}", text) or "0"


def from_text(text: str) -> tuple[int, ...]:
    """
    The list of choices that `to_text` wrote.

    Raises:
        ValueError: It wrote no such text.
    """
    made: list[int] = []
    for part in text.split("."):
        read = re.fullmatch(r"([0-9]{1,9})(?:x([0-9]{1,5}))?", part)
        if read is None:
            raise InvalidValueError("", "choices such as 0x3.1.0.2", repr(text))
        made += [int(read[1])] * int(read[2] or 1)
    return tuple(made)
