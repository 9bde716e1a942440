"""The shop's desks: registered by being imported."""

from __future__ import annotations

from downloads.desk import purchases, refunds

__all__ = ["purchases", "refunds"]
