"""The transport to the broker says in words that are expected that a connection is lost."""

from __future__ import annotations

import pytest

from config import celery_app


def test_a_task_that_ends_after_its_channel_was_closed_finds_a_lost_connection() -> None:
    """With kombu's own transport it is an AttributeError, which ends the worker."""
    with celery_app.connection_for_read() as connection:
        channel, lost = connection.channel(), connection.connection_errors
    channel.close()

    with pytest.raises(lost, match="the channel was closed"):
        channel.basic_ack("of a task that was in hand")
