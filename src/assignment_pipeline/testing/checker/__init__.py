"""
Looks into the tables of a store, and says what cannot be right.

It reads with SQL, and judges with plain Python. It shares no code with what wrote the tables: what that gets wrong,
this does not get wrong in the same way.
"""

from assignment_pipeline.testing.checker.invariants import INVARIANTS, Invariant, check
from assignment_pipeline.testing.checker.reading import Tables, read

__all__ = ["INVARIANTS", "Invariant", "Tables", "check", "read"]
