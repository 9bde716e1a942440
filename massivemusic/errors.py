"""How the platform says no, and the ways of not hearing what it said.

Three questions decide what a caller does next, and every class answers them:

* `permanent`: would the same words be refused again?
* `in_doubt`: may the platform have acted although we hold no proof? Such a call is never repeated
  blindly unless repeating is harmless.
* `retry_after`: did the platform name a wait?

An error with a number is a verdict: the platform read the request and did nothing. Numbers and
meanings: the error tables of the Streaming and Download guides and the "Error responses" page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

MAX_WAIT_SECONDS: Final = 3600
_MAX_DETAIL: Final = 300
_MAX_TEXT: Final = 4000

# A server's text may echo what it was sent: OAuth parameters, a base string, a query string, a bare
# HMAC-SHA1 signature (as is or percent-encoded). A word with any of these is struck out whole.
_CONFIDENTIAL = re.compile(r"oauth_|=[^=&]*&|\?.|(?:[A-Za-z0-9+/]|%2[BbFf]){27}(?:=|%3[Dd])")


def presentable(text: str) -> str:
    """`text` on one line, without anything confidential or unprintable, at most 300 characters."""
    start = "".join(letter if letter.isprintable() else " " for letter in text[:_MAX_TEXT])
    words = start.split()
    if len(text) > _MAX_TEXT:
        words = words[:-1]  # half a word might be half a secret
    return " ".join("…" if _CONFIDENTIAL.search(word) else word for word in words)[:_MAX_DETAIL]


@dataclass(frozen=True, kw_only=True)
class ItemFailure:
    """One refused member of a batch: its position in the submitted list, counted from 0."""

    index: int
    code: int | None
    detail: str


class PlatformError(Exception):
    """A call to the platform that did not succeed; its text never carries a secret or a query.

    `code` is the platform's number, `status` the HTTP status, each None where there was none.
    `retry_after` is in seconds, at most 3600. `failures` belongs to BatchFailed: empty unless the
    platform named every refused item.
    """

    code: int | None = None
    permanent: bool = False
    in_doubt: bool = False

    def __init__(
        self,
        detail: str,
        *,
        code: int | None = None,
        status: int | None = None,
        retry_after: int | None = None,
        failures: tuple[ItemFailure, ...] = (),
    ) -> None:
        self.detail = presentable(detail) or "no reason given"
        super().__init__(self.detail)
        if code is not None:
            self.code = code
        self.status = status
        self.retry_after = None if retry_after is None else max(0, min(retry_after, MAX_WAIT_SECONDS))
        self.failures = failures

    def __str__(self) -> str:
        return self.detail if self.code is None else f"{self.code}: {self.detail}"

    @classmethod
    def numbered(cls, code: int, detail: str, **facts: Any) -> PlatformError:
        """The verdict with this number: its own class, else its family's, else UnknownVerdict."""
        kind = _BY_CODE.get(code) or _BY_FAMILY.get(code // 1000, UnknownVerdict)
        return kind(detail, code=code, **facts)


class InputRefused(PlatformError):
    """1xxx: something in the request is wrong."""

    permanent = True


class ParameterMissing(InputRefused):
    code = 1001


class ParameterInvalid(InputRefused):
    """Also: a play outside the 61-day window, a broken subscription date rule."""

    code = 1002


class OutOfRange(InputRefused):
    """Also: no offline right or no free device slot; plays of a user who never subscribed."""

    code = 1003


class ChoiceUnknown(InputRefused):
    code = 1006


class BatchFailed(InputRefused):
    """Some items of a batch were refused; whether the others were kept is not documented."""

    code = 1008


class ResourceRefused(PlatformError):
    """2xxx: the thing named is missing, out of reach, or there already."""

    permanent = True


class NotFound(ResourceRefused):
    code = 2001


class NotAvailable(ResourceRefused):
    """It exists, but not here, not now or not for this user."""

    code = 2002


class AlreadyExists(ResourceRefused):
    code = 2003


class AccountRefused(PlatformError):
    """3xxx: the user's account, payment or stream. All but 3201 belong to the platform's own shop."""

    permanent = True


class CardExpired(AccountRefused):
    code = 3001


class CardMissing(AccountRefused):
    code = 3002


class PaymentFailed(AccountRefused):
    code = 3003


class PriceMismatch(AccountRefused):
    code = 3004


class CardCountryRefused(AccountRefused):
    code = 3005


class VoucherRefused(AccountRefused):
    code = 3012


class AlreadyRefunded(AccountRefused):
    code = 3017


class PaymentProviderUnreachable(AccountRefused):
    code = 3100


class PaymentRejected(AccountRefused):
    code = 3101


class PaymentDeclined(AccountRefused):
    code = 3102


class CardNotAdded(AccountRefused):
    code = 3103


class CardDeclined(AccountRefused):
    code = 3104


class RefundNotAllowed(AccountRefused):
    code = 3105


class RefundDeclined(AccountRefused):
    code = 3106


class PlayingElsewhere(AccountRefused):
    """Another device took the stream over; this one is paused for a while."""

    code = 3201


class PlatformTrouble(PlatformError):
    """7xxx and 9xxx: the platform's own trouble; the same words may succeed later."""


class ActionImpossible(PlatformTrouble):
    code = 7001


class PlatformMisconfigured(PlatformTrouble):
    code = 7002


class PlatformTimedOut(PlatformTrouble):
    """The one verdict that proves nothing: something behind the platform's door did not answer."""

    code = 7003
    in_doubt = True


class RefundFailed(PlatformTrouble):
    code = 7102


class UnexpectedFailure(PlatformTrouble):
    code = 9001


class UnknownVerdict(PlatformError):
    """A number of no known family. Nothing was done; whether asking again helps is unknown."""


class NotAuthorised(PlatformError):
    """Key, signature, clock or country of the key refused. A person mends it; the message waits."""


class Throttled(PlatformError):
    """429: over the quota, nothing was done."""


class Redirected(PlatformError):
    """The platform pointed elsewhere. Never followed: a signature is not for other hosts."""


class UnexplainedRefusal(PlatformError):
    """A 4xx without an error envelope: a gateway or a moved path, not a word on the request."""


class ServerFailure(PlatformError):
    """A 5xx without an error envelope: how far the request got is unknown."""

    in_doubt = True


class Unreachable(PlatformError):
    """No byte of the request left: name, connection or TLS failed. Safe to ask again."""


class AnswerLost(PlatformError):
    """The request may have arrived; its answer broke off or never came."""

    in_doubt = True


class DeadlinePassed(AnswerLost):
    """No complete answer within the total deadline."""


class Unreadable(PlatformError):
    """An answer came that proves nothing: no envelope, wrong encoding, a missing fact."""

    in_doubt = True


class AnswerTooLarge(Unreadable):
    """More than the cap after decoding."""


def _below(kind: type[PlatformError]) -> Iterator[type[PlatformError]]:
    for below in kind.__subclasses__():
        yield below
        yield from _below(below)


_BY_CODE: Final = {kind.code: kind for kind in _below(PlatformError) if kind.code is not None}
_BY_FAMILY: Final = {1: InputRefused, 2: ResourceRefused, 3: AccountRefused, 7: PlatformTrouble, 9: PlatformTrouble}
