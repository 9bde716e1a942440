"""What the platform hears of a period, stretch by stretch, and the sandbox's judgement of each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from sandbox import rules as platform
from subscriptions.rules import Terms, on_the_wire, window_at

DAY = timedelta(days=1)


def told(terms: Terms, *, lead: timedelta) -> list[Terms]:
    """A period as it is sent: the first stretch two seconds after it began, each other one `lead` before it begins."""
    sent: list[Terms] = []
    until = terms.starts_at
    while until < terms.expires_at:
        window = window_at(terms, until)
        sent.append(taken(window, now=until - lead if sent else until + timedelta(seconds=2)))
        until = window.expires_at
    return sent


def taken(window: Terms, *, now: datetime) -> Terms:
    """The window as it is sent at `now`, once the platform's rules hold for it, and on clocks five seconds apart."""
    sent = on_the_wire(window, now=now)
    dates = {name: getattr(sent, name) for name in ("activated_at", "starts_at", "trial_ends_at", "expires_at")}
    judged = platform.Terms(trial_plan=sent.trial, **dates)
    for clock in (now, now - timedelta(seconds=5), now + timedelta(seconds=60)):
        assert platform.broken(judged, now=clock) == [], (sent, now)
    return sent


def seams(sent: Sequence[Terms]) -> set[timedelta]:
    """How far each stretch begins after the one before it has ended; negative where they overlap."""
    return {after.starts_at - before.expires_at for before, after in pairwise(sent)}
