"""Who on the staff may do what: five groups, kept as they are written down here.

Permissions exist once all apps have migrated, and come and go with models; so the groups are made after every
`migrate` and by no migration, which would run once and too early.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, Final

from django.contrib.auth.models import Group, Permission
from django.db import transaction

log = logging.getLogger(__name__)

VERBS: Final = {"view", "add", "change", "delete"}

CATALOGUE: Final = {"catalogue.Release": "view", "catalogue.Track": "view", "catalogue.Artist": "view"}
EDITOR: Final = CATALOGUE | {
    "playlists.Playlist": "view change delete propose_playlist",
    "playlists.Rule": "view add change",
    "playlists.Shelf": "view",
}
# Group → model → verbs, and other permissions by their own names. What is not installed is passed over.
ROLES: Final = {
    "Editor": EDITOR,
    "Senior editor": EDITOR
    | {
        "playlists.Playlist": "view change delete propose_playlist publish_playlist",
        "playlists.Rule": "view add change delete",
        "playlists.Shelf": "view add change delete",
        "playlists.Featured": "view add change delete",
    },
    "Support": CATALOGUE
    | {
        "accounts.Listener": "view change",
        "accounts.User": "view change",
        "subscriptions.Subscription": "view give_period",
        "subscriptions.PlatformWindow": "view change",
        "subscriptions.Plan": "view",
        "billing.BillingEvent": "view",
        "downloads.Purchase": "view change",
        "downloads.Refund": "view",
        "downloads.LockerTrack": "view",
        "streaming.StreamHolder": "view",
        "streaming.Device": "view change",
        "streaming.OfflineCopy": "view",
        "usage.Play": "view",
        "outbox.Message": "view",
    },
    "Finance": CATALOGUE
    | {
        "subscriptions.Subscription": "view",
        "subscriptions.Plan": "view",
        "billing.BillingEvent": "view",
        "downloads.Purchase": "view change refund_purchase",
        "downloads.Refund": "view",
        "usage.Play": "view change",
        "usage.PlayBatch": "view change",
        "usage.UsageReport": "view add delete sign_usagereport",
        "usage.Difference": "view change",
    },
    "Operations": CATALOGUE
    | {
        "catalogue.CatalogueEvent": "view change",
        "subscriptions.Subscription": "view",
        "subscriptions.PlatformWindow": "view change",
        "subscriptions.Plan": "view",
        "billing.BillingEvent": "view change",
        "downloads.Purchase": "view",
        "downloads.Refund": "view",
        "downloads.LockerTrack": "view",
        "usage.Play": "view",
        "usage.PlayBatch": "view change",
        "outbox.Message": "view change",
        "outbox.Circuit": "view",
        "outbox.Heartbeat": "view",
        "admin.LogEntry": "view",
    },
}


def keep_roles(**_: Any) -> None:
    """Make every group hold what is written down for it and nothing else; what somebody added is named in the log.

    Safe to repeat.
    """
    known = {
        (app, code): pk for app, code, pk in Permission.objects.values_list("content_type__app_label", "codename", "pk")
    }
    for name, models in ROLES.items():
        wanted = {known[each] for each in codes(models) if each in known}
        with transaction.atomic():
            group, _made = Group.objects.get_or_create(name=name)
            strange = group.permissions.exclude(pk__in=wanted)
            if added := [f"{each.content_type.app_label}.{each.codename}" for each in strange]:
                log.warning("taken from the group %s, of which it is not a right: %s", name, ", ".join(added))
            group.permissions.set(wanted)


def codes(models: dict[str, str]) -> Iterator[tuple[str, str]]:
    """The permissions of a role as (app, codename)."""
    for label, words in models.items():
        app, model = label.lower().split(".")
        for word in words.split():
            yield app, f"{word}_{model}" if word in VERBS else word
