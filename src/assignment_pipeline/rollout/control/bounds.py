"""Bounds: what a value may reach, and on which side it is bad."""

from __future__ import annotations

import attrs

from assignment_pipeline.errors import InvalidValueError


@attrs.frozen
class Bound:
    """
    A bound of a value, from below or from above. The bound itself is good.

    Attributes:
        value: The bound.

        is_least: Whether values below it are bad; else, values above it are.
    """

    value: float
    is_least: bool

    @classmethod
    def of(cls, field: str, least: tuple[str, float | None], most: tuple[str, float | None]) -> Bound:
        """
        The bound of *field*, given as the one or the other, each with the name of its argument.

        Raises:
            InvalidValueError: Both are given, or none.
        """
        given = [(each, is_least) for (_, each), is_least in ((least, True), (most, False)) if each is not None]
        if len(given) != 1:
            raise InvalidValueError(field, f"either {least[0]} or {most[0]}", f"{least[1]} and {most[1]}")
        return cls(*given[0])

    @property
    def bad_side(self) -> str:
        """``below`` or ``above``."""
        return "below" if self.is_least else "above"

    @property
    def good_side(self) -> str:
        """``above`` or ``below``."""
        return "above" if self.is_least else "below"

    def is_beyond(self, value: float) -> bool:
        """Whether that value is bad."""
        return value < self.value if self.is_least else value > self.value

    def relaxed(self, margin: float) -> Bound:
        """The same bound, where a value may be worse by *margin*."""
        value = self.value - margin if self.is_least else self.value + margin
        return Bound(round(value, 9), self.is_least)  # 0.95 less 0.01 is 0.94
