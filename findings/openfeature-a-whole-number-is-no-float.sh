#!/usr/bin/env bash
# openfeature-sdk 0.10.0
#
# Guess:   `get_float_value` takes a whole number, as Python does wherever it wants a float; `get_integer_value` refuses
#          `True`.
# Happens: The other way round. The SDK checks the value with `isinstance`: a provider's 10 is no float, and the caller
#          gets the default with the error TYPE_MISMATCH in the details, without an exception. `True` is an integer.
# Matters: A share that is `12.5` in the flag's file is read, and is the default on the day on which somebody writes `10`.
#          A rollout goes back to where it began, and nothing says so to whoever asks for the value alone.
# Output:
#   get_float_value of 12.5: 12.5, error None
#   get_float_value of 10: 0.0, error TYPE_MISMATCH
#   get_integer_value of True: True, error None
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/env"
python3 -m pip --python "$work/env" install --quiet openfeature-sdk==0.10.0 2>"$work/pip.log" || { cat "$work/pip.log" >&2; exit 1; }
cat >"$work/run.py" <<'PYTHON'
from openfeature import api
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

VALUES = {"half": 12.5, "whole": 10, "truth": True}
api.set_provider_and_wait(InMemoryProvider({name: InMemoryFlag("on", {"on": value}) for name, value in VALUES.items()}))
client = api.get_client()
for name, kind, default in (("half", "float", 0.0), ("whole", "float", 0.0), ("truth", "integer", 0)):
    details = getattr(client, f"get_{kind}_details")(name, default)
    assert getattr(client, f"get_{kind}_value")(name, default) == details.value
    error = details.error_code
    print(f"get_{kind}_value of {VALUES[name]}: {details.value}, error {error and error.value}")
PYTHON
"$work/env/bin/python" "$work/run.py" | tee "$work/seen"
sed -n '/^# Output:/,/^set/s/^#   //p' "$0" | diff - "$work/seen"
