"""What ends a command early: each is one line on stderr, and an exit code."""

from __future__ import annotations

from typing import ClassVar, NoReturn

import attrs

from assignment_pipeline.errors import AssignmentPipelineError

GOOD = 0
NO = 1
BAD_INPUT = 2
INTERRUPTED = 130
BROKEN_PIPE = 141


@attrs.define
class BadInputError(AssignmentPipelineError):
    """
    Something that was handed in is not what it should be.

    Attributes:
        where: The file or option, and the place in it.

        expected: What should be there.

        got: What is.
    """

    code: ClassVar[str] = "bad_input"

    where: str
    expected: str
    got: str

    def __str__(self) -> str:
        return f"{self.where}: expected {self.expected}, got {self.got}"


def refuse(where: str, expected: str, got: str) -> NoReturn:
    """
    Turn an input down.

    Raises:
        BadInputError: Always.
    """
    raise BadInputError(where, expected, got)


@attrs.define
class RefusedError(AssignmentPipelineError):
    """
    The answer to a command is no.

    Attributes:
        sentence: Why.
    """

    code: ClassVar[str] = "refused"

    sentence: str

    def __str__(self) -> str:
        return self.sentence
