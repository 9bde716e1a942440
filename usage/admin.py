"""The ledger for operations: registered by being imported."""

from __future__ import annotations

from usage.desk import batches, plays, reports

__all__ = ["batches", "plays", "reports"]
