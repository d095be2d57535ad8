"""Making the tables in PostgreSQL, and finding them."""

from __future__ import annotations

import pytest

psycopg = pytest.importorskip("psycopg")
