"""Somebody who buys, and something to buy."""

from __future__ import annotations

import pytest
from django.utils import timezone

from accounts.models import Listener
from outbox.models import Message
from tests.downloads import shop


@pytest.fixture
def buyer(listener: Listener) -> Listener:
    """Known to the platform, with nothing left to be told of them."""
    Listener.objects.update(on_platform_since=timezone.now())
    Message.objects.all().delete()
    shop.stock()
    return listener
