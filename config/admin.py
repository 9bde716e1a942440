"""The admin's frame: its sidebar, by the work people do there, and the badge that says where they are."""

from __future__ import annotations

from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from config import staff
from desk.rows import may_view

__all__ = ["environment_label", "sidebar", "staff"]

# Model → icon, of Google's Material Symbols.
SIDEBAR: Final = {
    "Listeners": {
        "accounts.Listener": "headphones",
        "subscriptions.Subscription": "card_membership",
        "streaming.StreamHolder": "play_circle",
        "streaming.Device": "devices",
        "streaming.OfflineCopy": "download_for_offline",
    },
    "Catalogue": {
        "catalogue.Release": "album",
        "catalogue.Track": "music_note",
        "catalogue.Artist": "artist",
        "catalogue.CatalogueEvent": "move_to_inbox",
    },
    "Editors": {
        "playlists.Playlist": "queue_music",
        "playlists.Rule": "rule",
        "playlists.Shelf": "shelves",
    },
    "Reporting": {
        "usage.Play": "equalizer",
        "usage.PlayBatch": "inventory_2",
        "usage.UsageReport": "fact_check",
        "usage.Difference": "difference",
    },
    "Shop": {
        "downloads.Purchase": "shopping_bag",
        "downloads.Refund": "undo",
    },
    "Billing": {
        "billing.BillingEvent": "receipt_long",
        "subscriptions.Plan": "sell",
    },
    "Platform": {
        "subscriptions.PlatformWindow": "date_range",
        "outbox.Message": "outbox",
        "outbox.Circuit": "electrical_services",
        "outbox.Heartbeat": "cardiology",
    },
    "Staff": {
        "accounts.User": "badge",
        "auth.Group": "groups",
        "admin.LogEntry": "history_edu",
    },
}
# Pages that are no lists, by their group: title, icon, URL name, and the model whose viewers may open them.
PAGES: Final = {
    "Listeners": [("Why can’t they hear it?", "hearing_disabled", "why", "catalogue.Track")],
    "Editors": [("Takedowns", "music_off", "takedowns", "playlists.Playlist")],
    "Platform": [("Would it take these dates?", "rule", "dates", "subscriptions.PlatformWindow")],
    "Shop": [("Unknown sales", "help", "unknown-sales", "downloads.Purchase")],
    "Reporting": [
        ("The play ledger", "monitoring", "play-ledger", "usage.Play"),
        ("Reports", "summarize", "reports", "usage.Play"),
        ("Sales", "point_of_sale", "sales", "downloads.Purchase"),
        ("Subscribers", "groups_2", "subscribers", "subscriptions.Subscription"),
    ],
}


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """What this member of staff may look at, in groups; a group of nothing is left out."""
    groups = [
        {"title": title, "separator": True, "items": [*lists(request, title), *pages(request, title)]}
        for title in SIDEBAR
    ]
    return [group for group in groups if group["items"]]


def lists(request: HttpRequest, group: str) -> list[dict[str, Any]]:
    return [entry(label, icon) for label, icon in SIDEBAR[group].items() if may_view(request.user, label)]


def pages(request: HttpRequest, group: str) -> list[dict[str, Any]]:
    return [
        {"title": title, "icon": icon, "link": reverse(url)}
        for title, icon, url, label in PAGES.get(group, [])
        if may_view(request.user, label)
    ]


def entry(label: str, icon: str) -> dict[str, Any]:
    """One line of the sidebar."""
    model = apps.get_model(label)._meta
    title = str(model.verbose_name_plural).capitalize()
    return {"title": title, "icon": icon, "link": reverse(f"admin:{model.app_label}_{model.model_name}_changelist")}


def environment_label(request: HttpRequest) -> list[str]:
    """The badge in the admin's corner, so that nobody mistakes production for a playground."""
    return [settings.ENVIRONMENT.capitalize(), "danger" if settings.PRODUCTION else "info"]
