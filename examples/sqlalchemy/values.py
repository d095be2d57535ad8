"""What both applications take and show."""

from __future__ import annotations

import datetime as dt
import uuid

from pydantic import AwareDatetime, BaseModel, Field

from models import Reservation


class Wanted(BaseModel):
    """What a guest asks for."""

    house_id: uuid.UUID
    guest: str = Field(max_length=80)
    covers: int = Field(ge=1, le=500)
    starts_at: AwareDatetime

    def row(self) -> Reservation:
        """A new row. Times are in whole minutes."""
        return Reservation(**self.model_dump() | {"starts_at": self.starts_at.replace(second=0, microsecond=0)})


class Shown(BaseModel, from_attributes=True):
    """How a reservation stands."""

    id: uuid.UUID
    covers: int
    starts_at: dt.datetime
    status: str
    sits_at: str | None
