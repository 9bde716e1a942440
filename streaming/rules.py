"""Leases of what is kept offline. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from catalogue.rules import TOLD

LATE: Final = timedelta(days=7)  # a check-in may come so long after the lease has ended
NAMED: Final = timedelta(days=14)  # for so long after that a copy is named among the removals
STEP: Final = timedelta(hours=1)  # what a lease must gain to be worth writing


class Ended(StrEnum):
    """Why a device may not keep what it has; beside these, a track's own reasons (`catalogue.rules.Reason`)."""

    DEVICE_REMOVED = "DEVICE_REMOVED"
    OFFLINE_OFF = "OFFLINE_OFF"
    SUBSCRIPTION_ENDED = "SUBSCRIPTION_ENDED"
    LEASE_ENDED = "LEASE_ENDED"


REASONS: Final = [*(reason.value for reason in Ended), *(reason.value for reason in TOLD)]


def lease_end(*, entitled_until: datetime, days: int, now: datetime) -> datetime:
    """How long a copy may be kept without another check-in: `days`, and never beyond what is paid."""
    return min(entitled_until, now + timedelta(days=days))


def renewed(lease_ends_at: datetime, *, to: datetime) -> datetime:
    """A lease after a check-in: what may be had now, or what stands where that is as good as the same."""
    return lease_ends_at if timedelta(0) <= to - lease_ends_at < STEP else to


def is_lapsed(lease_ends_at: datetime, *, now: datetime) -> bool:
    """Whether a lease has ended so long ago that no check-in renews it."""
    return lease_ends_at + LATE <= now
