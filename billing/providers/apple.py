"""App Store Server Notifications V2: signed by Apple, with the transaction and its renewal signed inside.

Every JWS carries its chain of certificates, which must end in a root of ours. What the App Store says of
the subscription (`data.status`) is the truth as of `signedDate`; the kind of notification only where it is silent.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from appstoreserverlibrary.models.AutoRenewStatus import AutoRenewStatus
from appstoreserverlibrary.models.Environment import Environment
from appstoreserverlibrary.models.JWSRenewalInfoDecodedPayload import JWSRenewalInfoDecodedPayload
from appstoreserverlibrary.models.JWSTransactionDecodedPayload import JWSTransactionDecodedPayload
from appstoreserverlibrary.models.NotificationTypeV2 import NotificationTypeV2 as Told
from appstoreserverlibrary.models.OfferDiscountType import OfferDiscountType
from appstoreserverlibrary.models.ResponseBodyV2DecodedPayload import ResponseBodyV2DecodedPayload
from appstoreserverlibrary.models.Status import Status
from appstoreserverlibrary.models.Subtype import Subtype
from appstoreserverlibrary.models.Type import Type
from appstoreserverlibrary.signed_data_verifier import SignedDataVerifier, VerificationException, VerificationStatus
from cattrs import BaseValidationError
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from billing.actions import Letter
from billing.models import BillingEvent
from billing.providers.standard import AHEAD, Forged
from billing.providers.storefronts import COUNTRIES
from kernel.errors import Kind, Refusal
from kernel.money import minor_units
from kernel.values import MILLISECOND, is_currency, rfc3339, unix_instant
from web.bodies import NotJSON, parse_json

PROVIDER: Final = "apple"

# The kinds of notification that tell of a right; the others are kept and left alone.
TELLING: Final = frozenset(
    {
        Told.SUBSCRIBED, Told.DID_RENEW, Told.DID_CHANGE_RENEWAL_STATUS, Told.DID_CHANGE_RENEWAL_PREF,
        Told.DID_FAIL_TO_RENEW, Told.GRACE_PERIOD_EXPIRED, Told.EXPIRED, Told.REFUND, Told.REFUND_REVERSED,
        Told.REVOKE, Told.OFFER_REDEEMED, Told.PRICE_INCREASE, Told.RENEWAL_EXTENDED,
    }
)  # fmt: skip
# What they say of the subscription where the App Store does not say it itself; "active" goes without saying.
IMPLIED: Final = {
    Told.DID_FAIL_TO_RENEW: Status.BILLING_RETRY,
    Told.GRACE_PERIOD_EXPIRED: Status.BILLING_RETRY,
    Told.EXPIRED: Status.EXPIRED,
    Told.REFUND: Status.REVOKED,
    Told.REVOKE: Status.REVOKED,
}
WORDS: Final = {
    Status.ACTIVE: "active",
    Status.EXPIRED: "expired",
    Status.BILLING_RETRY: "on_hold",
    Status.BILLING_GRACE_PERIOD: "past_due",
    Status.REVOKED: "refunded",
}
NAME: Final = re.compile(r"\A[!-~]{1,200}\Z")


class Unreachable(Refusal):
    """Apple could not be asked whether its certificates were revoked; the event may come again."""

    code, kind = "unavailable", Kind.UNAVAILABLE


class Garbled(ValueError):
    """Apple signed it, but its members are not what they ought to be."""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A proven notification and what it carries; a summary or a test carries nothing."""

    head: ResponseBodyV2DecodedPayload
    transaction: JWSTransactionDecodedPayload | None
    renewal: JWSRenewalInfoDecodedPayload | None


def prove(*, body: bytes, verifiers: Iterable[SignedDataVerifier]) -> Notice:
    """The notification, once one of `verifiers` vouches for it and for all that is signed inside.

    Raises Forged, Unreachable, and Garbled when its shape is not Apple's.
    """
    try:
        document = parse_json(body)
    except NotJSON:
        raise Forged("the event is not JSON") from None
    payload = document.get("signedPayload") if isinstance(document, dict) else None
    if not isinstance(payload, str):
        raise Forged("the event has no signedPayload")
    for verifier in verifiers:
        try:
            return opened(payload, verifier)
        except VerificationException as error:
            if error.status is VerificationStatus.RETRYABLE_VERIFICATION_FAILURE:
                raise Unreachable("Apple does not say whether its certificates still hold") from None
        except BaseValidationError as error:
            raise Garbled(f"not the shape of a notification: {type(error.exceptions[0]).__name__}") from None
    raise Forged("no App Store certificate vouches for the event")


def opened(payload: str, verifier: SignedDataVerifier) -> Notice:
    """The notification and what is signed inside. Raises the library's errors."""
    head = verifier.verify_and_decode_notification(payload)
    transaction = head.data.signedTransactionInfo if head.data else None
    renewal = head.data.signedRenewalInfo if head.data else None
    return Notice(
        head=head,
        transaction=verifier.verify_and_decode_signed_transaction(transaction) if transaction else None,
        renewal=verifier.verify_and_decode_renewal_info(renewal) if renewal else None,
    )


@cache
def verifiers(
    *, roots: tuple[str, ...], bundle_id: str, app_id: int | None, online: bool
) -> Sequence[SignedDataVerifier]:
    """Who vouches for events of our app: one for the App Store, where its id is known, and one for its sandbox.

    `roots` are files with a certificate each, PEM or DER. `online` asks Apple whether the others were revoked.
    """
    known = [certificate_in(Path(root)) for root in roots]
    ids = {Environment.PRODUCTION: app_id, Environment.SANDBOX: None}
    return [
        SignedDataVerifier(known, online, environment, bundle_id, id_)
        for environment, id_ in ids.items()
        if id_ is not None or environment is Environment.SANDBOX
    ]


def certificate_in(path: Path) -> bytes:
    """The last certificate of a file, in DER. Raises ValueError naming the file."""
    try:
        text = path.read_bytes()
        is_pem = b"-----BEGIN" in text
        found = x509.load_pem_x509_certificates(text)[-1] if is_pem else x509.load_der_x509_certificate(text)
    except (OSError, ValueError) as problem:
        raise ValueError(f"{path}: no certificate ({type(problem).__name__})") from None
    return found.public_bytes(Encoding.DER)


def name_of(body: bytes) -> str:
    """An event id for what brought none that can be read."""
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def read(*, body: bytes, notice: Notice, now: datetime, tests_count: bool) -> Letter:
    """The proven notification as a letter; what cannot be understood becomes one in the state REFUSED.

    A test purchase is kept apart unless `tests_count`.
    """
    head, transaction = notice.head, notice.transaction
    event_id = head.notificationUUID or ""
    try:
        name(event_id, "notificationUUID")
        occurred_at = instant(head.signedDate, "signedDate")
        if occurred_at > now + AHEAD:
            raise Garbled("signedDate lies in the future")
        if transaction is None or is_silent(notice, transaction):
            kind = (head.rawNotificationType or "")[:128]
            return Letter(
                provider=PROVIDER, event_id=event_id, body=body, type=kind, occurred_at=occurred_at, data={},
                state=BillingEvent.State.IGNORED,
            )  # fmt: skip
        data = snapshot(notice, transaction)
    except Garbled as error:
        return refused(body, event_id if NAME.match(event_id) else name_of(body), str(error))
    apart = transaction.environment is Environment.SANDBOX and not tests_count
    return Letter(
        provider=PROVIDER,
        event_id=event_id,
        body=body,
        type="subscription.updated",
        subject=data["external_id"],
        occurred_at=occurred_at,
        data=data,
        state=BillingEvent.State.SANDBOX if apart else BillingEvent.State.WAITING,
    )


def is_silent(notice: Notice, transaction: JWSTransactionDecodedPayload) -> bool:
    """Whether the notification says nothing about a right that could be running now.

    A refund, or its reversal, may be about a period that is over, or about what was upgraded since.
    """
    kind = notice.head.notificationType
    if kind not in TELLING or transaction.type is not Type.AUTO_RENEWABLE_SUBSCRIPTION or transaction.isUpgraded:
        return True
    if kind not in {Told.REFUND, Told.REFUND_REVERSED}:
        return False
    is_over = (transaction.expiresDate or 0) <= (notice.head.signedDate or 0)
    return is_over or (kind is Told.REFUND and status_of(notice) is not Status.REVOKED)


def snapshot(notice: Notice, transaction: JWSTransactionDecodedPayload) -> dict[str, Any]:
    """The state of the subscription as the notification tells it. Raises Garbled."""
    began, ends = instant(transaction.purchaseDate, "purchaseDate"), instant(transaction.expiresDate, "expiresDate")
    first = instant(transaction.originalPurchaseDate, "originalPurchaseDate")
    if ends <= began:
        raise Garbled("expiresDate must lie after purchaseDate")
    status, is_trial = status_of(notice), transaction.offerDiscountType is OfferDiscountType.FREE_TRIAL
    ending = notice.renewal is not None and notice.renewal.autoRenewStatus is AutoRenewStatus.OFF
    told = {
        "external_id": name(transaction.originalTransactionId, "originalTransactionId"),
        "product": f"{PROVIDER}:{name(transaction.productId, 'productId')}",
        "status": "expired" if notice.head.notificationType is Told.REVOKE else WORDS[status],
        "activated_at": rfc3339(min(first, began)),  # the App Store notes the first purchase a moment later
        "current_period_start": rfc3339(began),
        "trial_ends_at": rfc3339(ends) if is_trial else None,
        "expires_at": rfc3339(ends),
        "cancel_at_period_end": ending and status in {Status.ACTIVE, Status.BILLING_GRACE_PERIOD},
    }
    told |= owner(notice, transaction) | price(transaction)
    if country := COUNTRIES.get(transaction.storefront or ""):
        told["country"] = country
    if status is Status.BILLING_GRACE_PERIOD and notice.renewal and notice.renewal.gracePeriodExpiresDate is not None:
        told["grace_until"] = rfc3339(instant(notice.renewal.gracePeriodExpiresDate, "gracePeriodExpiresDate"))
    if status is Status.REVOKED:
        told["revokes"] = True
    return told


def status_of(notice: Notice) -> Status:
    """The state of the subscription as of the notification."""
    head = notice.head
    if head.data and head.data.status:
        return head.data.status
    if head.subtype is Subtype.GRACE_PERIOD:
        return Status.BILLING_GRACE_PERIOD
    return IMPLIED.get(head.notificationType, Status.ACTIVE) if head.notificationType else Status.ACTIVE


def owner(notice: Notice, transaction: JWSTransactionDecodedPayload) -> dict[str, Any]:
    """Whose it is, where the app said so when it was bought. Raises Garbled."""
    token = transaction.appAccountToken or (notice.renewal.appAccountToken if notice.renewal else None)
    if not token:
        return {}
    try:
        return {"account_id": str(UUID(token))}
    except ValueError:
        raise Garbled("appAccountToken must be a UUID") from None


def price(transaction: JWSTransactionDecodedPayload) -> dict[str, Any]:
    """What the present period costs; Apple counts in thousandths. Raises Garbled."""
    if transaction.price is None or transaction.currency is None:
        return {}
    if not is_currency(transaction.currency):
        raise Garbled("currency must be an ISO 4217 code in upper case")
    try:
        fee = minor_units(Decimal(transaction.price).scaleb(-3), transaction.currency)
    except (ValueError, ArithmeticError) as error:
        raise Garbled(f"price: {error}") from None
    return {"currency": transaction.currency, "recurring_fee": fee}


def instant(milliseconds: int | None, where: str) -> datetime:
    """A time of Apple's, of a sane year. Raises Garbled."""
    try:
        return unix_instant(milliseconds or 0, unit=MILLISECOND)
    except ValueError:
        raise Garbled(f"{where} must be a time in milliseconds, of the years 2000 to 2100") from None


def name(text: str | None, where: str) -> str:
    """An id of Apple's. Raises Garbled."""
    if text is None or not NAME.match(text):
        raise Garbled(f"{where} must be a text of 1 to 200 characters")
    return text


def refused(body: bytes, event_id: str, reason: str) -> Letter:
    """A proven letter that is no event."""
    return Letter(
        provider=PROVIDER, event_id=event_id, body=body, data={}, state=BillingEvent.State.REFUSED, error=reason
    )
