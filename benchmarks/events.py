"""The platform's events from door to shelf: a minute of many, and how soon a takedown is felt everywhere."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import jwt
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from benchmarks import load, mirror, stand
from benchmarks.report import table, target

RATE, SECONDS, CONNECTIONS = 400, 60, 32
SMALLEST, LARGEST = 1_000, 8_000  # bytes
TAKEDOWNS: Final = 10
PATH: Final = "/webhooks/catalogue/standard"
GONE_WITHIN: Final = 30.0


class Platform:
    """Signs events with a key of its own, which the door knows."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        file = Path(os.environ["VAR_DIR"]) / "bench-platform.pem"
        file.write_bytes(self.key.public_key().public_bytes(serialization.Encoding.PEM, form))
        os.environ["CATALOGUE_EVENT_PUBLIC_KEYS"] = str(file)

    def token(self) -> str:
        now = int(time.time())
        return jwt.encode({"iat": now, "exp": now + 300, "jti": random.randbytes(8).hex()}, self.key, algorithm="RS256")


def measure(words: Sequence[str], tokens: Sequence[str], first: int) -> bool:
    """Both figures. `first` is a number behind all releases there are."""
    platform = Platform()
    with stand.server() as (port, _), stand.worker():
        return all(
            [flood(port, platform, words, first), takedowns(port, platform, tokens[0], first + 3 * RATE * SECONDS)]
        )


def flood(port: int, platform: Platform, words: Sequence[str], first: int) -> bool:
    """Bodies of one release each, 400 a second for a minute, while the worker applies them."""
    from catalogue.models import CatalogueEvent, Release

    numbers = range(first, first + 2 * RATE * SECONDS, 2)  # every second one: some have more than ten tracks
    bodies = [body(number, words) for number in numbers]
    messages = [load.request("POST", PATH, token=platform.token(), body=each) for each in bodies]
    before = CatalogueEvent.objects.count()
    result = load.paced(port, messages, connections=CONNECTIONS, rate=RATE)
    ended = time.perf_counter()
    waited = wait_until(lambda: not CatalogueEvent.objects.filter(state="WAITING").exists())
    kept = CatalogueEvent.objects.count() - before
    applied = Release.objects.filter(pk__in=numbers).count()
    sizes = sorted(map(len, bodies))
    rows = [
        [
            f"{len(bodies):,} bodies of {sizes[0]:,} to {sizes[-1]:,} bytes, {RATE} a second",
            f"{len(bodies) / result.seconds:,.0f}",
            *(f"{result.percentile(share) * 1000:.1f}" for share in (0.5, 0.99)),
            f"{waited - ended:.1f}",
        ]
    ]
    table("the door, with the worker running", ["", "/s", "p50 ms", "p99 ms", "applied after s"], rows)
    answered = sum(count for status, count in result.statuses.items() if 200 <= status < 300)
    return all(
        [
            target("answered 2xx", answered, len(bodies)),
            target("kept", kept, len(bodies)),
            target("on the shelves", applied, len(bodies)),
            target("p99", result.percentile(0.99), 1, at_most=True, unit=" s"),
        ]
    )


def body(number: int, words: Sequence[str]) -> bytes:
    """One release of so many tracks that the body has 1 to 8 kB."""
    from tests.helpers import offer

    tracks = random.randint(2, 16)
    content = json.dumps([mirror.release(number, 1, words, [offer(["GB"])], tracks)], separators=(",", ":")).encode()
    assert SMALLEST <= len(content) <= LARGEST, len(content)
    return content


def takedowns(port: int, platform: Platform, token: str, first: int) -> bool:
    """Seconds from a release's arrival until it is found, and from its takedown's until it is gone everywhere."""
    from tests.helpers import offer, release_event, track_member

    at = f"http://127.0.0.1:{port}"
    listener = {"Authorization": f"Bearer {token}"}
    found, gone = [], []
    with requests.Session() as session:

        def bring(*members: Any) -> float:
            headers = {"Authorization": f"Bearer {platform.token()}"}
            assert session.post(f"{at}{PATH}", json=members, headers=headers).status_code == 202
            return time.perf_counter()

        for number in range(first, first + TAKEDOWNS):
            track, title = number * mirror.TRACKS, f"farewell{number}"
            senses = everywhere(session, f"{at}/api/v1", listener, number, track, title)
            tracks = [track_member(track, title=title, offers=[offer(["GB"])])]
            began = bring(release_event(number, tracks=tracks))
            found.append(wait_until(lambda senses=senses: not any(gone() for gone in senses)) - began)  # type: ignore[misc]
            began = bring({"id": number, "version": 9, "takedown": True})
            gone.append(wait_until(lambda senses=senses: all(gone() for gone in senses)) - began)  # type: ignore[misc]
    print(f"    {TAKEDOWNS} releases, each found after {min(found):.2f} to {max(found):.2f} s")
    print(f"    and taken down, which was felt everywhere after {min(gone):.2f} to {max(gone):.2f} s")
    print()
    return target("from a takedown's arrival to gone everywhere, the slowest", max(gone), 5, at_most=True, unit=" s")


def everywhere(
    session: requests.Session, api: str, headers: Any, release: int, track: int, words: str
) -> list[Callable[[], bool]]:
    """Questions whether the release is gone: from search, from reads, and from streams."""
    query = {"q": words, "limit": 100}
    wish = {"track_id": track, "format_id": 26, "client_id": "bench"}

    def get(path: str, **params: Any) -> requests.Response:
        return session.get(f"{api}/catalogue/{path}", headers=headers, params=params)

    return [
        lambda: track not in [hit["id"] for hit in get("search", **query).json()["results"]],
        lambda: get(f"releases/{release}").status_code == 404,
        lambda: get(f"tracks/{track}").json().get("unplayable_reason", "unknown") is not None,
        lambda: refused(session.post(f"{api}/streams", json=wish, headers=headers)),
    ]


def refused(answer: requests.Response) -> bool:
    """Whether a stream was refused rather than granted."""
    assert answer.status_code in {201, 403, 404}, answer.text
    return answer.status_code != 201


def wait_until(done: Callable[[], bool], *, seconds: float = GONE_WITHIN) -> float:
    """The time at which it was so. Raises TimeoutError when it is not so for long."""
    end = time.perf_counter() + seconds
    while not done():
        if time.perf_counter() > end:
            raise TimeoutError("waited in vain")
        time.sleep(0.01)
    return time.perf_counter()
