"""One module per billing provider that plays the provider: its events, in its own shape and with its own proof.

Each has `events(scenario, account_id, now) -> Iterator[Signed]`: a story that ends at `now`, in the order in
which it happened. The same arguments make the same events. Raises LookupError for what a provider does not have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SCENARIOS: Final = (
    "subscribe", "trial_to_paid", "renew", "cancel_at_end", "cancel_now", "uncancel", "grace_and_recover",
    "hold_and_expire", "pause_and_resume", "upgrade", "downgrade", "refund", "transfer",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Signed:
    """One event as it is posted: its bytes and the headers that prove them."""

    body: bytes
    headers: dict[str, str]
