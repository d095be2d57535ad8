#!/usr/bin/env bash
# openfeature-sdk 0.10.0 (0.8.4 waits)
#
# Guess:   After `api.set_provider(provider)` returns, a flag has its value, as it had with 0.8.
# Happens: `set_provider` initialises the provider on a thread of its own and returns at once. Until that is over, each
#          evaluation answers the caller's default with the error PROVIDER_NOT_READY. No exception is raised.
#          `set_provider_and_wait` is what waits.
# Matters: A flag whose default is "off" reads as switched off, for each process, from its start until its provider is
#          ready. An upgrade of the SDK brings it without a change of one's own code.
# Output:
#   0.8.4 set_provider: True, error None
#   0.10.0 set_provider: False, error PROVIDER_NOT_READY
#   0.10.0 set_provider_and_wait: True, error None
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/run.py" <<'PYTHON'
import logging
import sys
import time

from openfeature import api
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

logging.disable(logging.CRITICAL)


class Fetching(InMemoryProvider):
    """One that asks a server first, as those of flag services do."""

    def initialize(self, evaluation_context):
        time.sleep(0.5)


version, how = sys.argv[1:]
getattr(api, how)(Fetching({"new-planner": InMemoryFlag("on", {"on": True, "off": False})}))
details = api.get_client().get_boolean_details("new-planner", False)
error = details.error_code
print(f"{version} {how}: {details.value}, error {error and error.value}")
PYTHON
for version in 0.8.4 0.10.0; do
    python3 -m venv --without-pip "$work/$version"
    python3 -m pip --python "$work/$version" install --quiet "openfeature-sdk==$version" 2>"$work/pip.log" || { cat "$work/pip.log" >&2; exit 1; }
done
{
    "$work/0.8.4/bin/python" "$work/run.py" 0.8.4 set_provider
    "$work/0.10.0/bin/python" "$work/run.py" 0.10.0 set_provider
    "$work/0.10.0/bin/python" "$work/run.py" 0.10.0 set_provider_and_wait
} | tee "$work/seen"
sed -n '/^# Output:/,/^set/s/^#   //p' "$0" | diff - "$work/seen"
