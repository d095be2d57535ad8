"""Makes the tables, the application's and the pipeline's, and a house to try it with."""

from __future__ import annotations

import os
import uuid

from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from assignment_pipeline.adapters.postgres import init
from models import Base, DiningTable, House

DATABASE_URL = os.environ.get("DATABASE_URL", "postgresql://localhost/reservations")
CONNECT = conninfo_to_dict(DATABASE_URL)


def prepare() -> uuid.UUID:
    """Make what is missing, and a house with its tables; its id."""
    init(DATABASE_URL)
    engine = create_engine("postgresql+psycopg://", connect_args=CONNECT)
    Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        house = House(timezone="Europe/Lisbon")
        session.add(house)
        session.flush()
        session.add_all(DiningTable(house_id=house.id, label=label, seats=4) for label in ("T1", "T2"))
        key = house.id
    engine.dispose()
    return key


if __name__ == "__main__":
    print(f"Ready: reservations can be made at house {prepare()}.")
