"""
Pages for staff: the floor, a booking, the queue, the service and the rollout. Needs the extra ``console``.

`console` makes an ASGI application to mount in a host's own. The host says who is staff.
"""

from assignment_pipeline.errors import MissingExtraError

try:
    from assignment_pipeline.console.app import console
    from assignment_pipeline.console.staff import EVERYWHERE, Everywhere, Staff, StaffOf
except ModuleNotFoundError as error:
    raise MissingExtraError("console", (error.name or "starlette").partition(".")[0]) from None

__all__ = ["EVERYWHERE", "Everywhere", "Staff", "StaffOf", "console"]
