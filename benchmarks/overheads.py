"""What it costs to import the library, and to ask its flags."""

import os
import statistics
import subprocess
import sys
import time
import timeit

from assignment_pipeline import EnvFlags, Mode
from assignment_pipeline.rollout.flags import FixedFlags


def start_up(code: str, runs: int = 20) -> float:
    """The median time that a fresh Python takes for *code*, in milliseconds."""
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e3


def resolving(flags: EnvFlags | FixedFlags, runs: int = 100_000) -> float:
    """The time that `resolve` takes for a restaurant that was asked before, in microseconds."""
    return min(timeit.repeat(lambda: flags.resolve("restaurant-1"), number=runs)) / runs * 1e6


bare = start_up("pass")
print(f"python -c pass                   {bare:8.1f} ms")
print(f"import assignment_pipeline       {start_up('import assignment_pipeline') - bare:8.1f} ms more")
print(f"EnvFlags.resolve                 {resolving(EnvFlags()):8.2f} µs")
print(f"EnvFlags.resolve, read each time {resolving(EnvFlags(refresh=0), 10_000):8.2f} µs")
print(f"FixedFlags.resolve               {resolving(FixedFlags(Mode.ACTIVE)):8.2f} µs")
print(f"({os.cpu_count()} cores, Python {sys.version.split()[0]})")
