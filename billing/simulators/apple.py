"""The App Store with one subscriber, signing with the certificates of this machine."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from django.conf import settings

from billing.simulators import Signed

MONTH: Final = timedelta(days=30)
TRIAL: Final = timedelta(days=14)
GRACE: Final = timedelta(days=16)
RETRIES: Final = timedelta(days=60)

PREMIUM: Final[dict[str, Any]] = {"productId": "premium.monthly", "price": 9990}
BASIC: Final[dict[str, Any]] = {"productId": "basic.monthly", "price": 4990}

ACTIVE, EXPIRED, BILLING_RETRY, GRACE_PERIOD, REVOKED = 1, 2, 3, 4, 5


def sign(payload: dict[str, Any]) -> str:
    """The payload as a JWS of the simulated App Store."""
    pem, chain = signer()
    token: str = jwt.encode(payload, pem, algorithm="ES256", headers={"x5c": list(chain)})
    return token


@cache
def signer() -> tuple[Any, tuple[str, ...]]:
    """The key that signs, and its chain of certificates as a JWS header has it."""
    pem = settings.APPLE_SIMULATOR.read_bytes()
    chain = (one.public_bytes(Encoding.DER) for one in x509.load_pem_x509_certificates(pem))
    return load_pem_private_key(pem, password=None), tuple(base64.b64encode(one).decode() for one in chain)


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


class Store:
    """One subscription, bought at `first`; the same story always has the same ids."""

    def __init__(self, story: str, account_id: str, first: datetime, plan: dict[str, Any] = PREMIUM) -> None:
        self.seed, self.told, self.bought = f"{story} {account_id} {milliseconds(first)}", 0, 0
        number = uuid5(NAMESPACE_URL, self.seed).int % 10**14
        self.common = {"originalTransactionId": f"2{number:014}", "environment": "Sandbox"}
        self.transaction: dict[str, Any] = {
            "originalPurchaseDate": milliseconds(first),
            "bundleId": settings.APPLE_BUNDLE_ID,
            "type": "Auto-Renewable Subscription",
            "inAppOwnershipType": "PURCHASED",
            "subscriptionGroupIdentifier": "21000001",
            "appAccountToken": account_id,
            "quantity": 1,
            "storefront": "GBR",
            "storefrontId": "143444",
            "currency": "GBP",
        }
        self.renewal: dict[str, Any] = {"autoRenewStatus": 1, "recentSubscriptionStartDate": milliseconds(first)}
        self.buy(first, **plan)

    def buy(self, at: datetime, *, lasts: timedelta = MONTH, **changes: Any) -> None:
        """Another period, from `at`."""
        self.bought += 1
        dates = {"purchaseDate": milliseconds(at), "expiresDate": milliseconds(at + lasts)}
        self.transaction |= changes | dates | {"transactionId": f"{self.common['originalTransactionId']}{self.bought}"}
        self.transaction["transactionReason"] = "PURCHASE" if self.bought == 1 else "RENEWAL"
        product = self.transaction["productId"]
        self.renewal |= {"productId": product, "autoRenewProductId": product, "renewalDate": dates["expiresDate"]}

    def tell(self, at: datetime, kind: str, subtype: str = "", *, status: int = ACTIVE) -> Signed:
        """The notification of what has just happened."""
        self.told += 1
        signed = self.common | {"signedDate": milliseconds(at)}
        data = {
            "appAppleId": settings.APPLE_APP_ID,
            "bundleId": settings.APPLE_BUNDLE_ID,
            "bundleVersion": "1.0",
            "environment": "Sandbox",
            "status": status,
            "signedTransactionInfo": sign(self.transaction | signed),
            "signedRenewalInfo": sign(self.renewal | signed),
        }
        head = {
            "notificationType": kind,
            "notificationUUID": str(uuid5(NAMESPACE_URL, f"{self.seed} {self.told}")),
            "version": "2.0",
            "signedDate": milliseconds(at),
            "data": data,
        } | ({"subtype": subtype} if subtype else {})
        body = json.dumps({"signedPayload": sign(head)}).encode()
        return Signed(body=body, headers={"Content-Type": "application/json"})


Story = Callable[[str, str, datetime], Iterator[Signed]]


def opened(story: str, account_id: str, first: datetime) -> tuple[Store, Signed]:
    """A store and the first purchase."""
    store = Store(story, account_id, first)
    return store, store.tell(first, "SUBSCRIBED", "INITIAL_BUY")


def subscribe(story: str, account_id: str, now: datetime) -> Iterator[Signed]:
    yield opened(story, account_id, now)[1]


def trial_to_paid(story: str, account_id: str, now: datetime) -> Iterator[Signed]:
    store = Store(story, account_id, now - TRIAL)
    paid = store.transaction["price"]
    offer = {"offerType": 1, "offerDiscountType": "FREE_TRIAL", "offerPeriod": "P2W"}
    store.transaction |= offer | {"price": 0, "expiresDate": milliseconds(now)}
    yield store.tell(now - TRIAL, "SUBSCRIBED", "INITIAL_BUY")
    for member in offer:
        del store.transaction[member]
    store.buy(now, price=paid)
    yield store.tell(now, "DID_RENEW")


def renew(story: str, account_id: str, now: datetime) -> Iterator[Signed]:
    store, first = opened(story, account_id, now - MONTH)
    yield first
    store.buy(now)
    yield store.tell(now, "DID_RENEW")


def cancel_at_end(story: str, account_id: str, now: datetime) -> Iterator[Signed]:
    store, first = opened(story, account_id, now - MONTH / 3)
    yield first
    store.renewal["autoRenewStatus"] = 0
    yield store.tell(now, "DID_CHANGE_RENEWAL_STATUS", "AUTO_RENEW_DISABLED")


def cancel_now(story: str, account_id: str, now: datetime) -> Iterator[Signed]:
    """Nobody cancels at once in the App Store, but a family's organiser may stop sharing."""
    store, first = opened(story, account_id, now - MONTH / 3)
    yield first
    store.renewal["autoRenewStatus"] = 0
    store.transaction |= {"revocationDate": milliseconds(now), "revocationType": "FAMILY_REVOKE"}
    yield store.tell(now, "REVOKE", status=REVOKED)


def uncancel(story: str, account_id: str, now: datetime) -> Iterator[Signed]:
    store, first = opened(story, account_id, now - MONTH / 3)
    yield first
    store.renewal["autoRenewStatus"] = 0
    yield store.tell(now - MONTH / 6, "DID_CHANGE_RENEWAL_STATUS", "AUTO_RENEW_DISABLED")
    store.renewal["autoRenewStatus"] = 1
    yield store.tell(now, "DID_CHANGE_RENEWAL_STATUS", "AUTO_RENEW_ENABLED")


def grace_and_recover(story: str, account_id: str, now: datetime) -> Iterator[Signed]:
    failed = now - GRACE / 4
    store, first = opened(story, account_id, failed - MONTH)
    yield first
    store.renewal |= {"isInBillingRetryPeriod": True, "gracePeriodExpiresDate": milliseconds(failed + GRACE)}
    yield store.tell(failed, "DID_FAIL_TO_RENEW", "GRACE_PERIOD", status=GRACE_PERIOD)
    del store.renewal["isInBillingRetryPeriod"], store.renewal["gracePeriodExpiresDate"]
    store.buy(now)
    yield store.tell(now, "DID_RENEW", "BILLING_RECOVERY")


def hold_and_expire(story: str, account_id: str, now: datetime) -> Iterator[Signed]:
    failed = now - RETRIES
    store, first = opened(story, account_id, failed - MONTH)
    yield first
    store.renewal["isInBillingRetryPeriod"] = True
    yield store.tell(failed, "DID_FAIL_TO_RENEW", status=BILLING_RETRY)
    store.renewal |= {"isInBillingRetryPeriod": False, "autoRenewStatus": 0, "expirationIntent": 2}
    yield store.tell(now, "EXPIRED", "BILLING_RETRY", status=EXPIRED)


def upgrade(story: str, account_id: str, now: datetime) -> Iterator[Signed]:
    store = Store(story, account_id, now - MONTH / 3, BASIC)
    yield store.tell(now - MONTH / 3, "SUBSCRIBED", "INITIAL_BUY")
    store.buy(now, **PREMIUM)
    yield store.tell(now, "DID_CHANGE_RENEWAL_PREF", "UPGRADE")


def downgrade(story: str, account_id: str, now: datetime) -> Iterator[Signed]:
    store, first = opened(story, account_id, now - MONTH)
    yield first
    store.renewal["autoRenewProductId"] = BASIC["productId"]
    yield store.tell(now - MONTH / 3, "DID_CHANGE_RENEWAL_PREF", "DOWNGRADE")
    store.buy(now, **BASIC)
    yield store.tell(now, "DID_RENEW")


def refund(story: str, account_id: str, now: datetime) -> Iterator[Signed]:
    store, first = opened(story, account_id, now - MONTH / 3)
    yield first
    store.renewal["autoRenewStatus"] = 0
    store.transaction |= {"revocationDate": milliseconds(now), "revocationReason": 0, "revocationType": "REFUND_FULL"}
    yield store.tell(now, "REFUND", status=REVOKED)


STORIES: Final[dict[str, Story]] = {
    story.__name__: story
    for story in (
        subscribe, trial_to_paid, renew, cancel_at_end, cancel_now, uncancel, grace_and_recover, hold_and_expire,
        upgrade, downgrade, refund,
    )
}  # fmt: skip
SCENARIOS: Final = tuple(STORIES)


def events(scenario: str, account_id: str, now: datetime) -> Iterator[Signed]:
    """What the App Store would send. Raises LookupError for what it does not have: pauses and transfers."""
    return STORIES[scenario](scenario, account_id, now.replace(microsecond=0))
