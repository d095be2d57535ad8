"""What the doctor says."""

from __future__ import annotations

import enum
from collections.abc import Mapping

import attrs

from assignment_pipeline.domain.reasons import Reason

ADVICE: Mapping[str, str] = {reason.value: reason.facts.advice for reason in Reason if reason.facts.advice is not None}
"""What helps against each reason for a review."""


class Health(enum.StrEnum):
    """What a check has found."""

    GOOD = "good"
    NOTE = "note"
    WRONG = "wrong"


@attrs.frozen(kw_only=True)
class Finding:
    """
    What one check says.

    Attributes:
        check: Its name.

        health: Whether anything is wrong; a note is only worth knowing.

        evidence: What was found.

        cause: What is likely behind it; None where all is well.

        fix: What to do.
    """

    check: str
    health: Health
    evidence: str
    cause: str | None = None
    fix: str | None = None


def good(check: str, evidence: str) -> Finding:
    """All is well."""
    return Finding(check=check, health=Health.GOOD, evidence=evidence)


def noted(check: str, evidence: str, cause: str | None = None, fix: str | None = None) -> Finding:
    """Something is worth knowing."""
    return Finding(check=check, health=Health.NOTE, evidence=evidence, cause=cause, fix=fix)


def wrong(check: str, evidence: str, cause: str, fix: str) -> Finding:
    """Something is wrong."""
    return Finding(check=check, health=Health.WRONG, evidence=evidence, cause=cause, fix=fix)
