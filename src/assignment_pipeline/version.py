"""Which release this is."""


def installed_version() -> str:
    """The version that was installed, such as ``1.2.0``; where the code runs from a folder, words that say so."""
    import importlib.metadata  # noqa: PLC0415 - it loads the email package, which only this needs

    try:
        return importlib.metadata.version("assignment-pipeline")
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"
