#!/usr/bin/env bash
# openfeature-provider-flagd 0.6.1, openfeature-sdk 0.10.0
#
# Guess:   An object flag with `"max": 5` has the integer 5 in Python, as an integer flag has, and as the JSON file says.
# Happens: Over flagd's default transport (RPC) the object is a protobuf Struct, whose numbers are doubles: 5.0.
# Matters: Code that checks the value with `isinstance(value, int)`, or hands it to `range`, refuses a valid flag. If it
#          then falls back to what it had before, a flag that was switched off stays on.
# Output:
#   integer flag: 5
#   object flag: {'mode': 'off', 'max': 5.0}
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/env"
python3 -m pip --python "$work/env" install --quiet openfeature-provider-flagd==0.6.1 openfeature-sdk==0.10.0 2>"$work/pip.log" || { cat "$work/pip.log" >&2; exit 1; }
cat >"$work/run.py" <<'PYTHON'
import logging
import threading
from concurrent import futures

import grpc
from google.protobuf.struct_pb2 import Struct
from openfeature import api
from openfeature.contrib.provider.flagd import FlagdProvider
from openfeature.schemas.protobuf.flagd.evaluation.v2 import evaluation_pb2 as messages
from openfeature.schemas.protobuf.flagd.evaluation.v2 import evaluation_pb2_grpc as services

logging.disable(logging.CRITICAL)
over = threading.Event()


class Flagd(services.ServiceServicer):
    """What flagd answers."""

    def ResolveInt(self, request, context):
        return messages.ResolveIntResponse(value=5, reason="STATIC", variant="v")

    def ResolveObject(self, request, context):
        value = Struct()
        value.update({"mode": "off", "max": 5})
        return messages.ResolveObjectResponse(value=value, reason="STATIC", variant="v")

    def EventStream(self, request, context):
        yield messages.EventStreamResponse(type="provider_ready")
        over.wait(30)


server = grpc.server(futures.ThreadPoolExecutor(4))
services.add_ServiceServicer_to_server(Flagd(), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
api.set_provider_and_wait(FlagdProvider(host="127.0.0.1", port=port))
client = api.get_client()
print("integer flag:", client.get_integer_value("limit", 0))
value = client.get_object_value("planner", {})
print("object flag:", {key: value[key] for key in ("mode", "max")})
over.set()
api.shutdown()
server.stop(0)
PYTHON
"$work/env/bin/python" "$work/run.py" | tee "$work/seen"
sed -n '/^# Output:/,/^set/s/^#   //p' "$0" | diff - "$work/seen"
