"""What is the name of a file, and what may be the address of a database, with a password in it."""

from __future__ import annotations

import re

_IN_A_FOLDER = re.compile(r"\.{0,2}/(?!/)|\.{0,2}\\|[A-Za-z]:[/\\]|~")
_IN_ADDRESSES = re.compile(r"[:@=?&;'\"\x00-\x1f]")
_ADDRESS = re.compile(
    r"://|pass(word|wd|file)?\s*=|[\x00-\x1f]|^\s*(host|hostaddr|dbname|user|port|service|sslmode)\s*=", re.IGNORECASE
)


def is_address(given: str) -> bool:
    """Whether *given* is surely no file's name: a URL, words of libpq, or with control characters."""
    return _ADDRESS.search(given) is not None


def is_file_name(given: str) -> bool:
    """Whether *given* is surely no address. A name with one of ``: @ = ? & ;`` in it takes its folder before it."""
    return bool(given) and not (is_address if _IN_A_FOLDER.match(given) else _IN_ADDRESSES.search)(given)
