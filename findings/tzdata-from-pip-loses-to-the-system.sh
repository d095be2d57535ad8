#!/usr/bin/env bash
# tzdata 2026.6 (PyPI) beside tzdata 2025.2 as an operating system ships it; CPython 3.11 to 3.13
#
# Guess:   A pinned, current `tzdata` from PyPI is what `zoneinfo` reads.
# Happens: `zoneinfo` looks in the system's folders first (`zoneinfo.TZPATH`), and in the package only for names that are
#          missing there. An old system database wins, silently. For a dinner in Vancouver in December 2026 (British
#          Columbia stays on UTC-7 from 2026 on) and in Casablanca the two differ by an hour. `PYTHONTZPATH=`, set and
#          empty, leaves only the package.
# Matters: Two workers with the same lock file and different base images read one wall-clock time as two instants. Seats,
#          opening hours and overlaps are computed from them.
# Output:
#   system 2025.2 and package 2026.6: Vancouver -8, Casablanca 1
#   PYTHONTZPATH= and package 2026.6: Vancouver -7, Casablanca 0
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/env"
install() { python3 -m pip "$@" 2>"$work/pip.log" || { cat "$work/pip.log" >&2; exit 1; }; }
install --python "$work/env" install --quiet tzdata==2026.6
install install --quiet --target "$work/old" tzdata==2025.2 # in the place of /usr/share/zoneinfo
cat >"$work/run.py" <<'PYTHON'
import datetime as dt
import sys
import zoneinfo


def offset(name):
    return dt.datetime(2026, 12, 5, 19, tzinfo=zoneinfo.ZoneInfo(name)).utcoffset() // dt.timedelta(hours=1)


print(f"{sys.argv[1]}: Vancouver {offset('America/Vancouver')}, Casablanca {offset('Africa/Casablanca')}")
PYTHON
{
    PYTHONTZPATH="$work/old/tzdata/zoneinfo" "$work/env/bin/python" "$work/run.py" "system 2025.2 and package 2026.6"
    PYTHONTZPATH='' "$work/env/bin/python" "$work/run.py" "PYTHONTZPATH= and package 2026.6"
} | tee "$work/seen"
sed -n '/^# Output:/,/^set/s/^#   //p' "$0" | diff - "$work/seen"
