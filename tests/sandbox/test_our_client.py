"""The service's own client, told by nobody how the stand-in works, buys, looks, downloads and takes back."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import requests

from massivemusic import errors
from massivemusic.client import Client
from massivemusic.downloads import purchase_zip_url, release_zip_url, track_url
from massivemusic.locker import LockerTrack, every_page, read_locker
from massivemusic.previews import PreviewReport, log_previews, preview_url
from massivemusic.sales import Delivered, Sale, deliver_item, refund_release, refund_track
from massivemusic.users import create_user
from tests.massivemusic.conftest import a_platform
from tests.sandbox.platform import KEY, SECRET, Partner, Platform


@pytest.fixture(params=["platform", "contrary"])
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    url = request.getfixturevalue(request.param).url
    client = Client(a_platform(url, api_url=f"{url}/1.2", consumer_key=KEY, consumer_secret=SECRET, total_seconds=20))
    yield client
    client.close()


@pytest.fixture
def buyer(client: Client, partner: Partner) -> str:
    user_id = f"our buyer {datetime.now(UTC).timestamp()}"
    create_user(client, user_id=user_id, country="GB")
    return user_id


@pytest.fixture
def release(platform: Platform) -> dict:
    return next(each for each in platform.releases(type="Single") if each["title"] == "Garde la clé")


def sell(client: Client, buyer: str, release: dict, track_id: int | None = None) -> Delivered:
    sale = Sale(
        user_id=buyer,
        release_id=release["id"],
        track_id=track_id,
        country="GB",
        transaction_id="t/1",
        retail_price=Decimal("0.99"),
        currency="GBP",
        email="a@b.example",
        postcode="90210",
    )
    return deliver_item(client, sale)


def test_what_is_sold_is_in_the_locker(client: Client, buyer: str, release: dict) -> None:
    delivered = sell(client, buyer, release)
    (owned,) = every_page(client, user_id=buyer, country="GB", purchase_id=delivered.purchase_id)
    (track,) = owned.tracks
    assert (owned.release_id, owned.title, owned.artist_name) == (release["id"], "Garde la clé", release["artist"])
    assert track == LockerTrack(
        track_id=release["tracks"][0]["id"],
        title="Garde la clé",
        version="",
        artist_name=release["artist"],
        track_number=1,
        isrc=release["tracks"][0]["isrc"],
        duration_seconds=round(release["tracks"][0]["duration_seconds"]),
        remaining_downloads=track.remaining_downloads,
        purchase_id=delivered.purchase_id,
        purchased_at=delivered.purchased_at,
        whole_release=True,
        formats=track.formats,
    )
    assert track.remaining_downloads in (2, 5)
    assert track.formats[0] == 17
    assert delivered.purchased_at is not None
    assert abs(delivered.purchased_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_what_is_owned_is_downloaded(client: Client, buyer: str, release: dict) -> None:
    purchase = sell(client, buyer, release).purchase_id
    track = release["tracks"][0]["id"]
    urls = [
        purchase_zip_url(client, user_id=buyer, purchase_id=purchase, country="GB"),
        release_zip_url(client, user_id=buyer, release_id=release["id"], format_id=17, country="GB"),
    ]
    zips = [requests.get(url, timeout=30) for url in urls]
    assert [len(zipfile.ZipFile(io.BytesIO(answer.content)).namelist()) for answer in zips] == [1, 1]
    sell(client, buyer, release)
    url = track_url(
        client, user_id=buyer, track_id=track, release_id=release["id"], format_id=17, country="GB", error_url=None
    )
    assert requests.get(url, timeout=30).headers["Content-Type"] == "audio/mpeg"
    away = track_url(
        client, user_id=buyer, track_id=1, release_id=release["id"], format_id=17, country="GB",
        error_url="https://tonearm.example/sorry?a=b",
    )  # fmt: skip
    answer = requests.get(away, allow_redirects=False, timeout=30)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("https://tonearm.example/sorry?a=b&errorCode=2002&")


def test_what_is_taken_back_has_left(client: Client, buyer: str, release: dict) -> None:
    track = release["tracks"][0]["id"]
    whole, single = (sell(client, buyer, release, track_id).purchase_id for track_id in (None, track))
    refund_release(client, purchase_id=whole, release_id=release["id"], country="GB")
    with pytest.raises(errors.NotFound):
        refund_release(client, purchase_id=whole, release_id=release["id"], country="GB")
    with pytest.raises(errors.NotFound):
        read_locker(client, user_id=buyer, country="GB", purchase_id=whole)
    refund_track(client, purchase_id=single, track_id=track, country="GB")
    assert read_locker(client, user_id=buyer, country="GB").releases == ()


def test_a_lost_answer_is_a_doubt_that_the_locker_settles(
    platform: Platform, client: Client, partner: Partner, buyer: str, release: dict
) -> None:
    platform.order("lost_answer", "/1.2/user/deliveritem")
    with pytest.raises(errors.AnswerLost) as caught:
        sell(client, buyer, release)
    assert caught.value.in_doubt
    (owned,) = read_locker(client, user_id=buyer, country="GB", release_id=release["id"]).releases
    (line,) = platform.journal("sales", userId=buyer)
    assert [track.purchase_id for track in owned.tracks] == [line["purchaseId"]]


def test_previews_are_played_and_reported(client: Client, buyer: str, track: int) -> None:
    assert requests.get(preview_url(client, track_id=track, country="GB"), timeout=30).status_code == 200
    preview = PreviewReport(
        user_id=buyer,
        country="IE",
        track_id=track,
        mode="online",
        played_at=datetime.now(UTC) - timedelta(minutes=1),
        seconds_played=12,
        user_agent="Pixel 9",
    )
    assert log_previews(client, country="GB", previews=[preview] * 3) == 3
