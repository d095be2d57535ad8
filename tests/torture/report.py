"""What a run came to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import attrs

from tests.torture.ledger import Answers


@attrs.define
class Report:
    """
    What a run came to.

    Attributes:
        counts: How often everything happened.

        broken: What does not hold, by its name; each with what breaks it.

        answers: What the workers have said.

        seconds: How long it took in all.
    """

    counts: Counter[str] = attrs.Factory(Counter)
    broken: dict[str, list[str]] = attrs.Factory(dict)
    answers: Answers = attrs.Factory(Answers)
    seconds: float = 0.0

    def add(self, name: str, lines: Iterable[str]) -> None:
        """Take down what breaks something, once."""
        for line in lines:
            known = self.broken.setdefault(name, [])
            if line not in known:
                known.append(line)
