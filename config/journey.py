"""The main job from end to end, over HTTP alone: what a phone, a billing system and the platform see.

Nothing here looks into the database. Every step says what it saw, and fails when that is not what
must be seen; the platform's journal, kept by its stand-in, has the last word.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final
from urllib.parse import urljoin

import requests

from config import shopping
from config.letters import COUNTRY, subscription_event
from config.visitor import Visitor, fail, seconds, short
from kernel.values import rfc3339

MP3_128: Final = 26
JPEG: Final = b"\xff\xd8\xff"
PHONE, TABLET = "phone-of-ada", "tablet-of-ada"


class Journey(Visitor):
    """One listener's first evening."""

    def steps(self) -> Iterator[tuple[str, Callable[[], str]]]:
        """The steps in order, each with its name; a step returns what it saw in one line."""
        yield "service", self.service_answers
        yield "catalogue", self.catalogue_arrives
        yield "sign-up", self.listener_signs_up
        yield "no right yet", self.streaming_needs_a_subscription
        yield "billing", self.billing_subscribes
        yield "platform", self.platform_is_told
        yield "search", self.track_is_found
        yield "stream", self.audio_comes_back
        yield "range", self.audio_resumes
        yield "hls", self.playlist_plays
        yield "take-over", self.second_device_takes_over
        yield "plays", self.plays_are_reported
        yield "rightsholders", self.plays_reach_the_platform
        yield "takedown", self.takedown_is_heard
        yield "offline", self.track_is_kept
        yield "purchase", partial(shopping.buy, self)
        yield "download", partial(shopping.download, self)
        yield "refund", partial(shopping.give_back, self)

    # --- the steps ------------------------------------------------------------------------------

    def service_answers(self) -> str:
        ready = self.api("GET", "/readyz")
        config = self.api("GET", "/api/v1/config")
        if ready.status_code != 200 or config.status_code != 200:
            fail("the service is not ready", ready)
        facts = config.json()
        streamable = sum(known["streamable"] for known in facts["formats"])
        return f"ready · {streamable} formats to stream, {len(facts['plans'])} plans"

    def catalogue_arrives(self) -> str:
        began = time.monotonic()
        sent = self.control("POST", "publish", json={"what": "all", "order": "shuffled", "duplicates": 1})
        if sent["failed"] or not sent["accepted"]:
            fail(f"catalogue events were refused: {sent['failed'][:2]}")
        shelves = self.control("GET", "shelves")["releases"]
        playable = [release for release in shelves if self.is_playable(release)]
        if not playable:
            fail("nothing on the shelves plays in GB")
        self.seen.track = max(playable, key=lambda release: len(release["tracks"]))["tracks"][0]
        tracks = sum(len(release["tracks"]) for release in shelves)
        return (
            f"{sent['events']} events in {sent['requests']} signed, gzipped bodies, out of order and twice · "
            f"{len(shelves)} releases, {tracks} tracks · {time.monotonic() - began:.1f} s"
        )

    def listener_signs_up(self) -> str:
        email = f"ada.{uuid.uuid4().hex[:8]}@tonearm.example"
        form = {"email": email, "password": f"correct-{uuid.uuid4().hex}", "country": COUNTRY}
        answer = self.api("POST", "/_allauth/app/v1/auth/signup", json=form)
        if answer.status_code != 200:
            fail("sign-up was refused", answer)
        self.seen.token = answer.json()["meta"]["access_token"]
        me = self.api("GET", "/api/v1/me")
        if me.status_code != 200:
            fail("the access token does not open /me", me)
        self.seen.account_id = me.json()["id"]
        return f"{answer.status_code} · account {short(self.seen.account_id)} in {me.json()['country']}"

    def streaming_needs_a_subscription(self) -> str:
        self.until(lambda: self.api("GET", self.track_path()).status_code == 200, "the track is not in the mirror")
        answer = self.ask_for_stream(PHONE)
        if answer.status_code != 403 or answer.json()["code"] != "no_subscription":
            fail("a listener without a subscription was not refused", answer)
        return f"403 {answer.json()['code']} (platform code {answer.json()['platform_code']})"

    def billing_subscribes(self) -> str:
        event = subscription_event(
            account_id=self.seen.account_id, external_id=f"sub_{uuid.uuid4().hex}", now=datetime.now(UTC)
        )
        forged, genuine = self.billing(event, forged=True), self.billing(event)
        if forged.status_code != 401:
            fail("a forged webhook was not refused", forged)
        if not genuine.ok:
            fail("a signed webhook was refused", genuine)
        return f"{genuine.status_code} for the signed webhook, {forged.status_code} for a forged one"

    def platform_is_told(self) -> str:
        mine = self.until(self.subscription_synced, "the platform was not told of the subscription")
        told = [entry for entry in self.journal("subscriptions") if entry["expiryDate"][:19] == mine["expires_at"][:19]]
        if not told:
            fail("the platform's journal does not know the subscription")
        self.seen.platform_user = told[-1]["userId"]
        users = self.journal("users", userId=self.seen.platform_user)
        if len(users) != 1 or self.seen.platform_user == self.seen.account_id:
            fail(f"the platform knows {len(users)} users for this listener")
        period = f"{mine['plan']['code']} until {mine['expires_at'][:10]}"
        return f"user {short(self.seen.platform_user)} · {period}, {mine['status']} and {mine['platform']['state']}"

    def track_is_found(self) -> str:
        track = self.seen.track
        query = f"{track['artist']} {track['title']}"
        page = self.until(lambda: self.hits(query), "search does not find the track")
        found = next(hit for hit in page if hit["id"] == track["id"])
        if not found["playable"]:
            fail(f"the track is not playable: {found['unplayable_reason']}")
        self.seen.track |= {"release": found["release"], "title": found["title"]}
        cover = requests.get(found["image_url"].replace("{size}", "200"), timeout=10)
        if not cover.content.startswith(JPEG):
            fail("the cover is no picture", cover)
        release = found["release"]["title"]
        long = f"{found['duration_seconds']} s long, with its cover"
        return f"“{found['title']}” by {found['artist']['name']}, on “{release}” · {long}"

    def audio_comes_back(self) -> str:
        answer, audio = self.stream(PHONE)
        if answer.headers.get("Cache-Control") != "no-store":
            fail("a stream answer may be cached")
        self.compare(audio)
        digest = hashlib.sha256(audio.content).hexdigest()
        sent = f"{len(audio.content):,} bytes {audio.headers['Content-Type']}, sha256 {digest[:12]}…"
        return f"{answer.status_code}, then {audio.status_code} · {sent} as on the platform's shelf"

    def audio_resumes(self) -> str:
        answer = self.ask_for_stream(PHONE)
        if answer.status_code != 201:
            fail("the same device did not get the stream again", answer)
        part = self.http.get(answer.json()["url"], headers={"Range": "bytes=1000-1999"}, timeout=15)
        if part.status_code != 206 or len(part.content) != 1000:
            fail(f"a range of 1000 bytes came back as {part.status_code} with {len(part.content)}")
        return f"206 · bytes 1000-1999 of {part.headers['Content-Range'].split('/')[-1]}"

    def playlist_plays(self) -> str:
        answer = self.ask_for_stream(PHONE, delivery="hls")
        if answer.status_code != 201:
            fail("no playlist was issued", answer)
        url = answer.json()["url"]
        playlist = self.http.get(url, timeout=15)
        if playlist.status_code == 400 and "1002" in playlist.text:
            return "skipped: these tracks are not MP3, and no encoder is at hand"
        lines = [line for line in playlist.text.splitlines() if line and not line.startswith("#")]
        if playlist.status_code != 200 or not lines:
            fail("the playlist is empty", playlist)
        sizes = [len(self.http.get(urljoin(url, line), timeout=15).content) for line in lines]
        if not all(sizes):
            fail("a segment of the playlist is empty")
        return f"{playlist.headers['Content-Type'].split(';')[0]} · {len(sizes)} segments, {sum(sizes):,} bytes"

    def second_device_takes_over(self) -> str:
        self.stream(TABLET)
        answer = self.ask_for_stream(PHONE)
        if answer.status_code != 409 or answer.json()["code"] != "playing_elsewhere":
            fail("the displaced device was not refused", answer)
        body = answer.json()
        return (
            f"the tablet plays · the phone gets 409 {body['code']} ({body['platform_code']}), "
            f"again in {answer.headers['Retry-After']} s"
        )

    def plays_are_reported(self) -> str:
        now = datetime.now(UTC).replace(microsecond=0)
        self.seen.plays = [  # one after the other, as one listens
            {
                "play_id": str(uuid.uuid4()),
                "track_id": self.seen.track["id"],
                "release_id": self.seen.track["release"]["id"],
                "format_id": MP3_128,
                "played_at": rfc3339(now - timedelta(minutes=1 + number)),
                "seconds_played": 10 + number,
                "mode": mode,
                "user_agent": "Tonearm demo phone 1.0",
            }
            for number, mode in enumerate(["online", "offline", "online-cached"] * 15)
        ]
        bad = self.seen.plays[0] | {"play_id": str(uuid.uuid4()), "played_at": rfc3339(now + timedelta(days=1))}
        verdict = self.post_plays([*self.seen.plays, bad])
        again = self.post_plays(self.seen.plays)
        if (verdict["accepted"], len(verdict["rejected"])) != (len(self.seen.plays), 1):
            fail(f"plays were not taken: {verdict}")
        if (again["accepted"], again["duplicates"]) != (0, len(self.seen.plays)):
            fail(f"plays sent twice were not recognised: {again}")
        return (
            f"{verdict['accepted']} plays in one gzipped body, 1 from the future refused · "
            f"sent again: {again['duplicates']} duplicates"
        )

    def plays_reach_the_platform(self) -> str:
        self.until(self.all_sent, "the plays are not all SENT")
        wanted = sorted((play["played_at"], play["seconds_played"], play["mode"]) for play in self.seen.plays)
        entries = self.journal("plays", trackId=self.seen.track["id"], userAgent="Tonearm demo phone 1.0")
        entries = [entry for entry in entries if entry["userId"] == self.seen.platform_user]
        got = sorted((seconds(e["dateTimePlayed"]), e["totalTimePlayed"], e["playMode"]) for e in entries)
        if got != wanted:
            fail(f"the platform's journal holds {len(got)} plays of {len(wanted)}, or other ones")
        calls = len({entry["call"] for entry in entries})
        return f"{len(got)} plays in {calls} batches, each once in the platform's journal"

    def takedown_is_heard(self) -> str:
        release = self.seen.track["release"]["id"]
        began = time.monotonic()
        self.control("POST", "publish", json={"what": "takedown", "release_id": release})
        self.until(lambda: self.is_down(TABLET), "a taken-down track still streams")
        took = time.monotonic() - began
        self.control("POST", "publish", json={"what": "revive", "release_id": release})
        self.until(lambda: self.ask_for_stream(TABLET).status_code == 201, "a revived track does not stream")
        return f"403 track_unavailable TAKEN_DOWN after {took:.1f} s · and back"

    def track_is_kept(self) -> str:
        wish = {"track_id": self.seen.track["id"], "format_id": MP3_128, "client_id": PHONE}
        registered = self.api("PUT", f"/api/v1/devices/{PHONE}", json={"name": "Ada’s phone"})
        early = self.api("POST", "/api/v1/offline/copies", json=wish)
        if registered.status_code != 201 or early.status_code != 409:
            fail("a device that is not enabled was not refused", early)
        enabled = self.api("PUT", f"/api/v1/devices/{PHONE}/offline", json={"enabled": True})
        copy = self.api("POST", "/api/v1/offline/copies", json=wish)
        if enabled.status_code != 200 or copy.status_code != 201:
            fail("the track cannot be kept", enabled if enabled.status_code != 200 else copy)
        self.compare(self.http.get(copy.json()["url"], timeout=30))
        kept = self.api("GET", "/api/v1/offline/manifest", params={"client_id": PHONE}).json()["copies"]
        if [track["track_id"] for track in kept] != [self.seen.track["id"]]:
            fail(f"the manifest names {len(kept)} tracks")
        if not self.journal("devices", userId=self.seen.platform_user, clientId=PHONE, offlineEnabled=True):
            fail("the platform's journal does not know the device")
        places = f"of {enabled.json()['max_tracks']} tracks"
        return f"409 before, then 1 {places} kept, with a key · leased until {kept[0]['lease_ends_at'][:10]}"

    # --- looks ----------------------------------------------------------------------------------

    def is_playable(self, release: dict[str, Any]) -> bool:
        states = ("taken_down", "pre_release", "download_only")
        return COUNTRY in release["territories"] and not any(release[state] for state in states)

    def track_path(self) -> str:
        return f"/api/v1/catalogue/tracks/{self.seen.track['id']}"

    def ask_for_stream(self, device: str, **more: str) -> requests.Response:
        wish = {"track_id": self.seen.track["id"], "format_id": MP3_128, "client_id": device}
        return self.api("POST", "/api/v1/streams", json=wish | more)

    def stream(self, device: str) -> tuple[requests.Response, requests.Response]:
        """Ask for the stream and fetch its audio."""
        answer = self.ask_for_stream(device)
        if answer.status_code != 201:
            fail("no stream was issued", answer)
        audio = self.http.get(answer.json()["url"], timeout=30)
        if audio.status_code != 200:
            fail("the platform gave no audio", audio)
        return answer, audio

    def compare(self, audio: requests.Response) -> None:
        """The bytes must be those of the file on the platform's shelf."""
        shelf = self.control("GET", f"audio/{self.seen.track['id']}/{MP3_128}")
        digest = hashlib.sha256(audio.content).hexdigest()
        if (len(audio.content), digest) != (shelf["bytes"], shelf["sha256"]):
            fail(f"{len(audio.content)} bytes came back, the shelf has {shelf['bytes']}")

    def subscription_synced(self) -> dict[str, Any] | None:
        answer = self.api("GET", "/api/v1/subscription")
        body: dict[str, Any] = answer.json()
        return body if answer.status_code == 200 and body["platform"]["state"] == "SYNCED" else None

    def hits(self, query: str) -> list[dict[str, Any]] | None:
        answer = self.api("GET", "/api/v1/catalogue/search", params={"q": query, "limit": 50})
        if answer.status_code != 200:
            fail("search failed", answer)
        found: list[dict[str, Any]] = answer.json()["results"]
        return found if any(hit["id"] == self.seen.track["id"] for hit in found) else None

    def post_plays(self, plays: list[dict[str, Any]]) -> dict[str, Any]:
        body = gzip.compress(json.dumps({"plays": plays}).encode())
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        answer = self.api("POST", "/api/v1/plays", data=body, headers=headers)
        if answer.status_code != 200:
            fail("plays were refused", answer)
        verdict: dict[str, Any] = answer.json()
        return verdict

    def all_sent(self) -> bool:
        answer = self.api("GET", "/api/v1/plays", params={"limit": 100})
        states = [play["state"] for play in answer.json()["results"]]
        return len(states) == len(self.seen.plays) and set(states) == {"SENT"}

    def is_down(self, device: str) -> bool:
        answer = self.ask_for_stream(device)
        return answer.status_code == 403 and answer.json().get("reason") == "TAKEN_DOWN"
