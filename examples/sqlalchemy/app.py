"""
The application, on threads.

    python -m uvicorn app:app
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator

from fastapi import FastAPI, HTTPException
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from assignment_pipeline import Coordinator, EnvFlags
from assignment_pipeline.adapters.postgres import PostgresStore
from assignment_pipeline.adapters.sqlalchemy import SQLAlchemyHost
from assignment_pipeline.rollout.flags import LayeredFlags, StoreFlags
from database import CONNECT, DATABASE_URL
from host import ReservationHost, booking_of
from models import Reservation
from values import Shown, Wanted

engine = create_engine("postgresql+psycopg://", connect_args=CONNECT)


def coordinator() -> Coordinator:
    """The pipeline. Where it is in charge, the rollout in the database says."""
    store = PostgresStore(DATABASE_URL, host=SQLAlchemyHost(ReservationHost()))
    return Coordinator(store, flags=LayeredFlags(EnvFlags(), StoreFlags(store)))


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open it with the server, and close it with the server."""
    app.state.coordinator = coordinator()
    with app.state.coordinator.store, app.state.coordinator:
        yield
    engine.dispose()


app = FastAPI(title="Reservations", lifespan=lifespan)


@app.post("/reservations", status_code=201)
def create(wanted: Wanted) -> Shown:
    """Take a reservation: enqueue inside, assign after."""
    with Session(engine) as session:
        row = wanted.row()
        session.add(row)
        session.flush()
        app.state.coordinator.joined(session).enqueue(booking := booking_of(row))
        session.commit()
        app.state.coordinator.assign(booking)
        session.refresh(row)
        return Shown.model_validate(row)


@app.delete("/reservations/{key}")
def cancel(key: uuid.UUID) -> Shown:
    """Cancel a reservation and free its tables, in one transaction. The pipeline first: it locks before it writes."""
    with Session(engine) as session, session.begin():
        if (row := session.get(Reservation, key)) is None:
            raise HTTPException(404)
        app.state.coordinator.joined(session).cancel(str(key), str(row.house_id))
        session.refresh(row)  # The host has written to it, in a session of its own.
        row.status, row.sits_at, row.seated_by = "cancelled", None, None
        return Shown.model_validate(row)
