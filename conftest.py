"""Makes a test of every Python block in the README and the documentation, and says at the end what was skipped."""

from collections import Counter

from sybil import Sybil
from sybil.parsers.myst import PythonCodeBlockParser, SkipParser

pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    patterns=["README.md", "docs/*.md", "docs/**/*.md"],
).pytest()


def pytest_terminal_summary(terminalreporter):
    """Say how many tests were skipped and why: one line for each reason."""
    reasons = Counter(str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", ()))
    for reason, count in sorted(reasons.items()):
        said = " ".join(reason.removeprefix("Skipped: ").split())
        terminalreporter.write_line(f"skipped {count}: {said}")
