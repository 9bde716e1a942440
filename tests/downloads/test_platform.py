"""From the payment to the file and back, with the platform's stand-in: its journal has the last word."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import requests
from django.utils import timezone

from accounts.models import Listener
from downloads.models import LockerTrack, Purchase, Refund
from downloads.refreshing import refresh_locker
from massivemusic.sales import Sale, deliver_item
from outbox.delivery import deliver_message
from outbox.models import Circuit, Message
from outbox.platform import platform
from tests.downloads import shop
from tests.helpers import Api
from tests.sandbox.platform import Platform

pytestmark = pytest.mark.django_db
State = Purchase.State
DELIVER = "/1.2/user/deliveritem"


@pytest.fixture
def album(sandbox: Platform) -> dict[str, Any]:
    """A release of the sandbox's that is on our shelves too."""
    published: dict[str, Any] = sandbox.release()
    shop.stock(published["id"], tracks=[track["id"] for track in published["tracks"]], title=published["title"])
    return published


def journal(sandbox: Platform, kind: str) -> list[dict[str, Any]]:
    return [entry for entry in sandbox.journal(kind) if entry["kind"] == kind]


def paid(listener: Listener, album: dict[str, Any], **changes: Any) -> Purchase:
    return shop.paid(listener, **{"release_id": album["id"]} | changes)


def again(purchase: Purchase) -> Purchase:
    purchase.refresh_from_db()
    return purchase


def look_again() -> None:
    """Time goes by: whatever waits is due, and carried once."""
    Circuit.objects.all().delete()
    Message.objects.filter(state="WAITING").update(due_at=timezone.now() - timedelta(seconds=1))
    for pk in Message.objects.claimable().order_by("pk").values_list("pk", flat=True):
        deliver_message(message_id=pk)


def test_a_sale_is_logged_once_with_its_words(sandbox: Platform, listener: Listener, album: dict[str, Any]) -> None:
    purchase = paid(listener, album)
    shop.carry("purchase.deliver")

    (sale,) = journal(sandbox, "sales")
    assert (sale["userId"], sale["transactionId"]) == (listener.platform_id, "T-1")
    assert (sale["releaseId"], str(sale["retailPrice"]), sale["currency"]) == (album["id"], "7.99", "GBP")
    assert (again(purchase).state, purchase.platform_id) == (State.CONFIRMED, sale["purchaseId"])


def test_a_track_is_sold_with_its_release(sandbox: Platform, listener: Listener, album: dict[str, Any]) -> None:
    track = album["tracks"][1]["id"]
    paid(listener, album, track_id=track, retail_price="0")
    shop.carry("purchase.deliver")

    (sale,) = journal(sandbox, "sales")
    assert (sale["trackId"], float(sale["retailPrice"])) == (track, 0)


@pytest.mark.parametrize("whole", [True, False], ids=["release", "track"])
def test_a_lost_answer_is_found_in_the_locker(
    sandbox: Platform, listener: Listener, album: dict[str, Any], whole: bool
) -> None:
    purchase = paid(listener, album, track_id=None if whole else album["tracks"][0]["id"])
    sandbox.order("lost_answer", DELIVER)
    assert shop.carry("purchase.deliver") == "IN_DOUBT"
    assert again(purchase).state == State.UNKNOWN

    look_again()

    (sale,) = journal(sandbox, "sales")
    assert (again(purchase).state, purchase.platform_id) == (State.CONFIRMED, sale["purchaseId"])


def test_what_was_never_sold_stays_unknown_until_somebody_knows(
    sandbox: Platform, listener: Listener, album: dict[str, Any]
) -> None:
    purchase = paid(listener, album)
    sandbox.order("error_500", DELIVER)
    shop.carry("purchase.deliver")
    for _ in range(6):
        look_again()

    assert again(purchase).state == State.UNKNOWN
    assert purchase.looked_at is not None
    assert journal(sandbox, "sales") == []
    assert not Message.objects.filter(topic="purchase.look", state="WAITING").exists()


def test_of_two_that_could_be_it_nobody_guesses(sandbox: Platform, listener: Listener, album: dict[str, Any]) -> None:
    purchases = [paid(listener, album, transaction_id=f"T-{number}") for number in range(2)]
    for _ in purchases:
        sandbox.order("lost_answer", DELIVER)
        shop.carry("purchase.deliver")
    look_again()

    assert {again(purchase).state for purchase in purchases} == {State.UNKNOWN}
    assert len(journal(sandbox, "sales")) == 2


def test_what_was_given_back_meanwhile_is_taken_back_there(
    sandbox: Platform, listener: Listener, album: dict[str, Any]
) -> None:
    purchase = paid(listener, album)
    sandbox.order("lost_answer", DELIVER)
    shop.carry("purchase.deliver")
    shop.given_back(purchase)
    assert again(purchase).refund.state == Refund.State.WAITING
    for _ in range(3):
        look_again()

    assert again(purchase).state == State.REFUNDED
    (sale,), (refund,) = journal(sandbox, "sales"), journal(sandbox, "refunds")
    assert refund["purchaseId"] == sale["purchaseId"]


@pytest.mark.parametrize("lost", [False, True], ids=["told", "answer lost"])
def test_a_refund_is_logged_once(sandbox: Platform, listener: Listener, album: dict[str, Any], lost: bool) -> None:
    purchase = paid(listener, album)
    shop.carry("purchase.deliver")
    refund_path = f"/1.2/user/purchase/{again(purchase).platform_id}/release/{album['id']}"
    if lost:
        sandbox.order("lost_answer", refund_path)
    shop.given_back(purchase)
    shop.carry("purchase.refund")
    look_again()

    assert again(purchase).state == State.REFUNDED
    assert len(journal(sandbox, "refunds")) == 1
    assert not LockerTrack.objects.exists()


class TestTheLocker:
    def test_follows_the_platforms(self, sandbox: Platform, listener: Listener, album: dict[str, Any]) -> None:
        paid(listener, album)
        shop.carry("purchase.deliver")

        refreshed = refresh_locker(platform(), listener)

        assert (refreshed.tracks, refreshed.only_there, refreshed.only_here) == (len(album["tracks"]), 0, 0)
        assert refresh_locker(platform(), listener) == refreshed
        held = LockerTrack.objects.all()
        assert all(track.there and track.formats and track.purchase_id for track in held)
        assert {track.remaining_downloads is not None for track in held} == {True}

    def test_shows_what_was_bought_elsewhere(
        self, sandbox: Platform, listener: Listener, album: dict[str, Any], api: Callable[[Listener], Api]
    ) -> None:
        shop.carry("listener.create")
        deliver_item(
            platform(),
            Sale(
                user_id=listener.platform_id, release_id=album["id"], track_id=None, country="GB",
                transaction_id="of another time", retail_price=shop.PRICE, currency="GBP",
            ),
        )  # fmt: skip

        assert refresh_locker(platform(), listener).only_there == len(album["tracks"])

        shown = json.loads(api(listener).get("locker").content)["results"][0]
        assert {track["purchase_id"] for track in shown["tracks"]} == {None}

    def test_keeps_what_the_platform_does_not_have(
        self, sandbox: Platform, listener: Listener, album: dict[str, Any]
    ) -> None:
        shop.carry("listener.create")
        Listener.objects.update(on_platform_since=timezone.now())
        shop.sold(listener, release_id=album["id"], ago=timedelta(minutes=5))

        refreshed = refresh_locker(platform(), listener)

        assert (refreshed.tracks, refreshed.only_here) == (0, len(album["tracks"]))

    def test_settles_what_nobody_knew(self, sandbox: Platform, listener: Listener, album: dict[str, Any]) -> None:
        purchase = paid(listener, album)
        sandbox.order("lost_answer", DELIVER)
        shop.carry("purchase.deliver")

        assert refresh_locker(platform(), listener).settled == 1
        assert again(purchase).state == State.CONFIRMED

    def test_puts_nothing_back_that_was_taken_back(
        self, sandbox: Platform, listener: Listener, album: dict[str, Any]
    ) -> None:
        purchase = paid(listener, album)
        shop.carry("purchase.deliver")
        Purchase.objects.filter(pk=purchase.pk).update(state=State.REFUNDED)
        LockerTrack.objects.all().delete()

        assert refresh_locker(platform(), listener).tracks == 0


class TestFetching:
    @pytest.fixture
    def phone(
        self, sandbox: Platform, listener: Listener, album: dict[str, Any], api: Callable[[Listener], Api]
    ) -> Api:
        paid(listener, album)
        shop.carry("purchase.deliver")
        return api(listener)

    def fetched(self, phone: Api, wish: dict[str, Any]) -> requests.Response:
        issued = json.loads(phone.post("downloads", wish).content)
        return requests.get(issued["url"], timeout=30)

    def test_a_purchase_arrives_as_a_zip(self, phone: Api, album: dict[str, Any]) -> None:
        answer = self.fetched(phone, {"purchase_id": str(Purchase.objects.get().pk)})

        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/zip")
        assert int(answer.headers["Content-Length"]) == len(answer.content)
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            assert archive.testzip() is None
            assert len(archive.namelist()) == len(album["tracks"])

    def test_a_track_arrives_in_pieces(self, phone: Api, album: dict[str, Any]) -> None:
        wish = {"release_id": album["id"], "track_id": album["tracks"][0]["id"], "format_id": 17}
        url = json.loads(phone.post("downloads", wish).content)["url"]

        answer = requests.get(url, headers={"Range": "bytes=0-99"}, timeout=30)

        assert (answer.status_code, len(answer.content)) == (206, 100)


def test_formats_are_known_soon_after_the_sale_and_downloads_are_counted(
    sandbox: Platform, listener: Listener, album: dict[str, Any], api: Callable[[Listener], Api]
) -> None:
    paid(listener, album)
    shop.carry("purchase.deliver")
    shop.carry("locker.read")
    track = LockerTrack.objects.get(track_id=album["tracks"][0]["id"])
    before = track.remaining_downloads
    assert track.formats
    assert before is not None

    wish = {"release_id": album["id"], "track_id": track.track_id, "format_id": 17}
    urls = [json.loads(api(listener).post("downloads", wish).content)["url"] for _ in range(2)]
    requests.get(urls[0], timeout=30)
    assert Message.objects.filter(topic="locker.read", state="WAITING", due_at__gt=timezone.now()).count() == 1
    shop.carry("locker.read")

    track.refresh_from_db()
    assert track.remaining_downloads == before - 1
