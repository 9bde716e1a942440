"""Titles are text, whatever they look like: kept as they came or refused by name, and never markup on a page."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from accounts.models import User
from catalogue.models import Release, Track
from tests.catalogue.conftest import Door
from tests.helpers import Api, release_event, track_member

pytestmark = pytest.mark.django_db

KEPT: dict[str, str] = {
    "a script": "<script>alert(1)</script>",
    "an image that fails": '"><img src=x onerror=alert(1)>',
    "the end of a text": "</title></textarea>--></style><svg onload=alert(1)>",
    "entities": "&lt;script&gt; &amp; &#x3c;b>",
    "an address that runs": "javascript:alert(1)",
    "a statement": "'); DROP TABLE catalogue_release; --",
    "braces": "{{ 7 * 7 }} {% load x %} ${7*7} %s %(id)s {0}",
    "right to left": "\u202egnorw\u202c \u05e9\u05dc\u05d5\u05dd \u2067x\u2069",
    "zero width": "a\u200bb\u200dc\u2060d\ufeffe",
    "combining flood": "Z" + "\u0335\u0321\u0353" * 300,
    "composed and decomposed": "\u00e9 e\u0301 \uac00 \u1100\u1161",
    "compatibility": "\ufdfa" * 900,
    "emoji": "\U0001f469\u200d\U0001f3a4\U0001f3fd \U0001f1ec\U0001f1e7",
    "other digits": "\u0661\u0662\u0663 \u00b2\u00bd",
    "control characters": "a\tb\nc\x01d\x7fe\x85f",
    "one endless word": "x" * 1024,
    "quotes": "\"'`´’\\",
    "private and unassigned": "\ue000\U0010ffff\ufffe\u0378",
}
REFUSED: dict[str, str] = {
    "NUL": "a\x00b",
    "the first half of a character": "a\ud83d",
    "the second half of a character": "\udc00a",
    "halves in the wrong order": "\udc00\ud83d",
}


def titled(text: str) -> Any:
    """A release where everything is called so."""
    artist = {"id": 2, "name": text}
    track = track_member(201, title=text, subtitle=text, artist=artist)
    label = {"id": 1, "name": text}
    return release_event(2, title=text, subtitle=text, genres=[text], label=label, artist=artist, tracks=[track])


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("boss@example.org", "correct horse"))
    return client


@pytest.mark.parametrize("text", KEPT.values(), ids=KEPT)
def test_is_kept_as_it_came_and_shown_as_text(door: Door, desk: Client, phone: Api, text: str) -> None:
    event = door.bring(release_event(1), titled(text), release_event(3))

    assert event.outcome == {"applied": 3, "refused": []}
    assert Track.objects.get(pk=201).title == text
    shown = json.loads(phone.get("catalogue/releases/2").content)
    assert (shown["title"], shown["artist"]["name"], shown["tracks"][0]["version"]) == (text, text, text)
    for name, args in (("track_change", [201]), ("release_changelist", [])):
        page = desk.get(reverse(f"admin:catalogue_{name}", args=args)).content.decode()
        assert escape(text).strip() in page
        assert "<" not in text or text not in page


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_is_refused_by_name_where_nothing_can_hold_it(door: Door, desk: Client, text: str) -> None:
    event = door.bring(release_event(1), titled(text), release_event(3))

    assert event.outcome == {
        "applied": 2,
        "refused": [{"index": 1, "reason": "name: must be a text without NUL or half characters"}],
    }
    assert set(Release.objects.values_list("pk", flat=True)) == {1, 3}
    assert (
        "half characters"
        in desk.get(reverse("admin:catalogue_catalogueevent_change", args=[event.pk])).content.decode()
    )


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_a_tag_is_refused_by_name_too(door: Door, text: str) -> None:
    door.bring(release_event(1))
    tags = [{"releaseId": 1, "trackId": 101, "version": n, "mood": mood} for n, mood in enumerate(["calm", text])]

    event = door.bring(*tags, kind="enhanced")

    reason = "tags: must be texts without NUL or half characters"
    assert event.outcome == {"applied": 1, "refused": [{"index": 1, "reason": reason}]}
