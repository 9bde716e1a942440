"""Why can't they hear it: the page that asks every rule, for support."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.utils import timezone

from accounts.actions import close_account, filter_explicit
from accounts.models import Listener
from catalogue.models import Track
from catalogue.rules import Reason
from streaming.entitlement import standing
from tests.helpers import apply_member, offer, release_event, track_member

pytestmark = pytest.mark.django_db

PAGE = "/admin/why/"
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def ask(client: Client, **wish: Any) -> Any:
    """The page's answer, as when the form is sent."""
    return client.post(PAGE, {"track": "", "listener": "", "country": "", "use": "STREAM", "at": ""} | wish)


def lines(answer: Any) -> list[tuple[str, bool]]:
    assert answer.status_code == 200, answer.content
    (told,) = answer.context["answers"]
    return [(line.rule, line.holds) for line in told.lines]


def failed(answer: Any) -> str | None:
    (told,) = answer.context["answers"]
    return told.failed.rule if told.failed else None


HOLDING = ["TAKEN_DOWN", "LICENSOR", "USE", "TERRITORY", "NOT_YET", "ENDED", "EXPLICIT_FILTER"]


def test_names_every_rule_for_a_country(boss: Client, track: Track) -> None:
    answer = ask(boss, track=track.pk, country="gb")

    assert lines(answer) == [(rule, True) for rule in HOLDING]
    assert "yes, they can" in answer.content.decode()


def test_asks_after_account_and_subscription_for_a_listener(boss: Client, subscriber: Listener, track: Track) -> None:
    answer = ask(boss, track=track.pk, listener=subscriber.pk)

    assert lines(answer) == [(rule, True) for rule in ["ACCOUNT", "SUBSCRIPTION", *HOLDING]]
    assert f"sub-{subscriber.pk} does from 20" in answer.content.decode()
    assert f"/admin/streaming/streamholder/?q={subscriber.platform_id}" in answer.content.decode()


@pytest.mark.parametrize("by", ["pk", "hex", "platform_id", "email", "shouted"])
def test_knows_a_listener_by_address_and_by_either_id(boss: Client, listener: Listener, track: Track, by: str) -> None:
    assert listener.user is not None
    names = {
        "pk": str(listener.pk),
        "hex": listener.pk.hex.upper(),
        "platform_id": listener.platform_id,
        "email": listener.user.email,
        "shouted": listener.user.email.upper(),
    }
    answer = ask(boss, track=track.pk, listener=f" {names[by]} ")

    assert answer.context["form"].cleaned_data["listener"] == listener
    assert failed(answer) == "SUBSCRIPTION"
    assert "there is none" in answer.content.decode()


def test_says_which_subscription_there_was(boss: Client, listener: Listener, subscribe: Any, track: Track) -> None:
    subscribe(listener, starts_at=NOON, activated_at=NOON, entitled_until=NOON + timedelta(days=3))

    assert failed(ask(boss, track=track.pk, listener=listener.pk, at="2026-02-01 00:00")) is None
    answer = ask(boss, track=track.pk, listener=listener.pk, at="2026-02-03T13:00:00+01:00")
    assert failed(answer) == "SUBSCRIPTION"
    assert "does from 2026-01-31 12:00 until 2026-02-03 12:00" in answer.content.decode()


def test_a_download_needs_no_subscription(boss: Client, listener: Listener, shelve: Any) -> None:
    shelve(id_=1, tracks=[track_member(1, offers=[], downloadAvailability=[offer()])])

    assert "SUBSCRIPTION" not in dict(lines(ask(boss, track=1, listener=listener.pk, use="DOWNLOAD")))
    assert failed(ask(boss, track=1, listener=listener.pk, use="DOWNLOAD")) is None
    assert failed(ask(boss, track=1, country="GB", use="AD_STREAM")) == "USE"


def test_asks_the_listeners_own_filter(boss: Client, subscriber: Listener, shelve: Any) -> None:
    shelve(id_=1, tracks=[track_member(1, explicitContent=True)])
    assert failed(ask(boss, track=1, listener=subscriber.pk)) is None

    filter_explicit(listener=subscriber, hide=True)
    answer = ask(boss, track=1, listener=subscriber.pk)
    assert failed(answer) == "EXPLICIT_FILTER"
    assert "hides explicit tracks" in answer.content.decode()
    assert failed(ask(boss, track=1, country="GB")) is None


def test_a_closed_account_is_said_first(boss: Client, subscriber: Listener, track: Track) -> None:
    close_account(listener=subscriber, now=NOON)

    assert failed(ask(boss, track=track.pk, listener=subscriber.pk)) == "ACCOUNT"


def test_says_when_it_opens(boss: Client, shelve: Any) -> None:
    shelve(id_=1, tracks=[track_member(1, offers=[offer(start="2099-05-01T06:30:00Z")])])

    answer = ask(boss, track=1, country="GB")

    assert failed(answer) == "NOT_YET"
    assert "opens 2099-05-01 06:30 UTC" in answer.content.decode()
    assert failed(ask(boss, track=1, country="GB", at="2099-05-01 06:30")) is None


def test_answers_for_every_track_with_the_isrc(boss: Client, shelve: Any) -> None:
    shelve(id_=1, tracks=[track_member(1, isrc="GBQQQ2500001")])
    shelve(id_=2, tracks=[track_member(2, isrc="GBQQQ2500001")])
    apply_member({"id": 2, "version": 2, "takedown": True})

    answers = ask(boss, track="gb-qqq-25-00001", country="GB").context["answers"]

    assert [(told.track.id, told.failed and told.failed.rule) for told in answers] == [(1, None), (2, "TAKEN_DOWN")]


STREAMED = [
    [release_event(1, tracks=[track_member(1)])],
    [release_event(1, tracks=[track_member(1, offers=[offer(["US"])])])],
    [release_event(1, tracks=[track_member(1, offers=[offer(end="2021-01-01")])])],
    [release_event(1, tracks=[track_member(1, offers=[])])],
    [release_event(1, tracks=[track_member(1)]), {"id": 1, "version": 2, "takedown": True}],
    [release_event(1, tracks=[track_member(1, explicitContent=True)])],
]


@pytest.mark.parametrize("members", STREAMED)
def test_agrees_with_what_a_stream_is_refused_for(boss: Client, subscriber: Listener, members: list[Any]) -> None:
    filter_explicit(listener=subscriber, hide=True)
    for member in members:
        apply_member(member)

    who = standing(listener_id=subscriber.pk, track_id=1, now=timezone.now())

    assert who is not None
    assert who.track is not None
    judged = [(asked.rule.value, asked.holds) for asked in who.track.asked]
    assert lines(ask(boss, track=1, listener=subscriber.pk)) == [("ACCOUNT", True), ("SUBSCRIPTION", True), *judged]


WRONG = [
    ({"track": "abc", "country": "GB"}, "track", "neither the id of a track nor an ISRC"),
    ({"track": "", "country": "GB"}, "track", "This field is required"),
    ({"track": "٣", "country": "GB"}, "track", "neither the id of a track nor an ISRC"),
    ({"track": "9" * 39, "country": "GB"}, "track", "neither the id of a track nor an ISRC"),
    ({"track": "9" * 41, "country": "GB"}, "track", "at most 40 characters"),
    ({"track": "5050000000017", "country": "GB"}, "track", "neither the id of a track nor an ISRC"),
    ({"track": "777", "country": "GB"}, "track", "There is no such track"),
    ({"track": "\x00", "country": "GB"}, "track", "Null characters are not allowed"),
    ({"track": "1", "country": "ZZ"}, "country", "not an ISO 3166-1 country"),
    ({"track": "1", "country": "é"}, "country", "not an ISO 3166-1 country"),
    ({"track": "1"}, "country", "Name a listener or a country, and not both"),
    ({"track": "1", "country": "GB", "listener": "known"}, "country", "Name a listener or a country, and not both"),
    ({"track": "1", "listener": "nobody@example.org"}, "listener", "There is no such listener"),
    ({"track": "1", "listener": "00000000-0000-0000-0000-000000000007"}, "listener", "There is no such listener"),
    ({"track": "1", "listener": "%_'"}, "listener", "There is no such listener"),
    ({"track": "1", "country": "GB", "at": "noon"}, "at", "Enter a valid date/time"),
    ({"track": "1", "country": "GB", "at": "2026-02-30 12:00"}, "at", "Enter a valid date/time"),
    ({"track": "1", "country": "GB", "at": "0001-01-01T00:00:00+14:00"}, "at", "Enter a valid date/time"),
    ({"track": "1", "country": "GB", "at": "9999-12-31T23:59:59-14:00"}, "at", "Enter a valid date/time"),
    ({"track": "1", "country": "GB", "use": "STEAL"}, "use", "STEAL is not one of the available choices"),
]


@pytest.mark.parametrize(("wish", "field", "words"), WRONG)
def test_says_what_is_wrong_and_keeps_the_form(
    boss: Client, listener: Listener, shelve: Any, wish: dict[str, str], field: str, words: str
) -> None:
    shelve(id_=1, tracks=[track_member(1)])
    wish = wish | ({"listener": str(listener.pk)} if wish.get("listener") == "known" else {})

    answer = ask(boss, **wish)

    assert answer.status_code == 200
    assert words in " ".join(answer.context["form"].errors[field])
    assert answer.context["answers"] == []
    assert answer.context["form"]["at"].value() == wish.get("at", "")


@pytest.mark.parametrize("at", ["0001-01-01", "9999-12-31 23:59:59", "2026-01-31T12:00:00.123Z"])
def test_any_instant_can_be_asked_about(boss: Client, subscriber: Listener, track: Track, at: str) -> None:
    assert len(lines(ask(boss, track=track.pk, listener=subscriber.pk, at=at))) >= 6


def test_a_link_fills_the_form_in_and_asks_nothing(boss: Client, listener: Listener, track: Track) -> None:
    answer = boss.get(PAGE, {"track": track.pk, "listener": listener.pk})

    assert answer.context["form"].errors == {}
    assert answer.context["answers"] == []
    assert f'value="{listener.pk}"' in answer.content.decode()


def test_the_form_keeps_addresses_out_of_urls(boss: Client) -> None:
    text = boss.get(PAGE).content.decode()

    assert f'<form method="post" action="{PAGE}"' in text
    assert "csrfmiddlewaretoken" in text


def test_a_listeners_page_leads_here(boss: Client, listener: Listener) -> None:
    answer = boss.get(f"/admin/accounts/listener/{listener.pk}/why/")

    assert answer.headers["Location"] == f"{PAGE}?{urlencode({'listener': listener.pk})}"


def test_a_listeners_page_leads_nobody_here_who_may_not_ask(clerk: Callable[..., Client], listener: Listener) -> None:
    desk, url = clerk("view_listener"), f"/admin/accounts/listener/{listener.pk}"

    assert f"{url}/why/" not in desk.get(f"{url}/change/").content.decode()
    assert desk.get(f"{url}/why/").status_code == 403


def test_what_the_platform_writes_is_text_and_no_more(boss: Client, shelve: Any) -> None:
    script = "<script>alert(1)</script>"
    artist = {"id": 9, "name": script}
    shelve(id_=1, title=script, artist=artist, tracks=[track_member(1, title=script, artist=artist)])

    text = ask(boss, track=1, country="GB").content.decode()

    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 3
    assert script not in text


def test_many_tracks_cost_no_more_than_one(
    boss: Client, subscriber: Listener, shelve: Any, django_assert_num_queries: Any
) -> None:
    for number in range(1, 23):
        shelve(id_=number, tracks=[track_member(number, isrc=f"GBQQQ25000{'01' if number > 1 else '00'}")])

    for isrc, found in (("GBQQQ2500000", 1), ("GBQQQ2500001", 20)):
        with django_assert_num_queries(5):  # session, user, listener, subscription, tracks
            answer = ask(boss, track=isrc, listener=subscriber.pk)
        assert len(answer.context["answers"]) == found


# --- who may ask -----------------------------------------------------------------------------------


def test_staff_without_the_catalogue_may_not_ask(clerk: Callable[..., Client]) -> None:
    assert clerk("view_listener", "view_streamholder").get(PAGE).status_code == 403


def test_who_may_not_see_listeners_asks_for_a_country(
    clerk: Callable[..., Client], listener: Listener, track: Track
) -> None:
    desk = clerk("view_track")

    assert "listener" not in desk.get(PAGE).context["form"].fields
    assert failed(ask(desk, track=track.pk, country="US")) == Reason.TERRITORY
    assert ask(desk, track=track.pk, listener=listener.pk).status_code == 403
    assert desk.get(PAGE, {"listener": listener.pk}).status_code == 403


def test_who_may_see_both_may_ask_for_both(clerk: Callable[..., Client], listener: Listener, track: Track) -> None:
    assert failed(ask(clerk("view_track", "view_listener"), track=track.pk, listener=listener.pk)) == "SUBSCRIPTION"


def test_a_listener_is_sent_to_the_door(client: Client, listener: Listener) -> None:
    assert listener.user is not None
    client.force_login(listener.user)

    assert client.get(PAGE).status_code == 302
