"""Which files a connection works on, and whether they still have their names."""

from __future__ import annotations

import contextlib
import os
from typing import NamedTuple, Self

from assignment_pipeline.errors import StoreUnavailableError

LOG, SHARED = "-wal", "-shm"
"""What SQLite appends to the database's name for its write-ahead log, and for the memory that processes share."""

ORPHANED = "-wal.orphaned"
"""What is appended for a log whose database has been replaced."""

_Id = tuple[int, int] | None


class Files(NamedTuple):
    """
    The three files of a database, by device and inode; None where there is no such file.

    SQLite goes on with the files that it has open when their names are given to others, or to none. What it
    commits then, nobody finds. So each answer is preceded by a look at the names.

    Attributes:
        database: The database.

        log: Its write-ahead log: the newest commits.

        shared: The memory by which processes take turns.
    """

    database: _Id
    log: _Id
    shared: _Id

    @classmethod
    def at(cls, where: str) -> Self:
        """The files that have the names now."""
        return cls(_id(where), _id(where + LOG), _id(where + SHARED))

    def require(self, where: str) -> None:
        """
        Make sure that these files still have the names.

        Raises:
            StoreUnavailableError: They do not.
        """
        now = Files.at(where)
        if now != self:
            raise StoreUnavailableError(f"{where}: {self.became(now)}")

    def became(self, now: Files) -> str:
        """What has happened to these files, in words, where *now* has the names."""
        if now.database is None:
            return "the file was deleted or moved away while it was in use; put it back"
        if now.database != self.database:
            return "the file was replaced by another while it was in use"
        return f"its {LOG} or {SHARED} file was deleted or replaced while it was in use"

    def share_only_the_database(self, other: Files) -> bool:
        """Whether it is the same database, with another log or other shared memory."""
        return self.database == other.database and self != other

    def set_log_aside(self, where: str, now: Files) -> None:
        """
        Take the log of these files away from *now*, another database with the same name.

        SQLite would take the old log for the new database's, and read the old commits into it.
        """
        if now.log is not None and now.log == self.log:
            with contextlib.suppress(OSError):  # Another process may do the same.
                os.replace(where + LOG, where + ORPHANED)  # noqa: PTH105 - a path is text here
        if now.shared is not None and now.shared == self.shared:
            with contextlib.suppress(OSError):
                os.unlink(where + SHARED)  # noqa: PTH108


def _id(path: str) -> _Id:
    try:
        found = os.stat(path)  # noqa: PTH116 - a pathlib.Path costs as much again
    except OSError:
        return None
    return found.st_dev, found.st_ino
