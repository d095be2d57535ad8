"""
The same application, with asyncio: all but the session is shared.

    python -m uvicorn aio:app
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator

from fastapi import FastAPI, HTTPException
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from assignment_pipeline import AsyncCoordinator, EnvFlags
from assignment_pipeline.adapters.postgres import AsyncPostgresStore
from assignment_pipeline.adapters.sqlalchemy import AsyncSQLAlchemyHost
from assignment_pipeline.rollout.flags import LayeredFlags, StoreFlags
from database import CONNECT, DATABASE_URL
from host import ReservationHost, booking_of
from models import Reservation
from values import Shown, Wanted

engine = create_async_engine("postgresql+psycopg://", connect_args=CONNECT)


def coordinator() -> AsyncCoordinator:
    """The pipeline. Where it is in charge, the rollout in the database says."""
    store = AsyncPostgresStore(DATABASE_URL, host=AsyncSQLAlchemyHost(ReservationHost()))
    return AsyncCoordinator(store, flags=LayeredFlags(EnvFlags(), StoreFlags(store)))


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open it with the server, and close it with the server."""
    app.state.coordinator = coordinator()
    async with app.state.coordinator.store, app.state.coordinator:
        yield
    await engine.dispose()


app = FastAPI(title="Reservations", lifespan=lifespan)


@app.post("/reservations", status_code=201)
async def create(wanted: Wanted) -> Shown:
    """Take a reservation: enqueue inside, assign after."""
    async with AsyncSession(engine) as session:
        row = wanted.row()
        session.add(row)
        await session.flush()
        await app.state.coordinator.joined(session).enqueue(booking := booking_of(row))
        await session.commit()
        await app.state.coordinator.assign(booking)
        await session.refresh(row)
        return Shown.model_validate(row)


@app.delete("/reservations/{key}")
async def cancel(key: uuid.UUID) -> Shown:
    """Cancel a reservation and free its tables, in one transaction. The pipeline first: it locks before it writes."""
    async with AsyncSession(engine) as session, session.begin():
        if (row := await session.get(Reservation, key)) is None:
            raise HTTPException(404)
        await app.state.coordinator.joined(session).cancel(str(key), str(row.house_id))
        await session.refresh(row)  # The host has written to it, in a session of its own.
        row.status, row.sits_at, row.seated_by = "cancelled", None, None
        return Shown.model_validate(row)
