"""A captured token lowers no version, and one that brings another body raises an alarm."""

from __future__ import annotations

import json
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from catalogue.keeping import watch_token
from catalogue.models import CatalogueEvent, Release
from massivemusic.events import check_token
from tests.catalogue.conftest import Door
from tests.catalogue.test_apply_events import state
from tests.helpers import offer, release_event, stored_event, track_member, zipped
from tests.massivemusic import forge

pytestmark = pytest.mark.django_db
TRUE = release_event(version=5)
OLDER = release_event(version=4)
SAME = {"version": 5}
CHANGED: dict[str, list[Any]] = {
    "an older version": [OLDER],
    "version 0": [release_event(version=0)],
    "a version below 0": [release_event(version=-1)],
    "an older title": [OLDER | {"title": "Spoilt"}],
    "an older artist": [OLDER | {"artist": {"id": 501, "name": "Spoilt"}}],
    "no tracks, older": [OLDER | {"tracks": []}],
    "other tracks, older": [OLDER | {"tracks": [track_member(7)]}],
    "no offers, older": [OLDER | {"tracks": [track_member(100101, offers=[])]}],
    "wider offers, older": [OLDER | {"tracks": [track_member(100101, offers=[offer(["US"])])]}],
    "an older takedown": [{"id": 7001001, "version": 4, "takedown": True}],
    "a takedown of the same version": [{"id": 7001001, "takedown": True} | SAME],
    "another title under the same version": [TRUE | {"title": "Spoilt"}],
    "another artist under the same version": [TRUE | {"artist": {"id": 501, "name": "Aaron Spoilt"}}],
    "no tracks under the same version": [TRUE | {"tracks": []}],
    "an unknown field under the same version": [TRUE | {"future": 1}],
    "the same and an older one": [TRUE, OLDER],
    "the same twice": [TRUE, TRUE],
    "a test event": [release_event(-1)],
    "nonsense": [None],
    "a version as text": [release_event(version="9")],
}


def alarms(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize("members", CHANGED.values(), ids=CHANGED)
def test_another_body_lowers_nothing_and_alarms(
    door: Door, caplog: pytest.LogCaptureFixture, members: list[Any]
) -> None:
    token = forge.single(int(time.time()))
    honest = door.bring(TRUE, token=token)
    before = state()

    forged = door.bring(*members, token=token)

    assert state() == before
    assert alarms(caplog) == [
        f"catalogue events {honest.pk} and {forged.pk} came with one token: was it captured?",
    ]
    assert set(CatalogueEvent.objects.values_list("token_reused", flat=True)) == {True}


def test_the_alarms_are_20() -> None:
    assert len(CHANGED) == 20


def test_is_told_once_for_a_token_and_marked_on_each_of_its_bodies(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    token = forge.single(int(time.time()))
    for number in range(1, 6):
        door.keep([release_event(number)], token=token)
    other = door.keep([release_event(6)])

    assert len(alarms(caplog)) == 1
    assert list(CatalogueEvent.objects.filter(token_reused=False)) == [other]


def test_hears_of_it_through_another_spelling_encoding_or_door(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    ways: list[dict[str, Any]] = [{"Content_Encoding": "gzip"}, {"kind": "enhanced"}]
    for how in ways:
        token = forge.single(int(time.time()))
        door.keep([TRUE], token=token)
        body = zipped([OLDER]) if "Content_Encoding" in how else [OLDER]
        assert door.post(body, token=f"bearer  {token}", **how).status_code == 202

    assert len(alarms(caplog)) == 2


def test_the_same_body_again_is_a_retry_and_no_alarm(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    token = forge.single(int(time.time()))
    for _ in range(3):
        door.keep([TRUE], token=token)
    door.keep(zipped([TRUE]), token=f"Bearer {token}", Content_Encoding="gzip")
    door.keep([TRUE])

    assert alarms(caplog) == []
    assert not CatalogueEvent.objects.filter(token_reused=True).exists()


def test_the_same_bodies_under_tokens_of_their_own_are_no_alarm(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    for member in (TRUE, OLDER, TRUE):
        door.bring(member)

    assert alarms(caplog) == []


def test_no_token_and_no_secret_reaches_the_log(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    token = forge.single(int(time.time()))
    door.keep([TRUE], token=token)
    event = door.keep([OLDER], token=token)

    written = caplog.text + json.dumps([event.token, event.last_error])
    assert not any(part in written for part in token.split("."))


def test_an_alarm_outlives_the_applying(door: Door) -> None:
    token = forge.single(int(time.time()))
    door.bring(TRUE, token=token)
    door.bring(release_event(version=6), None, token=token)

    assert Release.objects.get().version == 6  # an alarm is no refusal
    assert list(CatalogueEvent.objects.order_by("pk").values_list("state", "token_reused")) == [
        ("APPLIED", True), ("PARTLY", True),
    ]  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_of_two_that_come_at_once_one_sees_the_other(door: Door) -> None:
    """The first is not committed yet when the second looks."""
    token = forge.single(int(time.time()))
    proof = check_token(token, keys=[forge.KEY.public_key()], now=timezone.now())

    def come_between() -> None:
        try:
            door.keep([OLDER], token=token)
        finally:
            connection.close()

    with transaction.atomic():
        event = stored_event(body=json.dumps([TRUE]).encode(), members=[TRUE], token=proof)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(come_between).result(10)
    assert not CatalogueEvent.objects.filter(token_reused=True).exists()

    watch_token(event.pk, token=proof, body=json.dumps([TRUE]).encode())

    assert CatalogueEvent.objects.filter(token_reused=True).count() == 2
