"""Every column about a listener is told in their export, or known not to be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.db import models
from django.test import Client

from accounts.models import Listener, User
from accounts.registry import tellers
from catalogue.models import Track
from tests.accounts.marks import lead_a_life
from tests.helpers import Api

pytestmark = pytest.mark.django_db
OURS = {"accounts", "billing", "downloads", "playlists", "previews", "streaming", "subscriptions", "usage", "web"}
# File → the model it tells of, and what a column is called there if not by its own name.
TOLD: dict[str, tuple[str, dict[str, str]]] = {
    "account": ("accounts.Listener", {}),
    "changes_by_staff": ("accounts.HistoricalUser", {}),
    "country_history": ("accounts.Residence", {"changed_by_id": "changed"}),
    "subscriptions": ("subscriptions.Subscription", {}),
    "subscription_history": ("subscriptions.Period", {"subscription_id": "subscription__external_id"}),
    "told_to_the_platform": ("subscriptions.PlatformWindow", {"subscription_id": "subscription__external_id"}),
    "billing_events": ("billing.BillingEvent", {}),
    "playlists": ("playlists.Playlist", {}),
    "playlist_items": ("playlists.Item", {}),
    "plays": ("usage.Play", {}),
    "streams": ("streaming.StreamHolder", {}),
    "streams_issued": ("streaming.StreamGrant", {}),
    "devices": ("streaming.Device", {}),
    "offline_copies": ("streaming.OfflineCopy", {"device_id": "device__client_id"}),
    "purchases": ("downloads.Purchase", {}),
    "refunds": ("downloads.Refund", {}),
    "locker": ("downloads.LockerRelease", {}),
    "locker_tracks": ("downloads.LockerTrack", {"release_id": "release__release_id"}),
    "purchase_events": ("billing.BillingEvent", {}),
    "preview_plays": ("previews.PreviewPlay", {}),
    "keyed_requests": ("web.KeyedRequest", {}),
}
# Models that say nothing the files do not.
NOTHING_NEW = {
    "accounts.Export", "accounts.ExportPart", "accounts.HistoricalUser_groups", "accounts.SecondFactor",
    "accounts.User", "playlists.Aside", "playlists.Curation", "playlists.Featured", "playlists.Picture",
    "playlists.Presence", "playlists.Revision", "playlists.Swap", "subscriptions.HistoricalPlan", "usage.Difference",
    "usage.PlayBatch", "usage.PlayKey", "usage.ReportRow", "usage.UsageReport",
}  # fmt: skip
# Columns that say nothing of a person: keys of ours, and how far our own work has come.
OUR_OWN = {
    "accounts.Listener": {"user_id", "platform_id", "closed_at"},
    "accounts.HistoricalUser": {
        "history_id",
        "history_change_reason",
        "history_user_id",
        "history_type",
        "date_joined",
        "is_superuser",
    },
    "subscriptions.Subscription": {"told_until"},
    "billing.BillingEvent": {"subject", "body", "attempts", "due_at", "last_error"},
    "streaming.Device": {"generation"},
    "streaming.OfflineCopy": {"key_number"},
    "playlists.Playlist": {
        "owner_id",
        "version",
        "removed_at",
        "platform_id",
        "asked",
        "told_version",
        "told_details",
        "told_tracks",
        "told_count",
        "sync",
        "sync_detail",
    },
    "playlists.Item": {"position"},
    "downloads.Purchase": {"round", "called_at", "looked_at", "licensor_id"},
    "downloads.Refund": {"round", "asked_by_id"},
    "previews.PreviewPlay": {"user_id", "batch", "fingerprint"},
    "usage.Play": {"batch_id"},
    "web.KeyedRequest": {"digest"},
}


def columns(model: type[models.Model]) -> set[str]:
    return {field.attname for field in model._meta.concrete_fields}


def about_people() -> set[str]:
    """Our models that lead to a listener or a login, by whatever road."""
    found: set[type[models.Model]] = {Listener, User}
    while True:
        more = {
            model
            for model in apps.get_models()
            if model._meta.app_label in OURS
            and model not in found
            and ("listener_id" in columns(model) or any(f.related_model in found for f in model._meta.concrete_fields))
        }
        if not more:
            return {model._meta.label for model in found}
        found |= more


def test_every_model_about_a_listener_is_told_of() -> None:
    """A new one needs a teller in its package's personal.py, or a line above."""
    assert about_people() - NOTHING_NEW == {label for label, _ in TOLD.values()} - {"billing.BillingEvent"}


def test_every_column_is_told(
    api: Callable[[Listener], Api], listener: Listener, boss: Client, track: Track, stranger: Api
) -> None:
    """A new one needs its name in its package's personal.py, or above."""
    lead_a_life(listener, api(listener), boss, track, "mark")

    for name, (label, renamed) in TOLD.items():
        rows: list[Any] = list(tellers()[name](listener.pk))
        assert rows, name
        own = columns(apps.get_model(label)) - OUR_OWN.get(label, set()) - {"listener_id"}
        if label != "accounts.Listener":
            own -= {"id"}
        assert {renamed.get(column, column) for column in own} - set(rows[0]) == set(), name
