"""The order of the phases, and which steps are steps back."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from assignment_pipeline.errors import InvalidValueError
from assignment_pipeline.rollout.control.phases import PHASES, ROLLBACK, Phase


@attrs.frozen
class Ladder:
    """
    The phases in their order, and beside them the one in which everything is off.

    Attributes:
        phases: From the first to the last.
    """

    phases: Sequence[Phase] = attrs.field(converter=tuple[Phase, ...])

    def phase(self, name: str) -> Phase:
        """
        The phase of that name.

        Raises:
            ValueError: There is none.
        """
        every = (*self.phases, ROLLBACK)
        for phase in every:
            if phase.name == name:
                return phase
        raise InvalidValueError("phase", f"one of {', '.join(phase.name for phase in every)}", repr(name))

    def rung(self, phase: Phase | None) -> int:
        """Its place, from 0; -1 where nothing is on."""
        return self.phases.index(phase) if phase in self.phases else -1

    def above(self, phase: Phase | None) -> Phase | None:
        """The next one; None at the end, before the beginning and after a rollback."""
        rung = self.rung(phase)
        return self.phases[rung + 1] if 0 <= rung < len(self.phases) - 1 else None

    def below(self, phase: Phase | None) -> Phase | None:
        """One step back: the nearest one before that exposes less, or off; None where nothing is on."""
        if phase is None or phase == ROLLBACK:
            return None
        before = self.phases[: max(self.rung(phase), 0)]
        return next((each for each in reversed(before) if each.exposure < phase.exposure), ROLLBACK)

    def before(self, phase: Phase) -> str:
        """The name of the one before it."""
        rung = self.rung(phase)
        return self.phases[rung - 1].name if rung > 0 else "the beginning"

    def leads_back(self, phase: Phase, target: Phase) -> bool:
        """Whether *target* is before *phase* and exposes no more: all of staging is more than a tenth."""
        return target == ROLLBACK or (self.rung(target) < self.rung(phase) and target.exposure <= phase.exposure)

    def is_free(self, phase: Phase | None, target: Phase) -> bool:
        """Whether *target* may be entered from *phase* without any gate, as it exposes nobody anew."""
        if phase is None:
            return target == self.phases[0] or not target.exposure
        return not target.exposure or self.leads_back(phase, target)


LADDER = Ladder([phase for phase in PHASES.values() if phase != ROLLBACK])
"""The phases that ship."""
