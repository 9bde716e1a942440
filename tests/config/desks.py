"""A row of every model in the admin, and what one may do there as the admin answers it over HTTP."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group
from django.contrib.messages import get_messages
from django.db.models import Model
from django.test import Client
from django.urls import URLPattern, reverse
from django.utils import timezone

from accounts.models import Listener, SecondFactor, User
from billing.models import BillingEvent
from catalogue.models import CatalogueEvent, Track
from config.urls import urlpatterns
from downloads.models import Purchase, Refund
from outbox.models import Circuit, Heartbeat, Message
from playlists.curation import create_curated
from playlists.models import Rule, Shelf
from streaming.models import Device, OfflineCopy, StreamHolder
from subscriptions.complimentary import grant_period
from subscriptions.models import Plan, PlatformWindow, Subscription
from tests.helpers import stored_event
from usage.models import Difference, Play, PlayBatch, PlayState, UsageReport

Rows = dict[str, Any]
AMISS: Final = (403, 404)


def rows_for(listener: Listener, track: Track) -> Rows:
    """A row of each, in a state in which all actions on it have something to do."""
    now = timezone.now()
    boss = User.objects.create_superuser(f"{uuid4().hex}@example.org", "correct horse")
    plan = Plan.objects.get(code="premium-unlimited-streaming")
    grant_period(listener=listener, by=boss, now=now, plan=plan, days=7, reason="sorry", gift_id=uuid4())
    gift = Subscription.objects.get(listener=listener)
    event = stored_event(body=b"[]", members=[])
    CatalogueEvent.objects.filter(pk=event.pk).update(state="DEAD")
    report = UsageReport.objects.create(
        file_name="november.csv", sha256="0" * 64, starts_at=now - timedelta(days=30), ends_at=now, imported_at=now
    )
    device = Device.objects.create(listener=listener, client_id="phone", created_at=now, last_seen_at=now)
    copy = {"device": device, "track_id": track.pk, "release_id": track.release_id, "format_id": 26, "key_number": 1}
    sold = {"listener": listener, "release_id": 1, "retail_price": "7.99", "currency": "GBP", "country": "GB",
            "paid_at": now}  # fmt: skip
    unwanted = Purchase.objects.create(transaction_id="T-2", state="CONFIRMED", platform_id=1, sold_at=now, **sold)
    SecondFactor.objects.create(user=listener.user, secret="", since=now, step=0, recovery=[])
    made: list[Any] = [
        listener, listener.user, track, track.release, track.artist, plan, gift, event, report, device,
        Group.objects.create(name="Interns"),
        LogEntry.objects.log_actions(boss.pk, [listener], CHANGE, change_message="Looked", single_object=True),
        PlatformWindow.objects.filter(subscription=gift).first(),
        BillingEvent.objects.create(provider="standard", event_id="evt_1", body=b"", state="DEAD"),
        create_curated(name="Harbour", by=boss, now=now),
        Rule.objects.create(name="All pop"),
        Shelf.objects.create(name="New"),
        Purchase.objects.create(transaction_id="T-1", state="UNKNOWN", called_at=now, **sold),
        Refund.objects.create(purchase=unwanted, state="REFUSED", reason="sorry", asked_at=now),
        Circuit.objects.create(name="platform"),
        Heartbeat.objects.create(name="sweep"),
        Message.objects.create(topic="test.none", key="1", lane="lane", state="DEAD"),
        StreamHolder.objects.create(
            listener=listener, client_id="phone", track_id=track.pk, since=now, plays_until=now
        ),
        OfflineCopy.objects.create(**copy, lease_ends_at=now),
        Difference.objects.create(report=report, kind="MISSING", play=1, listener=listener, played_at=now),
        PlayBatch.objects.create(listener=listener, country="GB", size=1, state="IN_DOUBT"),
        Play.objects.create(
            listener=listener, play_id=uuid4(), track_id=track.pk, release_id=1, format_id=26, country="GB",
            played_at=now, seconds_played=120, mode="online", user_agent="Pixel 9", state=PlayState.HELD,
        ),
    ]  # fmt: skip
    return {row._meta.label: row for row in made}


def page(model: Any, name: str = "changelist", *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def answered(client: Client, row: Model) -> set[str]:
    """What one may do with the row and its list: verbs, and actions by their names."""
    desk = admin.site._registry[type(row)]
    asked: dict[str, Callable[[], Any]] = {
        "view": lambda: opens(client, page(row)) and opens(client, page(row, "change", row.pk)),
        "add": lambda: client.get(page(row, "add")).status_code not in AMISS,
        "change": lambda: client.post(page(row, "change", row.pk), {}, follow=True).status_code not in AMISS,
        "delete": lambda: client.get(page(row, "delete", row.pk)).status_code not in AMISS,
    }
    can = {verb for verb, ask in asked.items() if ask()}
    return can | {name for name in actions(desk) if acted(client, row, name)}


def opens(client: Client, address: str) -> bool:
    return client.get(address, follow=True).status_code == 200


def actions(desk: Any) -> list[str]:
    """Every action that a desk knows, whoever may use it."""
    names = [each if isinstance(each, str) else each.__name__ for each in desk.actions or ()]
    return [*names, *desk.actions_list, *details(desk), *desk.actions_row, *desk.actions_submit_line]


def details(desk: Any) -> list[str]:
    """The actions of a row's own page, those in a menu too."""
    return [name for each in desk.actions_detail for name in ([each] if isinstance(each, str) else each["items"])]


def acted(client: Client, row: Any, name: str) -> bool:
    """Whether an action was let through."""
    desk: Any = admin.site._registry[type(row)]
    if name in desk.actions_list:
        return client.get(page(row, name)).status_code not in AMISS
    if name in details(desk):
        return client.get(page(row, name, row.pk)).status_code not in AMISS
    response = client.post(page(row), {"action": name, "_selected_action": [row.pk]})
    said = [str(message) for message in get_messages(response.wsgi_request)]
    return response.status_code == 302 and "No action selected." not in said


def extra_pages(rows: Rows) -> Iterator[tuple[str, str]]:
    """Pages that are no lists: as they are written down, those of one group alike, and the address of one."""
    ids = {
        "listener_id": rows["accounts.Listener"].pk,
        "track_id": rows["catalogue.Track"].pk,
        "purchase_id": rows["downloads.Purchase"].pk,
        "playlist_id": rows["playlists.Playlist"].pk,
        "report_id": rows["usage.UsageReport"].pk,
    }
    for group, route in beside_the_site(urlpatterns):
        asked = f"?id={rows['usage.Difference'].pk}" if route.endswith("/resolve/") else ""
        address = re.sub(r"<\w+:(\w+)>", lambda found: str(ids[found[1]]), route)
        yield re.sub("<.*?>", "…", group), f"{address}{asked}"


def beside_the_site(patterns: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Every path below /admin/ that is not one of Django's own site, with the path that it is included by."""
    for each in patterns:
        route = f"/{each.pattern}"
        if not route.startswith("/admin/") or route == "/admin/":
            continue
        for page in [each] if isinstance(each, URLPattern) else each.url_patterns:
            yield route, route if page is each else f"{route}{page.pattern}"
