"""Google Play with one subscriber, its pushes signed with a key of this machine, and its books open on loopback.

Google tells only that something changed. So a story goes on when somebody has asked what, and the books close
with its end.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import NAMESPACE_URL, uuid5

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.conf import settings
from jwt.algorithms import RSAAlgorithm

from billing.simulators import Signed
from kernel.values import rfc3339

PATIENCE_SECONDS: Final = 30.0
KEY_ID: Final = "simulated"
MONTH: Final = timedelta(days=30)
TRIAL: Final = timedelta(days=14)
GRACE: Final = timedelta(days=7)
HOLD: Final = timedelta(days=30)

RECOVERED, RENEWED, CANCELED, PURCHASED, ON_HOLD, IN_GRACE, RESTARTED = range(1, 8)
PAUSED, REVOKED, EXPIRED = 10, 12, 13

PREMIUM: Final = ("premium", "9", 990_000_000)
BASIC: Final = ("basic", "4", 990_000_000)


# --- proof ---------------------------------------------------------------------------------------------


@cache
def key() -> RSAPrivateKey:
    """The key that stands for Google's and for the service account's."""
    found = load_pem_private_key(json.loads(settings.GOOGLE_SIMULATOR.read_text())["private_key"].encode(), None)
    if not isinstance(found, RSAPrivateKey):
        raise TypeError("the simulated account has no RSA key")
    return found


def push_token(at: datetime, /, **changes: Any) -> str:
    """What proves a push of Pub/Sub, good for an hour."""
    claims = {
        "iss": "https://accounts.google.com",
        "aud": settings.GOOGLE_PUSH_AUDIENCE,
        "azp": "113774264463038321964",
        "sub": "113774264463038321964",
        "email": settings.GOOGLE_PUSH_EMAIL,
        "email_verified": True,
        "iat": int(at.timestamp()),
        "exp": int(at.timestamp()) + 3600,
    } | changes
    token: str = jwt.encode(claims, key(), algorithm="RS256", headers={"kid": KEY_ID})
    return token


# --- the books -------------------------------------------------------------------------------------------


class Books(ThreadingHTTPServer):
    """What Google answers: its keys, an access token for whom it knows, and the state of every purchase."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address, Page)
        self.key_ids, self.access = [KEY_ID], "simulated"
        self.purchases: dict[str, dict[str, Any]] = {}
        self.asked: dict[str, int] = {}
        self.changed = threading.Condition()

    def note_asked(self, token: str) -> None:
        with self.changed:
            self.asked[token] = self.asked.get(token, 0) + 1
            self.changed.notify_all()

    def wait_until_asked(self, token: str, times: int) -> None:
        """Raises TimeoutError when nobody asks."""
        with self.changed:
            if not self.changed.wait_for(lambda: self.asked.get(token, 0) >= times, PATIENCE_SECONDS):
                raise TimeoutError("nobody looked the purchase up; is a worker running?")


class Page(BaseHTTPRequestHandler):
    """One question to the books."""

    server: Books

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/keys":
            public = json.loads(RSAAlgorithm.to_jwk(key().public_key()))
            keys = [public | {"kid": name, "alg": "RS256", "use": "sig"} for name in self.server.key_ids]
            self.server.note_asked(path)
            return self.answer(200, {"keys": keys})
        if self.headers.get("Authorization") != f"Bearer {self.server.access}":
            return self.answer(401, {"error": {"code": 401}})
        package, _, token = path.removeprefix(BOOKS_PATH).partition("/purchases/subscriptionsv2/tokens/")
        purchase = self.server.purchases.get(unquote(token))
        if purchase is None or package != settings.GOOGLE_PACKAGE_NAME:
            return self.answer(404, {"error": {"code": 404}})
        self.server.note_asked(unquote(token))
        return self.answer(200, purchase)

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
        try:
            jwt.decode(
                form["assertion"][0], key().public_key(), algorithms=["RS256"], audience=settings.GOOGLE_TOKEN_URL
            )
        except (KeyError, jwt.PyJWTError):
            return self.answer(400, {"error": "invalid_grant"})
        return self.answer(200, {"access_token": self.server.access, "expires_in": 3599, "token_type": "Bearer"})

    def answer(self, status: int, document: Mapping[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Addresses hold purchase tokens."""


BOOKS_PATH: Final = "/androidpublisher/v3/applications/"


@contextmanager
def books_open() -> Iterator[Books]:
    """The books where settings.GOOGLE_PLAY_URL looks for them."""
    address = urlsplit(settings.GOOGLE_PLAY_URL)
    with Books((address.hostname or "127.0.0.1", address.port or 80)) as books:
        thread = threading.Thread(target=books.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield books
        finally:
            books.shutdown()
            thread.join()


# --- stories ---------------------------------------------------------------------------------------------


class Purchase:
    """A purchase as Google's books have it. `change` gives what a push is made from."""

    def __init__(self, seed: str, account_id: str, at: datetime, plan: tuple[str, str, int] = PREMIUM) -> None:
        self.token = f"sim.{uuid5(NAMESPACE_URL, seed).hex}"
        product, units, nanos = plan
        price = {"currencyCode": "GBP", "units": units, "nanos": nanos}
        self.item: dict[str, Any] = {
            "productId": product,
            "expiryTime": rfc3339(at + MONTH),
            "autoRenewingPlan": {"autoRenewEnabled": True, "recurringPrice": price},
            "offerDetails": {"basePlanId": "monthly"},
            "offerPhase": {"basePrice": {}},
        }
        self.answer: dict[str, Any] = {
            "kind": "androidpublisher#subscriptionPurchaseV2",
            "startTime": rfc3339(at),
            "regionCode": "GB",
            "subscriptionState": "SUBSCRIPTION_STATE_ACTIVE",
            "acknowledgementState": "ACKNOWLEDGEMENT_STATE_ACKNOWLEDGED",
            "externalAccountIdentifiers": {"obfuscatedExternalAccountId": account_id},
            "testPurchase": {},
            "lineItems": [self.item],
        }

    def change(
        self, at: datetime, kind: int, state: str = "ACTIVE", *, until: datetime | None = None, **more: Any
    ) -> Step:
        self.answer |= {"subscriptionState": f"SUBSCRIPTION_STATE_{state}"} | more
        if until is not None:
            self.item["expiryTime"] = rfc3339(until)
        return self, at, kind

    def renewing(self, whether: bool) -> None:
        self.item["autoRenewingPlan"].pop("autoRenewEnabled", None)
        if whether:
            self.item["autoRenewingPlan"]["autoRenewEnabled"] = True


Step = tuple[Purchase, datetime, int]


def subscribe(seed: str, account: str, now: datetime) -> Iterator[Step]:
    yield Purchase(seed, account, now).change(now, PURCHASED)


def trial_to_paid(seed: str, account: str, now: datetime) -> Iterator[Step]:
    bought = Purchase(seed, account, now - TRIAL)
    bought.item["offerPhase"] = {"freeTrial": {}}
    yield bought.change(now - TRIAL, PURCHASED, until=now)
    bought.item["offerPhase"] = {"basePrice": {}}
    yield bought.change(now, RENEWED, until=now + MONTH)


def renew(seed: str, account: str, now: datetime) -> Iterator[Step]:
    bought = Purchase(seed, account, now - MONTH)
    yield bought.change(now - MONTH, PURCHASED)
    yield bought.change(now, RENEWED, until=now + MONTH)


def cancel_at_end(seed: str, account: str, now: datetime) -> Iterator[Step]:
    bought = Purchase(seed, account, now - MONTH / 3)
    yield bought.change(now - MONTH / 3, PURCHASED)
    bought.renewing(False)
    yield bought.change(now, CANCELED, "CANCELED", canceledStateContext={"userInitiatedCancellation": {}})


def cancel_now(seed: str, account: str, now: datetime) -> Iterator[Step]:
    bought = Purchase(seed, account, now - MONTH / 3)
    yield bought.change(now - MONTH / 3, PURCHASED)
    bought.renewing(False)
    yield bought.change(now, REVOKED, "EXPIRED", until=now)


def uncancel(seed: str, account: str, now: datetime) -> Iterator[Step]:
    bought = Purchase(seed, account, now - MONTH / 3)
    yield bought.change(now - MONTH / 3, PURCHASED)
    bought.renewing(False)
    yield bought.change(now - MONTH / 6, CANCELED, "CANCELED", canceledStateContext={"userInitiatedCancellation": {}})
    bought.renewing(True)
    del bought.answer["canceledStateContext"]
    yield bought.change(now, RESTARTED)


def grace_and_recover(seed: str, account: str, now: datetime) -> Iterator[Step]:
    failed = now - GRACE / 2
    bought = Purchase(seed, account, failed - MONTH)
    yield bought.change(failed - MONTH, PURCHASED)
    yield bought.change(failed, IN_GRACE, "IN_GRACE_PERIOD", until=failed + GRACE)
    yield bought.change(now, RENEWED, until=failed + MONTH)


def hold_and_expire(seed: str, account: str, now: datetime) -> Iterator[Step]:
    failed = now - HOLD
    bought = Purchase(seed, account, failed - MONTH)
    yield bought.change(failed - MONTH, PURCHASED)
    yield bought.change(failed, ON_HOLD, "ON_HOLD")
    bought.renewing(False)
    yield bought.change(now, EXPIRED, "EXPIRED")


def pause_and_resume(seed: str, account: str, now: datetime) -> Iterator[Step]:
    paused = now - MONTH
    bought = Purchase(seed, account, paused - MONTH)
    yield bought.change(paused - MONTH, PURCHASED)
    resumes = {"autoResumeTime": rfc3339(now)}
    yield bought.change(paused, PAUSED, "PAUSED", pausedStateContext=resumes)
    del bought.answer["pausedStateContext"]
    yield bought.change(now, RECOVERED, until=now + MONTH)


def moved(seed: str, account: str, now: datetime, old: Any, new: Any) -> Iterator[Step]:
    """From one plan to another: a purchase of its own, and the one before ends for it."""
    before = Purchase(seed, account, now - MONTH / 3, old)
    yield before.change(now - MONTH / 3, PURCHASED)
    after = Purchase(f"{seed} after", account, now, new)
    yield after.change(now, PURCHASED, linkedPurchaseToken=before.token)
    yield before.change(now, EXPIRED, "EXPIRED", until=now, canceledStateContext={"replacementCancellation": {}})


def upgrade(seed: str, account: str, now: datetime) -> Iterator[Step]:
    return moved(seed, account, now, BASIC, PREMIUM)


def downgrade(seed: str, account: str, now: datetime) -> Iterator[Step]:
    return moved(seed, account, now, PREMIUM, BASIC)


def refund(seed: str, account: str, now: datetime) -> Iterator[Step]:
    """A voided purchase, which has no kind."""
    bought = Purchase(seed, account, now - MONTH / 3)
    yield bought.change(now - MONTH / 3, PURCHASED)
    bought.renewing(False)
    yield bought.change(now, 0, "EXPIRED", until=now)


STORIES: Final[dict[str, Callable[[str, str, datetime], Iterator[Step]]]] = {
    story.__name__: story
    for story in (
        subscribe, trial_to_paid, renew, cancel_at_end, cancel_now, uncancel, grace_and_recover, hold_and_expire,
        pause_and_resume, upgrade, downgrade, refund,
    )
}  # fmt: skip
SCENARIOS: Final = tuple(STORIES)


def events(scenario: str, account_id: str, now: datetime) -> Iterator[Signed]:
    """What Pub/Sub would push. Raises LookupError for what Google does not have: transfers."""
    now = now.replace(microsecond=0)
    seed = f"{scenario} {account_id} {now.timestamp()}"
    return pushes(seed, STORIES[scenario](seed, account_id, now))


def pushes(seed: str, story: Iterator[Step]) -> Iterator[Signed]:
    """A push for every step; the next when somebody has asked what the last one was about."""
    with books_open() as books:
        for number, (purchase, at, kind) in enumerate(story, 1):
            books.purchases[purchase.token] = purchase.answer
            asked = books.asked.get(purchase.token, 0)
            yield push(notification(purchase.token, at, kind), message_id=str(uuid5(NAMESPACE_URL, f"{seed} {number}")))
            books.wait_until_asked(purchase.token, asked + 1)


def notification(token: str, at: datetime, kind: int) -> dict[str, Any]:
    """A real-time notification; without a kind that of a voided purchase."""
    about: dict[str, Any] = {"subscriptionNotification": {"version": "1.0", "notificationType": kind}}
    if not kind:
        about = {"voidedPurchaseNotification": {"orderId": "GPA.0000", "productType": 1, "refundType": 1}}
    next(iter(about.values()))["purchaseToken"] = token
    millis = str(int(at.timestamp() * 1000))
    return {"version": "1.0", "packageName": settings.GOOGLE_PACKAGE_NAME, "eventTimeMillis": millis} | about


def push(told: Mapping[str, Any], *, message_id: str) -> Signed:
    """The notification as Pub/Sub pushes it, proved as of now."""
    data = base64.b64encode(json.dumps(told).encode()).decode()
    message = {"data": data, "messageId": message_id, "attributes": {}}
    body = json.dumps({"message": message, "subscription": "projects/simulated/subscriptions/play"}).encode()
    return Signed(body=body, headers=proof())


def proof() -> dict[str, str]:
    return {"Content-Type": "application/json", "Authorization": f"Bearer {push_token(datetime.now(UTC))}"}
