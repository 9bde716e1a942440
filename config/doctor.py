"""What `manage.py doctor` looks at: everything /readyz does, and what only an operator may know or wait for."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from django.conf import settings
from django.core.checks import WARNING, run_checks
from kombu.exceptions import OperationalError

from catalogue.models import CatalogueEvent
from config import celery_app, checks, vitals
from config.checks import SKEW_SECONDS, Check, Finding, Level, clocks, judged, many, spoken
from massivemusic.errors import NotAuthorised, PlatformError
from massivemusic.events import load_public_keys
from outbox.circuit import BUCKET, IMAGES
from outbox.platform import platform
from usage.rules import ALARM

WORKERS_ANSWER_SECONDS: Final = 1.0


def examination() -> Iterator[tuple[str, Finding]]:
    """Every check's name and finding, one by one. What hides behind something ill is not looked at."""
    found: dict[str, Finding] = {}
    for name, check, needed in looks():
        cause = found.get(needed)
        if cause is None or cause.ok:
            found[name] = checks.looked(check)
        elif cause.level is Level.UNSEEN:
            found[name] = cause
        else:
            found[name] = Finding(level=Level.UNSEEN, text=f"cannot be seen without the {needed}")
        yield name, found[name]


def looks() -> Iterator[tuple[str, Check, str]]:
    """The checks in their order, each with the one that must be well before it can be made."""
    yield "settings", configuration, ""
    yield "database", checks.database, ""
    yield "migrations", checks.migrations, "database"
    yield "broker", checks.broker, ""
    yield "worker", worker, "broker"
    yield "beat", checks.beat, "migrations"
    yield "platform", platform_answers, ""
    yield "breaker", checks.breaker, "migrations"
    if settings.USAGE_CHANNEL == "bucket":
        yield "bucket", partial(checks.breaker, BUCKET), "migrations"
    yield "images", partial(checks.breaker, IMAGES), "migrations"
    yield "outbox", checks.outbox, "migrations"
    yield "plays", plays, "migrations"
    yield "shop", shop, "migrations"
    yield "inbox", checks.inbox, "migrations"
    yield "dead events", dead_events, "migrations"
    yield "event keys", event_keys, ""
    for kind in CatalogueEvent.Kind:
        yield f"{kind} feed", partial(feed, kind), "migrations"


def configuration() -> Finding:
    """Django's own checks, those for deployment too in production, and the doors that nobody can come through."""
    messages = run_checks(include_deployment_checks=settings.PRODUCTION)
    faults = [message for message in messages if message.level >= WARNING and not message.is_silenced()]
    unset = [name for name in ("BILLING_STANDARD_SECRETS", "METRICS_TOKEN") if not getattr(settings, name)]
    facts = [settings.ENVIRONMENT]
    facts += [f"manage.py check complains of {', '.join(str(fault.id) for fault in faults)}"] if faults else []
    facts += [f"{name} is not set, so its door does not exist" for name in unset]
    return judged(" · ".join(facts), ill=any(fault.is_serious() for fault in faults), odd=faults or unset)


def worker() -> Finding:
    """How many workers answer when they are called through the broker."""
    try:
        answers = celery_app.control.ping(timeout=WORKERS_ANSWER_SECONDS) or []
    except OperationalError as error:
        raise OSError("the broker does not pass the call on") from error
    text = f"{len(answers) or 'none'} answered within {WORKERS_ANSWER_SECONDS:.0f} s"
    return judged(text, ill=not answers, answered=len(answers))


def platform_answers() -> Finding:
    """Whether the platform answers the cheapest of calls, and how its clock stands to ours.

    Being out of reach is a warning: what must be told waits, and goes out by itself.
    """
    client, error = platform(), None
    try:
        client.call("GET", "/status")
    except PlatformError as problem:
        error = problem
    heard = error is None or error.status is not None
    skew = client.skew_seconds if heard else None
    text = "answers" if error is None else str(error)
    text += f" · {clocks(skew)}" if skew is not None else ""
    odd = error or (skew is not None and abs(skew) >= SKEW_SECONDS)
    return judged(text, ill=isinstance(error, NotAuthorised), odd=odd, skew_seconds=skew)


def plays() -> Finding:
    """Whether plays are in danger of growing too old to be reported, and how many batches are in doubt."""
    seen = vitals.ledger()
    in_doubt = seen.batches["IN_DOUBT"]
    text = f"the oldest unsent was played {spoken(seen.oldest_seconds)} ago" if seen.oldest_seconds else "all sent"
    text += f" · batches in doubt: {many(in_doubt)}"
    ill = seen.oldest_seconds >= ALARM.total_seconds()
    return judged(text, ill=ill, odd=in_doubt, oldest_seconds=round(seen.oldest_seconds), in_doubt=in_doubt)


def shop() -> Finding:
    """How many sales nobody knows of, and how many refunds are not done; those closing within a day need a person."""
    seen = vitals.shop()
    text = f"{many(seen.unknown)} sales not known · refunds: {many(seen.waiting)} wait, {many(seen.refused)} refused"
    text += f" · {many(seen.closing)} of them close within a day" if seen.closing else ""
    return judged(text, ill=seen.closing, odd=seen.unknown or seen.refused, **vars(seen))


def dead_events() -> Finding:
    """Events that nobody tries any more, and those of which a part was refused."""
    billing, catalogue, partly = vitals.billing().dead, vitals.catalogue().dead, vitals.partly_applied()
    text = f"{many(billing)} of billing, {many(catalogue)} of the catalogue · {many(partly)} applied in part"
    return judged(text, ill=billing or catalogue, odd=partly, billing=billing, catalogue=catalogue, partly=partly)


def event_keys() -> Finding:
    """Whether the keys can be read by which the catalogue's doors know the platform."""
    try:
        keys = load_public_keys(settings.CATALOGUE_EVENT_PUBLIC_KEYS)
    except ValueError as problem:
        return judged(str(problem), ill=True)
    if not keys:
        known = "" if settings.PRODUCTION else "; manage.py up adds the sandbox's own"
        return judged(f"none is set, so no catalogue event is let in{known}", odd=True)
    sizes = ", ".join(f"{key.key_size} bits" for key in keys)
    return judged(f"{len(keys)} readable: {sizes}", keys=len(keys))


def feed(kind: str) -> Finding:
    """How long the platform has sent no catalogue event of this kind."""
    age = vitals.silence()[kind]
    if age is None:
        return judged("no event was ever received", odd=True, silent_seconds=None)
    silent = age >= settings.CATALOGUE_SILENCE_HOURS * 3600
    text = f"no event for {spoken(age)}" if silent else f"the last event came {spoken(age)} ago"
    return judged(text, odd=silent, silent_seconds=round(age))
