"""Which release this is."""

import importlib.metadata


def installed_version() -> str:
    """The version that was installed, such as ``1.2.0``; where the code runs from a folder, words that say so."""
    try:
        return importlib.metadata.version("assignment-pipeline")
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"
