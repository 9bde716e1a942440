"""Messages in the admin: found by what they are called, without reading all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Listener
from accounts.story import messages
from desk import rows
from outbox import admin
from outbox.models import Message
from tests.plans import rows_looked_at

pytestmark = pytest.mark.django_db
MESSAGES = "admin:outbox_message_changelist"
FILL = """
    INSERT INTO outbox_message (topic, key, lane, body, state, attempts, faults, generation, finished_at, last_error)
    SELECT 'plays.log', n, 'lane' || mod(n, 100), '{}', 'DONE', 1, 0, 1, now(), '' FROM generate_series(1, 5000) n
"""


@pytest.fixture
def put() -> Callable[..., Message]:
    def make(**facts: Any) -> Message:
        return Message.objects.create(**{"topic": "plays.log", "key": "k", "lane": "somebody", "state": "DEAD"} | facts)

    return make


def shown(client: Client, **query: Any) -> list[Message]:
    answer = client.get(reverse(MESSAGES), query)
    assert answer.status_code == 200
    return list(answer.context["cl"].result_list)


def test_a_message_is_found_by_its_lane_and_by_its_key(boss: Client, put: Callable[..., Message]) -> None:
    one, other, third = put(), put(key="7"), put(lane="7", key="8", topic="plays.deposit")

    assert shown(boss, q="somebody") == [other, one]
    assert shown(boss, q=" 7 ") == [third, other]
    assert shown(boss, q="7", topic__exact="plays.log") == [other]
    assert shown(boss, topic__exact="plays.deposit") == [third]
    assert shown(boss, q="some") == shown(boss, q="SOMEBODY") == []
    assert shown(boss) == [third, other, one]


def test_the_search_says_what_it_looks_for(boss: Client) -> None:
    assert (
        "a message’s whole lane, such as a listener’s platform id, or its whole key"
        in boss.get(reverse(MESSAGES)).content.decode()
    )


@pytest.mark.parametrize("word", ["lane7", "4711", "nobody"])
def test_neither_a_search_nor_a_listeners_page_reads_all_messages(boss: Client, listener: Listener, word: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(FILL)
        cursor.execute("ANALYZE outbox_message")

    with CaptureQueriesContext(connection) as asked:
        found = shown(boss, q=word)
        messages(listener)

    assert len(found) == {"lane7": 50, "4711": 1, "nobody": 0}[word]
    statements = [query["sql"] for query in asked if 'FROM "outbox_message"' in query["sql"]]
    assert statements
    for table, looked, statement in rows_looked_at(statements):
        assert looked <= 51, (table, looked, statement)


def test_who_gives_all_up_gives_up_as_many_as_the_list_says(
    boss: Client, put: Callable[..., Message], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (rows, admin):
        monkeypatch.setattr(module, "MOST", 3)
    monkeypatch.setattr(admin.MessageAdmin, "list_per_page", 2)
    dead = [put(topic="test.unheard", key=str(number)) for number in range(5)]

    page = boss.get(reverse(MESSAGES)).content.decode()
    chosen = {"action": "give_up", "select_across": "1", "_selected_action": [dead[0].pk]}
    boss.post(reverse(MESSAGES), chosen)

    assert "Select all 3 messages" in page
    assert [message.state for message in Message.objects.order_by("-pk")] == ["DISCARDED"] * 3 + ["DEAD"] * 2
