"""The second factor of staff: set up once, shown at every sign-in, reset when the phone is gone."""

from __future__ import annotations

import base64
import hashlib
import secrets
from datetime import datetime
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import IntegrityError, transaction
from django.utils.crypto import salted_hmac

from accounts.models import SecondFactor, User
from accounts.totp import DIGITS, step_of

RECOVERY_CODES: Final = 10


def sealed(secret: str) -> str:
    """A secret that only those who have SECRET_KEY can read: neither rows nor backups nor sessions tell it."""
    return box().encrypt(secret.encode()).decode()


def opened(token: str) -> str | None:
    """The secret again; None where no key of ours opens it."""
    try:
        return box().decrypt(token.encode()).decode()
    except InvalidToken:
        return None


def box() -> MultiFernet:
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    digests = (salted_hmac("accounts.second_factor", "", secret=key, algorithm="sha256").digest() for key in keys)
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])


def set_up(*, user: User, secret: str, code: str, now: datetime) -> tuple[SecondFactor, list[str]] | None:
    """Keep a second factor whose code proves that an app has it. It and its recovery codes, in clear this once.

    None where the code is wrong, or the login has a second factor already.
    """
    step = step_of(secret, bare(code), now=now)
    if step is None:
        return None
    codes = [spaced(base64.b32encode(secrets.token_bytes(10)).decode()) for _ in range(RECOVERY_CODES)]
    try:
        with transaction.atomic():
            factor = SecondFactor.objects.create(
                user=user, secret=sealed(secret), since=now, step=step, recovery=[digest_of(each) for each in codes]
            )
            note(user, by=user, what="Set up a second factor")
    except IntegrityError:
        return None
    return factor, codes


@transaction.atomic
def shown(*, user: User, code: str, now: datetime) -> SecondFactor | None:
    """The login's second factor, if this is a code of its app or one of its recovery codes. No code is good twice."""
    factor = SecondFactor.objects.select_for_update().filter(user=user).first()
    if factor is None:
        return None
    took = take_recovery if len(bare(code)) != DIGITS else take_step
    return factor if took(factor, bare(code), now) else None


def take_step(factor: SecondFactor, code: str, now: datetime) -> bool:
    secret = opened(factor.secret)
    step = step_of(secret, code, now=now) if secret else None
    if secret is None or step is None or step <= factor.step:
        return False
    factor.step, factor.secret = step, sealed(secret)  # with the key of today: earlier ones go some day
    factor.save(update_fields=["step", "secret"])
    return True


def take_recovery(factor: SecondFactor, code: str, now: datetime) -> bool:
    digest = digest_of(code)
    if digest not in factor.recovery:
        return False
    factor.recovery.remove(digest)
    factor.save(update_fields=["recovery"])
    left = len(factor.recovery)
    note(factor.user, by=factor.user, what=f"Signed in with a recovery code ({left + 1} before, {left} left)")
    return True


@transaction.atomic
def reset(*, user: User, by: User | None) -> bool:
    """Forget the login's second factor, and with it that any session has shown it; False where there is none.

    `by` is nobody on the command line, where one has no login.
    """
    deleted, _ = SecondFactor.objects.filter(user=user).delete()
    if deleted:
        note(user, by=by or user, what="Reset the second factor" if by else "Second factor reset on the command line")
    return bool(deleted)


def note(user: User, *, by: User, what: str) -> None:
    LogEntry.objects.log_actions(by.pk, [user], CHANGE, change_message=what)


def bare(code: str) -> str:
    """As it was meant, however it was typed."""
    return "".join(code.split()).replace("-", "").upper()


def spaced(code: str) -> str:
    return "-".join(code[start : start + 4] for start in range(0, len(code), 4))


def digest_of(code: str) -> str:
    """80 random bits need no slow hash."""
    return hashlib.sha256(bare(code).encode()).hexdigest()
