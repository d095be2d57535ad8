"""On real PostgreSQL, whose address is `DATABASE_URL`: both applications, as their server runs them."""

from __future__ import annotations

import asyncio
import datetime as dt

import attrs
import httpx
import psycopg
import pytest
from psycopg.rows import dict_row

import aio
import app
from assignment_pipeline.rollout.control import Rollout
from database import DATABASE_URL, prepare

AT_EIGHT = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).replace(hour=20, minute=0, second=0, microsecond=0)


def rows(statement, *values):
    with psycopg.connect(DATABASE_URL, autocommit=True, row_factory=dict_row) as connection:
        cursor = connection.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


async def answer(made):
    """What a coordinator's call answers, on threads or with asyncio."""
    return await made if asyncio.iscoroutine(made) else made


async def evening(module):
    house = prepare()
    wanted = {"house_id": str(house), "guest": "Guest 12", "covers": 2, "starts_at": AT_EIGHT.isoformat()}
    transport = httpx.ASGITransport(module.app)
    async with module.lifespan(module.app), httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        coordinator = module.app.state.coordinator
        await asyncio.to_thread(Rollout(coordinator.store).enter, "local", actor="ana", reason="a test", force=True)
        for _ in range(200):
            if (await asyncio.to_thread(coordinator.flags.resolve, str(house))).mode == "active":
                break
            await asyncio.sleep(0.05)
        rows(
            "INSERT INTO reservations (id, house_id, guest, covers, starts_at, status, sits_at, seated_by)"
            " VALUES (gen_random_uuid(), %s, 'Guest 11', 4, %s, 'booked', 'T1', 'legacy')",
            house,
            AT_EIGHT,
        )
        first = (await client.post("/reservations", json=wanted)).json()
        assert (first["status"], first["sits_at"]) == ("booked", "T2")  # T1 is the old planner's.
        second = (await client.post("/reservations", json=wanted)).json()
        assert (second["status"], second["sits_at"]) == ("open", None)

        def row(one):
            [found] = rows("SELECT status, covers, sits_at, seated_by FROM reservations WHERE id = %s", one["id"])
            return tuple(found.values())

        # A person takes the tables back, and the sweep seats who waits: the row says so at each moment.
        await answer(coordinator.requeue(first["id"], actor="ana"))
        assert row(first) == ("open", 2, None, None)
        await answer(coordinator.sweep())
        assert sorted([row(first)[0], row(second)[0]]) == ["booked", "open"]
        seated, waiting = sorted([first, second], key=row)
        booking = attrs.evolve(await answer(coordinator.store.booking(seated["id"])), party_size=4)
        assert (await answer(coordinator.reassign(booking, keep=False))).handled
        await answer(coordinator.sweep())
        cancelled = (await client.delete(f"/reservations/{waiting['id']}")).json()
        assert (cancelled["status"], cancelled["sits_at"]) == ("cancelled", None)
        await answer(coordinator.sweep())
        assert row(seated) == ("booked", 4, "T2", "pipeline")
        assert (await client.delete(f"/reservations/{house}")).status_code == 404


@pytest.mark.parametrize("module", [app, aio], ids=["threads", "asyncio"])
def test_an_evening(module):
    """Legacy's table is left alone; who loses the tables waits; who waits is seated."""
    asyncio.run(evening(module))
