"""What it costs to import the library, and to ask its flags; OpenFeature beside them, where it is installed."""

import contextlib
import os
import statistics
import subprocess
import sys
import time
import timeit
from collections.abc import Callable

from assignment_pipeline import EnvFlags, Mode
from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore
from assignment_pipeline.ports import FlagResolver
from assignment_pipeline.rollout.control import Rollout
from assignment_pipeline.rollout.flags import FixedFlags, LayeredFlags, StoreFlags


def start_up(code: str, runs: int = 20) -> float:
    """The median time that a fresh Python takes for *code*, in milliseconds."""
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e3


def resolving(flags: FlagResolver, runs: int = 100_000) -> float:
    """The time that `resolve` takes for a restaurant that was asked before, in microseconds."""
    return taking(lambda: flags.resolve("restaurant-1"), runs)


def taking(work: Callable[[], object], runs: int) -> float:
    """The time that *work* takes, in microseconds."""
    return min(timeit.repeat(work, number=runs)) / runs * 1e6


def stored_flags() -> StoreFlags:
    """Flags that follow a rollout at half of the restaurants."""
    store = MemoryStore(MemoryHost())
    Rollout(store).enter("production-50", actor="benchmark", reason="to measure it", force=True)
    flags = StoreFlags(store)
    flags.refresh_now()
    return flags


def openfeature() -> None:
    """Their client, over a provider in memory and over ours."""
    from openfeature import api  # noqa: PLC0415 - it may be missing
    from openfeature.evaluation_context import EvaluationContext  # noqa: PLC0415
    from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider  # noqa: PLC0415

    from assignment_pipeline.adapters.openfeature import FLAG, OpenFeatureFlags  # noqa: PLC0415

    api.set_provider(InMemoryProvider({FLAG: InMemoryFlag("active", {"active": "active"})}))
    client, context = api.get_client(), EvaluationContext("restaurant-1")
    asked = taking(lambda: client.get_string_value(FLAG, "off", context), 10_000)
    print(f"OpenFeature's client             {asked:8.2f} µs")
    print(f"OpenFeatureFlags.resolve         {resolving(OpenFeatureFlags(client), 10_000):8.2f} µs")


bare = start_up("pass")
print(f"python -c pass                   {bare:8.1f} ms")
print(f"import assignment_pipeline       {start_up('import assignment_pipeline') - bare:8.1f} ms more")
print(f"EnvFlags.resolve                 {resolving(EnvFlags()):8.2f} µs")
print(f"EnvFlags.resolve, read each time {resolving(EnvFlags(refresh=0), 10_000):8.2f} µs")
print(f"FixedFlags.resolve               {resolving(FixedFlags(Mode.ACTIVE)):8.2f} µs")
stored = stored_flags()
print(f"StoreFlags.resolve               {resolving(stored):8.2f} µs")
print(f"LayeredFlags.resolve             {resolving(LayeredFlags(EnvFlags(), stored)):8.2f} µs")
stored.close()
with contextlib.suppress(ModuleNotFoundError):
    openfeature()
print(f"({os.cpu_count()} cores, Python {sys.version.split()[0]})")
