"""What billing itself does with events, before or beside the subscriptions they are about."""

from billing.handlers import google, stripe

__all__ = ["google", "stripe"]
