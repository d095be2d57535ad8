#!/usr/bin/env bash
# highspy 1.16.0 (HiGHS 1.16)
#
# Guess:   An exception that a callback raises comes out of `run` or `solve`, as from any Python callback.
# Happens: It is lost. The run ends with `kError` and `kSolveError`, without an exception, a traceback or a line that
#          names it. A callback has to catch what it raises, keep it, and ask for an interrupt.
# Matters: A callback that fails at midnight leaves a solver error that looks like the model's fault. Who answers
#          `kError` by a second run runs into the callback again.
# Output:
#   a callback that raises: kError kSolveError, raised nothing, called 1 time
#   a callback that interrupts: kWarning kInterrupt, raised nothing, called 1 time
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/env"
python3 -m pip --python "$work/env" install --quiet highspy==1.16.0 2>"$work/pip.log" || { cat "$work/pip.log" >&2; exit 1; }
cat >"$work/run.py" <<'PYTHON'
import random

import highspy


def fails(event):
    raise RuntimeError("no disk space")


def interrupts(event):
    event.interrupt()


def solve(who, callback):
    numbers = random.Random(1)
    model = highspy.Highs()
    model.silent()
    parcels = [model.addBinary(obj=-numbers.randint(5, 40)) for _ in range(40)]
    for _ in range(25):
        model.addConstr(sum(numbers.randint(1, 20) * parcel for parcel in parcels) <= 80)
    called = []

    def called_once_more(event):
        called.append(event)
        callback(event)

    model.cbMipInterrupt += called_once_more
    raised = "nothing"
    try:
        status = model.run()
    except Exception as error:
        raised = repr(error)
    times = "1 time" if len(called) == 1 else "more often"
    print(f"{who}: {status.name} {model.getModelStatus().name}, raised {raised}, called {times}")


solve("a callback that raises", fails)
solve("a callback that interrupts", interrupts)
PYTHON
"$work/env/bin/python" "$work/run.py" | grep -v "^Running HiGHS\|^Includes third-party" | tee "$work/seen"
sed -n '/^# Output:/,/^set/s/^#   //p' "$0" | diff - "$work/seen"
