"""Clips are signed where something may be heard of a track, and each that was played is reported once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import pytest
import requests
from django.conf import settings
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.models import Listener
from catalogue.models import Track
from kernel.values import add_months, rfc3339
from outbox.models import Message
from previews.models import PreviewPlay
from previews.reporting import batch_previews, decide, forget_old_previews
from tests.downloads.shop import carry
from tests.helpers import Api, apply_member, expect_problem, offer, release_event, track_member, zipped
from tests.massivemusic.behaviours import THE_36, Behaviour, error_json, no, ok
from tests.massivemusic.stage import Stage
from tests.massivemusic.test_behaviours import staged
from tests.sandbox.platform import Platform

pytestmark = pytest.mark.django_db
State = PreviewPlay.State


@pytest.fixture
def phone(api: Callable[[Listener], Api], listener: Listener) -> Api:
    return api(listener)


def heard(track_id: int = 1, **changes: Any) -> dict[str, Any]:
    """A clip as a phone tells of it."""
    return {
        "play_id": str(uuid4()),
        "track_id": track_id,
        "played_at": rfc3339(timezone.now() - timedelta(minutes=1)),
        "seconds_played": 29,
        "user_agent": "Pixel 9; Tonearm 1.0",
    } | changes


def told(phone: Api, *plays: Any) -> dict[str, Any]:
    response = phone.post("previews", {"plays": list(plays)})
    assert response.status_code == 200, response.content
    verdicts: dict[str, Any] = json.loads(response.content)
    return verdicts


@pytest.fixture
def shelf(shelve: Callable[..., list[Track]]) -> list[Track]:
    """Tracks 1 to 5."""
    return shelve(tracks=[track_member(number + 1, number=number + 1) for number in range(5)])


@pytest.fixture
def batched(phone: Api, listener: Listener, shelf: list[Track]) -> Callable[[int], UUID]:
    """Clips in a report that is about to go out."""

    def cut(count: int) -> UUID:
        told(phone, *(heard(number + 1) for number in range(count)))
        Message.objects.all().delete()
        assert batch_previews(now=timezone.now()) == count
        batch: UUID = PreviewPlay.objects.values_list("batch", flat=True).distinct().get()
        return batch

    return cut


def states() -> Counter[str]:
    return Counter(PreviewPlay.objects.values_list("state", flat=True))


class TestClips:
    def test_are_signed_on_their_own_host(self, phone: Api, track: Track) -> None:
        response = phone.get(f"catalogue/tracks/{track.pk}/preview")

        assert response.status_code == 200
        assert response.headers["Cache-Control"] == "no-store"
        clip = json.loads(response.content)
        parts = urlsplit(clip["url"])
        assert clip["url"].startswith(settings.MASSIVEMUSIC["previews_url"])
        assert parts.path.endswith(f"/clip/{track.pk}")
        assert parse_qs(parts.query)["country"] == ["GB"]
        assert "oauth_signature" in parts.query
        assert clip["track_id"] == track.pk

    def test_of_what_is_sold_but_not_streamed(self, phone: Api, track: Track) -> None:
        sold = {"subscriptionStreamingAvailability": [], "downloadAvailability": [offer()]}
        member = release_event(version=2)
        member["tracks"] = [each | sold for each in member["tracks"]]
        apply_member(member)

        assert phone.get(f"catalogue/tracks/{track.pk}/preview").status_code == 200

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"takedown": True, "version": 2, "id": 7001001}, "TAKEN_DOWN"),
            (release_event(version=2, tracks=[]), "TAKEN_DOWN"),
        ],
    )
    def test_of_nothing_that_may_not_be_heard(self, phone: Api, track: Track, change: Any, reason: str) -> None:
        apply_member(change)

        problem = expect_problem(phone.get(f"catalogue/tracks/{track.pk}/preview"), 403, "track_unavailable")

        assert problem["reason"] == reason

    @pytest.mark.parametrize(
        ("streamed", "sold", "soonest"),
        [
            ("2090-01-01T00:00:00Z", None, "2090-01-01T00:00:00Z"),
            (None, "2091-01-01T00:00:00Z", "2091-01-01T00:00:00Z"),
            ("2090-01-01T00:00:00Z", "2089-06-01T00:00:00Z", "2089-06-01T00:00:00Z"),
            ("2090-01-01T00:00:00Z", "2092-01-01T00:00:00Z", "2090-01-01T00:00:00Z"),
        ],
    )
    def test_of_a_pre_release_from_its_first_day(
        self, phone: Api, track: Track, streamed: str | None, sold: str | None, soonest: str
    ) -> None:
        offers = {
            "subscriptionStreamingAvailability": [offer(start=streamed)] if streamed else [],
            "downloadAvailability": [offer(start=sold)] if sold else [],
        }
        member = release_event(version=2)
        apply_member(member | {"tracks": [each | offers for each in member["tracks"]]})

        problem = expect_problem(phone.get(f"catalogue/tracks/{track.pk}/preview"), 403, "track_unavailable")

        assert (problem["reason"], problem["available_from"]) == ("NOT_YET", soonest)

    def test_of_nothing_unknown(self, phone: Api) -> None:
        expect_problem(phone.get("catalogue/tracks/7/preview"), 404, "track_not_found")


@pytest.mark.usefixtures("shelf")
class TestTaking:
    def test_a_play_counts_once(self, phone: Api, listener: Listener) -> None:
        play = heard()

        assert told(phone, play, heard()) == {"accepted": 2, "duplicates": 0, "rejected": []}
        assert told(phone, play, play) == {"accepted": 0, "duplicates": 2, "rejected": []}

        kept = PreviewPlay.objects.get(play_id=play["play_id"])
        assert (kept.user_id, kept.country, kept.usage) == (listener.platform_id, "GB", "view")

    def test_a_bad_one_costs_no_good_one(self, phone: Api) -> None:
        bad: list[tuple[Any, str]] = [
            (heard(play_id="7"), "play_id"), (heard(play_id=7), "play_id"), (heard(track_id=0), "track_id"),
            (heard(track_id="x"), "track_id"), (heard(track_id="1"), "track_id"), (heard(track_id=2**31), "track_id"),
            (heard(played_at="2026-01-01T00:00:00"), "played_at"), (heard(played_at="soon"), "played_at"),
            (heard(played_at=rfc3339(timezone.now() - timedelta(days=61))), "more than 61 days ago"),
            (heard(played_at=rfc3339(timezone.now() + timedelta(minutes=5))), "in the future"),
            (heard(played_at="9999-12-31T23:59:59-12:00"), "played_at"), (heard(seconds_played=-1), "seconds_played"),
            (heard(seconds_played=601), "seconds_played"), (heard(seconds_played="9"), "seconds_played"),
            (heard(user_agent=None), "user_agent"), (heard(user_agent="a\x00b"), "NUL"), (7, "object"),
            (None, "object"),
        ]  # fmt: skip

        verdicts = told(phone, *(play for play, _ in bad), heard())

        assert (verdicts["accepted"], len(verdicts["rejected"])) == (1, len(bad))
        for index, (refused, (_, named)) in enumerate(zip(verdicts["rejected"], bad, strict=True)):
            assert (refused["index"], refused["code"]) == (index, "invalid_parameter")
            assert named in refused["detail"]

    @pytest.mark.parametrize("cut", [b"\xff", b"\\ud83d", b"\\u0000"])
    def test_one_whose_text_was_cut_is_told_by_its_id(self, phone: Api, cut: bytes) -> None:
        bad = heard(user_agent="CUT")
        body = json.dumps({"plays": [bad, heard()]}).encode().replace(b"CUT", cut)

        verdicts = json.loads(phone.post("previews", body).content)

        assert verdicts["accepted"] == 1
        assert [(each["index"], each["play_id"]) for each in verdicts["rejected"]] == [(0, bad["play_id"])]

    def test_what_is_missing_is_named(self, phone: Api) -> None:
        (bad,) = told(phone, {name: value for name, value in heard().items() if name != "track_id"})["rejected"]

        assert (bad["code"], bad["detail"]) == ("missing_parameter", "track_id is missing")

    def test_the_first_stands_where_an_id_comes_back_with_other_content(self, phone: Api) -> None:
        first = heard()
        changed = [first | change for change in ({"seconds_played": 1}, {"track_id": 2}, {"track_id": 99})]

        for accepted, duplicates in ((1, 0), (0, 1)):
            verdicts = told(phone, first, *changed)

            assert (verdicts["accepted"], verdicts["duplicates"]) == (accepted, duplicates)
            assert [(each["index"], each["play_id"], each["code"]) for each in verdicts["rejected"]] == [
                (index, first["play_id"], "play_id_conflict") for index in (1, 2, 3)
            ]
        assert PreviewPlay.objects.get().seconds_played == 29

    @pytest.mark.django_db(transaction=True)
    def test_of_many_at_once_one_is_taken(self, phone: Api) -> None:
        play = heard()

        def tell(seconds: int) -> dict[str, Any]:
            try:
                return told(Api(Client(), token=phone.token), play | {"seconds_played": seconds % 10})
            finally:
                connection.close()

        with ThreadPoolExecutor(8) as pool:
            verdicts = list(pool.map(tell, range(40)))

        assert sum(each["accepted"] for each in verdicts) == 1
        assert sum(each["duplicates"] for each in verdicts) == 3
        assert sum(len(each["rejected"]) for each in verdicts) == 36

    def test_an_unknown_track_costs_no_good_twin(self, phone: Api) -> None:
        good = heard()
        bad = good | {"track_id": 99}

        verdicts = told(phone, bad, good, bad, good)

        assert (verdicts["accepted"], verdicts["duplicates"]) == (1, 1)
        assert [(each["index"], each["code"]) for each in verdicts["rejected"]] == [
            (0, "track_not_found"),
            (2, "play_id_conflict"),
        ]

    def test_a_wrong_clock_is_set_right(self, phone: Api) -> None:
        ahead = timezone.now() + timedelta(hours=3)
        play = heard(played_at=rfc3339(ahead - timedelta(minutes=1)))

        for accepted in (1, 0):
            body = {"sent_at": rfc3339(ahead), "plays": [play]}
            assert json.loads(phone.post("previews", body).content)["accepted"] == accepted

        assert PreviewPlay.objects.get().played_at < timezone.now()

    def test_takes_up_to_five_hundred_gzipped(self, phone: Api) -> None:
        response = phone.post("previews", zipped({"plays": [heard() for _ in range(500)]}), Content_Encoding="gzip")

        assert json.loads(response.content) == {"accepted": 500, "duplicates": 0, "rejected": []}

    def test_costs_a_constant_number_of_queries(
        self, phone: Api, django_assert_num_queries: Callable[..., Any]
    ) -> None:
        for count in (1, 400):
            # who asks; the listener; in a transaction: the lock, what is known of ids and of tracks, and what is new
            with django_assert_num_queries(8):
                told(phone, *(heard() for _ in range(count)))

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({"plays": []}, "invalid_parameter"),
            ({"plays": [{}] * 501}, "invalid_parameter"),
            ({"plays": "x"}, "invalid_parameter"),
            ({"plays": None}, "invalid_parameter"),
            ({}, "missing_parameter"),
            (b"{", "invalid_json"),
        ],
    )
    def test_what_is_no_report_is_refused(self, phone: Api, body: Any, code: str) -> None:
        expect_problem(phone.post("previews", body), 400, code)
        assert not PreviewPlay.objects.exists()

    def test_nothing_is_taken_of_an_account_that_is_closed(self, phone: Api, listener: Listener) -> None:
        Listener.objects.filter(pk=listener.pk).update(closed_at=timezone.now())

        expect_problem(phone.post("previews", {"plays": [heard()]}), 401, "not_authenticated")

    def test_a_long_user_agent_is_cut(self, phone: Api) -> None:
        told(phone, heard(user_agent="x" * 999))

        assert PreviewPlay.objects.get().user_agent == "x" * 256


class TestReporting:
    def test_reports_hold_five_hundred(self, phone: Api, listener: Listener) -> None:
        facts = {"user_id": listener.platform_id, "country": "GB", "track_id": 1, "seconds_played": 9, "fingerprint": 1}
        PreviewPlay.objects.bulk_create(
            PreviewPlay(play_id=uuid4(), played_at=timezone.now() - timedelta(minutes=1), **facts) for _ in range(1001)
        )

        assert batch_previews(now=timezone.now()) == 1001
        assert batch_previews(now=timezone.now()) == 0

        sizes = Counter(PreviewPlay.objects.values_list("batch", flat=True))
        assert sorted(sizes.values()) == [1, 500, 500]
        assert Message.objects.filter(topic="previews.log").count() == 3

    @pytest.mark.parametrize("behaviour", THE_36, ids=lambda behaviour: behaviour.name)
    def test_every_behaviour_leaves_a_play_in_one_state(
        self, at: Callable[..., None], batched: Callable[[int], UUID], behaviour: Behaviour
    ) -> None:
        batched(2)
        with Stage(ok()) as trap, staged(behaviour, trap) as origin:
            at(origin, seconds=behaviour.patience)
            carry("previews.log")
            assert not trap.heard

        expected = {None: "SENT", "harmless": "WAITING", "in doubt": "IN_DOUBT", "pointless": "WAITING"}
        assert states() == {expected[behaviour.fate]: 2}
        halves = Message.objects.filter(topic="previews.log", state="WAITING").count()
        assert halves == {"pointless": 2, "harmless": 1}.get(behaviour.fate or "", 0)

    @pytest.mark.parametrize("count", [0, 1, 3])
    def test_another_count_than_ours_is_a_doubt(
        self, at: Callable[..., None], batched: Callable[[int], UUID], count: int
    ) -> None:
        batched(2)
        with Stage(ok(f'{{"status":"ok","playLogs":{{"count":{count}}}}}')) as stage:
            at(stage.origin)
            carry("previews.log")

        assert states() == {"IN_DOUBT": 2}

    def test_one_that_is_refused_is_found_by_halves(
        self, at: Callable[..., None], batched: Callable[[int], UUID]
    ) -> None:
        batched(5)
        bad = PreviewPlay.objects.get(track_id=4)

        def judge(sock: Any, request: Any) -> bool | None:
            items = json.loads(request.body)["playLogItem"]
            wrong = any(item["trackId"] == bad.track_id for item in items)
            answer = no("400 No", error_json(1002, "trackId")) if wrong else counted(len(items))
            return answer(sock, request)

        with Stage(judge) as stage:
            at(stage.origin)
            while Message.objects.filter(topic="previews.log", state="WAITING").exists():
                carry("previews.log")

        assert states() == {"SENT": 4, "REJECTED": 1}
        assert PreviewPlay.objects.get(state="REJECTED").platform_code == 1002

    def test_a_doubt_is_a_persons(self, at: Callable[..., None], batched: Callable[[int], UUID]) -> None:
        batch = batched(2)
        PreviewPlay.objects.update(state=State.IN_DOUBT)

        assert decide([batch], taken=True) == 2
        assert decide([batch], taken=False) == 0
        assert states() == {"SENT": 2}

    def test_or_goes_out_again(self, batched: Callable[[int], UUID]) -> None:
        batch = batched(2)
        PreviewPlay.objects.update(state=State.IN_DOUBT)

        assert decide([batch], taken=False) == 2
        assert batch_previews(now=timezone.now()) == 2

    def test_what_is_settled_is_forgotten_in_time(self, batched: Callable[[int], UUID]) -> None:
        batched(3)
        long_ago = add_months(timezone.now(), -settings.PLAY_MONTHS) - timedelta(days=1)
        PreviewPlay.objects.update(received_at=long_ago)
        PreviewPlay.objects.filter(track_id=1).update(state=State.SENT)

        assert forget_old_previews(now=timezone.now()) == 1
        assert states() == {"WAITING": 2}


def counted(count: int) -> Any:
    return ok(f'{{"status":"ok","playLogs":{{"count":{count}}}}}')


class TestEditors:
    def test_hear_clips_and_are_reported_as_making_a_playlist(self, clerk: Callable[..., Client], track: Track) -> None:
        editor = clerk("view_track")

        assert editor.get(f"/admin/clips/{track.pk}?country=GB").json()["track_id"] == track.pk
        body = {name: value for name, value in heard().items() if name in {"play_id", "played_at", "seconds_played"}}
        posted = editor.post(f"/admin/clips/{track.pk}?country=GB", body, content_type="application/json")

        assert posted.json() == {"accepted": 1}
        again = body | {"seconds_played": 3}
        assert editor.post(posted.request["PATH_INFO"] + "?country=GB", again, "application/json").status_code == 400
        play = PreviewPlay.objects.get()
        assert (play.usage, play.listener, play.track_id) == ("creation", None, track.pk)
        assert play.user_id.startswith("staff-")

    @pytest.mark.parametrize("country", ["", "UK", "gb"])
    def test_say_where(self, clerk: Callable[..., Client], track: Track, country: str) -> None:
        assert clerk("view_track").get(f"/admin/clips/{track.pk}?country={country}").status_code == 400

    def test_are_staff(self, client: Client, clerk: Callable[..., Client], track: Track) -> None:
        assert client.get(f"/admin/clips/{track.pk}?country=GB").status_code == 403
        assert clerk("view_play").get(f"/admin/clips/{track.pk}?country=GB").status_code == 403


def test_the_platform_counts_what_was_heard(phone: Api, sandbox: Platform, listener: Listener) -> None:
    published = sandbox.release()
    track = published["tracks"][0]["id"]
    apply_member(release_event(published["id"], tracks=[track_member(track)]))
    told(phone, heard(track), heard(track))
    batch_previews(now=timezone.now())

    carry("listener.create")
    carry("previews.log")

    assert states() == {"SENT": 2}


def test_a_clip_can_be_heard(phone: Api, sandbox: Platform) -> None:
    published = sandbox.release()
    track = published["tracks"][0]["id"]
    apply_member(release_event(published["id"], tracks=[track_member(track)]))

    clip = json.loads(phone.get(f"catalogue/tracks/{track}/preview").content)
    answer = requests.get(clip["url"], timeout=10)

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "audio/mpeg")
    assert len(answer.content) > 10_000
