#!/usr/bin/env bash
# transitions 0.9.3
#
# Guess:   `Machine(model, transitions=...)` gives the model a method for each trigger, or raises if the name is taken.
# Happens: Where the model has a method of that name, the machine leaves it as it is: no error, a line in the log at level
#          WARNING at most. Calling it runs the model's own method and moves nothing. `model.trigger("cancel")` moves.
# Matters: A booking class with a `cancel` of its own looks attached to the machine. Each `booking.cancel()` returns as if
#          all were well, and the state stays.
# Output:
#   confirm() of the machine: confirmed
#   cancel() of the model's own: 'mailed the guest', and the state is confirmed
#   trigger("cancel"): cancelled
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/env"
python3 -m pip --python "$work/env" install --quiet transitions==0.9.3 2>"$work/pip.log" || { cat "$work/pip.log" >&2; exit 1; }
cat >"$work/run.py" <<'PYTHON'
from transitions import Machine


class Booking:
    def cancel(self):
        return "mailed the guest"


booking = Booking()
Machine(
    booking,
    states=["pending", "confirmed", "cancelled"],
    initial="pending",
    auto_transitions=False,
    transitions=[
        {"trigger": "confirm", "source": "pending", "dest": "confirmed"},
        {"trigger": "cancel", "source": "*", "dest": "cancelled"},
    ],
)
booking.confirm()
print("confirm() of the machine:", booking.state)
said = booking.cancel()
print(f"cancel() of the model's own: {said!r}, and the state is {booking.state}")
booking.trigger("cancel")
print('trigger("cancel"):', booking.state)
PYTHON
"$work/env/bin/python" "$work/run.py" 2>"$work/log" | tee "$work/seen"
sed -n '/^# Output:/,/^set/s/^#   //p' "$0" | diff - "$work/seen"
