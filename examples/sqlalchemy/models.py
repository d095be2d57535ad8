"""The application's own tables: UUIDs, words of its own, and one column that both planners write."""

from __future__ import annotations

import datetime as dt
import uuid

from sqlalchemy import DateTime, ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """What all models have in common."""


class House(Base):
    """A restaurant."""

    __tablename__ = "houses"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    timezone: Mapped[str]


class DiningTable(Base):
    """A table of a house."""

    __tablename__ = "dining_tables"

    house_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("houses.id"), primary_key=True)
    label: Mapped[str] = mapped_column(primary_key=True)
    seats: Mapped[int]


class Reservation(Base):
    """
    A reservation.

    `sits_at` has the tables' labels, and `seated_by` says which planner chose them.
    """

    __tablename__ = "reservations"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    house_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("houses.id"))
    guest: Mapped[str]
    covers: Mapped[int]
    starts_at: Mapped[dt.datetime] = mapped_column(DateTime(timezone=True))
    status: Mapped[str] = mapped_column(default="open")
    sits_at: Mapped[str | None]
    seated_by: Mapped[str | None]
