"""Makes the tables, the application's and the pipeline's, and a restaurant to try it with."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import psycopg

from assignment_pipeline.adapters.postgres import init

DATABASE_URL = os.environ.get("DATABASE_URL", "postgresql://localhost/bookings")

TABLES = [("T1", 2, "T2"), ("T2", 4, None), ("T3", 4, None)]
"""Labels, seats, and the table that each can be pushed up to."""


def prepare(conninfo: str) -> None:
    """Make the tables in an empty database."""
    schema = Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")
    with psycopg.connect(conninfo) as connection:
        connection.execute(schema)
    init(conninfo)


def open_restaurant(conninfo: str) -> uuid.UUID:
    """Make a restaurant with its tables; its id."""
    with psycopg.connect(conninfo) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO restaurants (name, timezone) VALUES ('Tasca', 'Europe/Lisbon') RETURNING id")
        [(restaurant_id,)] = cursor.fetchall()
        cursor.executemany(
            "INSERT INTO dining_tables (restaurant_id, label, seats, next_to) VALUES (%s, %s, %s, %s)",
            [(restaurant_id, *table) for table in TABLES],
        )
    return restaurant_id


if __name__ == "__main__":
    prepare(DATABASE_URL)
    print(f"Ready: bookings can be made at restaurant {open_restaurant(DATABASE_URL)}.")
