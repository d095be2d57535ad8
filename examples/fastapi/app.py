"""
The application: bookings for guests, a review queue for the staff, and the pipeline that finds tables.

    python -m uvicorn app:app
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

import bookings
import pages
import review
import times
from assignment_pipeline import (
    AssignmentPipelineError,
    BookingNotFoundError,
    IllegalTransitionError,
    PlacementRefusedError,
    StaleRecordError,
    StoreUnavailableError,
    TableConflictError,
    VenueNotFoundError,
)
from assignment_pipeline.errors import InvalidValueError, SchemaMismatchError
from database import DATABASE_URL
from services import Used, opened

logging.basicConfig(level=logging.INFO)
log = logging.getLogger(__name__)

STATUS_OF: dict[type[AssignmentPipelineError], int] = {
    BookingNotFoundError: 404,
    VenueNotFoundError: 404,
    IllegalTransitionError: 409,
    PlacementRefusedError: 409,
    SchemaMismatchError: 503,
    StaleRecordError: 409,
    TableConflictError: 409,
    StoreUnavailableError: 503,
}
"""What goes wrong is raised as one of these; each has a code for programs, and a sentence."""


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open everything with the server, and close it with the server."""
    async with opened(DATABASE_URL) as app.state.services:
        pages.mount(app, app.state.services.coordinator)
        yield


app = FastAPI(title="Bookings", lifespan=lifespan)
app.include_router(bookings.router)
app.include_router(review.router)
app.include_router(times.router)
app.include_router(pages.router)


@app.exception_handler(AssignmentPipelineError)
async def refused(_request: Request, error: AssignmentPipelineError) -> JSONResponse:
    """The answer where the pipeline raises. What is wrong on our side names hosts and tables: that is for the log."""
    status = next((STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF), 500)
    if status < 500:
        return JSONResponse({"code": error.code, "detail": str(error)}, status)
    log.error("%s", error)
    return JSONResponse({"code": error.code}, status)


@app.exception_handler(InvalidValueError)
async def wrong(_request: Request, error: InvalidValueError) -> JSONResponse:
    """The answer to a value that is none, such as an arrival in the year 9999. Nothing was written."""
    return JSONResponse({"code": "invalid_value", "detail": str(error)}, 422)


@app.get("/health")
async def health(used: Used) -> dict[str, int | str]:
    """Whether the database is there with the right tables: 503 if not; and what was lost on the way to the sinks."""
    await used.coordinator.store.check_schema()
    return {"status": "ok", "dropped_events": used.coordinator.dropped_events}
