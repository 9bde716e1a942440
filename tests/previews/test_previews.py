"""Clips are signed where something may be heard of a track, and each that was played is reported once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import pytest
import requests
from django.conf import settings
from django.test import Client
from django.utils import timezone

from accounts.models import Listener
from catalogue.models import Track
from kernel.values import add_months, rfc3339
from outbox.models import Message
from previews.models import PreviewPlay
from previews.reporting import batch_previews, decide, forget_old_previews
from tests.downloads.shop import carry
from tests.helpers import Api, apply_member, expect_problem, offer, release_event, track_member
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
def batched(phone: Api, listener: Listener) -> Callable[[int], UUID]:
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

    def test_of_nothing_unknown(self, phone: Api) -> None:
        expect_problem(phone.get("catalogue/tracks/7/preview"), 404, "track_not_found")


class TestTaking:
    def test_a_play_counts_once(self, phone: Api, listener: Listener) -> None:
        play = heard()

        assert told(phone, play, heard()) == {"accepted": 2, "duplicates": 0, "rejected": []}
        assert told(phone, play, play) == {"accepted": 0, "duplicates": 2, "rejected": []}

        kept = PreviewPlay.objects.get(play_id=play["play_id"])
        assert (kept.user_id, kept.country, kept.usage) == (listener.platform_id, "GB", "view")

    def test_a_bad_one_costs_no_good_one(self, phone: Api) -> None:
        bad: list[Any] = [
            heard(play_id="7"), heard(track_id=0), heard(track_id="x"), heard(track_id=2**31),
            heard(played_at="2026-01-01T00:00:00"), heard(played_at="soon"), heard(seconds_played=-1),
            heard(played_at=rfc3339(timezone.now() - timedelta(days=61))), heard(seconds_played=601),
            heard(played_at=rfc3339(timezone.now() + timedelta(minutes=5))), heard(user_agent=""), {},
            heard(user_agent=None),
        ]  # fmt: skip

        verdicts = told(phone, *bad, heard())

        assert (verdicts["accepted"], len(verdicts["rejected"])) == (1, len(bad))
        assert [each["index"] for each in verdicts["rejected"]] == list(range(len(bad)))
        assert all(each["detail"] for each in verdicts["rejected"])

    @pytest.mark.parametrize("plays", [[], [heard()] * 501, "x", None, [7]])
    def test_what_is_no_report_is_refused(self, phone: Api, plays: Any) -> None:
        assert phone.post("previews", {"plays": plays}).status_code == 400
        assert not PreviewPlay.objects.exists()

    def test_a_long_user_agent_is_cut(self, phone: Api) -> None:
        told(phone, heard(user_agent="x" * 999))

        assert PreviewPlay.objects.get().user_agent == "x" * 256


class TestReporting:
    def test_reports_hold_five_hundred(self, phone: Api, listener: Listener) -> None:
        facts = {"user_id": listener.platform_id, "country": "GB", "track_id": 1, "seconds_played": 9}
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
            at(origin)
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
    track = next(iter(sandbox.release()["tracks"]))["id"]
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
