#!/usr/bin/env bash
# highspy 1.16.0 (HiGHS 1.16)
#
# Guess:   `threads` is an option of one solver object, or one number for the whole process.
# Happens: The first run on an operating system thread fixes the number for that thread. A later solver on the same
#          thread that asks for another number ends with an error and solves nothing. On any other thread, the same
#          number works. `threads=0` takes the number that is there.
# Matters: A library and its application that both use HiGHS meet on the same thread, and neither sees the other's
#          options. The one that comes second gets `kError`, no exception.
# Output:
#   first solver, threads=1: kOk kOptimal
#   second solver, same thread, threads=4: kError kNotset
#   second solver, another thread, threads=4: kOk kOptimal
#   second solver, same thread, threads=0: kOk kOptimal
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/env"
python3 -m pip --python "$work/env" install --quiet highspy==1.16.0 2>"$work/pip.log" || { cat "$work/pip.log" >&2; exit 1; }
cat >"$work/run.py" <<'PYTHON'
import threading

import highspy


class Quiet(highspy.Highs):
    def enableCallbacks(self):
        self.silent()


def solve(who, threads):
    model = Quiet()
    model.setOptionValue("threads", threads)
    model.addConstr(model.addVariable(0, 1, obj=1, type=highspy.HighsVarType.kInteger) >= 1)
    print(f"{who}, threads={threads}:", model.run().name, model.getModelStatus().name)


solve("first solver", 1)
solve("second solver, same thread", 4)
thread = threading.Thread(target=solve, args=("second solver, another thread", 4))
thread.start()
thread.join()
solve("second solver, same thread", 0)
PYTHON
"$work/env/bin/python" "$work/run.py" | tee "$work/seen"
sed -n '/^# Output:/,/^set/s/^#   //p' "$0" | diff - "$work/seen"
