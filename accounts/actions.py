"""Everything that changes who a listener is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from allauth.usersessions.models import UserSession
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import CASCADE, Exists, OuterRef

from accounts.models import Export, Listener, Residence, User
from accounts.registry import forget_everywhere
from kernel.errors import Kind, Refusal
from kernel.values import check_country
from outbox.actions import Draft, send

SHORTEST_STAY: Final = timedelta(microseconds=1)
LETTERS_COME: Final = timedelta(days=60)  # after an account was closed
AT_ONCE: Final = 500  # listeners who are forgotten in one transaction


class AccountClosed(Refusal):
    """The token is good, but the account behind it is gone."""

    code, kind = "not_authenticated", Kind.UNAUTHENTICATED


@transaction.atomic
def register_listener(*, user: User, country: str, now: datetime) -> Listener:
    """Make `user` a listener in `country` and queue the creation of its platform user.

    Raises InvalidParameter for a country that does not exist.
    """
    check_country(country)
    listener = Listener.objects.create(user=user, country=country)
    Residence.objects.create(listener=listener, country=country, since=now, changed_by=user)
    send(Draft(topic="listener.create", key=listener.platform_id, lane=listener.platform_id))
    return listener


@transaction.atomic
def move_listener(*, listener: Listener, country: str, by: User | None, now: datetime) -> None:
    """Let the listener live in `country` from now on; where they lived before, and who moved them, is kept.

    Entitlement and availability follow at once. Raises InvalidParameter for a country that does not exist.
    """
    check_country(country)
    before = Listener.objects.select_for_update(no_key=True).get(pk=listener.pk).country
    if country != before:
        last = listener.residences.latest("since")
        since = max(now, last.since + SHORTEST_STAY)  # the rows keep the order of the moves, whatever clocks say
        Residence.objects.create(listener=listener, country=country, since=since, changed_by=by)
        Listener.objects.filter(pk=listener.pk).update(country=country)
    listener.country = country


def filter_explicit(*, listener: Listener, hide: bool) -> None:
    """Hide explicit tracks from the listener, or show them again."""
    listener.explicit_filter = hide
    listener.save(update_fields=["explicit_filter"])


@transaction.atomic
def close_account(*, listener: Listener, now: datetime) -> None:
    """Erase the login, and everything by which anybody could find the person behind the plays.

    The listener stays as a pseudonym, with its plays and the countries they were played in, because they
    must still be reported and paid.
    """
    user = Listener.objects.select_for_update(no_key=True).get(pk=listener.pk).user
    Listener.objects.filter(pk=listener.pk).update(closed_at=now, user=None)
    exports = Export.objects.filter(listener=listener)
    list(exports.select_for_update().values_list("pk"))  # one that is being made is waited for, and goes with its parts
    exports.delete()
    forget_everywhere([listener.pk])
    if user is not None:
        end_sessions(user)
        edits = LogEntry.objects.filter(content_type__app_label="accounts", content_type__model="user")
        edits.filter(object_id=str(user.pk)).update(object_repr=str(listener), change_message="")
        User.history.filter(id=user.pk).delete()
        forget_login(user)


def forget_login(user: User) -> None:
    """Delete the login. Of one that has acted in the admin a husk stays, without which the log would lose its rows."""
    if not LogEntry.objects.filter(user=user).exists():
        user.delete()
        return
    for relation in User._meta.related_objects:
        if relation.on_delete is CASCADE and relation.related_model is not LogEntry:
            relation.related_model._default_manager.filter(**{relation.field.name: user}).delete()
    user.groups.clear()
    user.user_permissions.clear()
    user.email, user.first_name, user.last_name, user.last_login = f"{user.pk}@forgotten.invalid", "", "", None
    user.is_active = user.is_staff = user.is_superuser = False
    user.set_unusable_password()
    user.save()


def end_sessions(user: User) -> None:
    """Sign a login out everywhere; no token of theirs can be refreshed any more."""
    sessions = UserSession.objects.filter(user=user)
    Session.objects.filter(pk__in=sessions.values("session_key")).delete()
    sessions.delete()


def prune_sessions(*, now: datetime) -> int:
    """Drop what has run out; how many sessions there were."""
    dropped, _ = Session.objects.filter(expire_date__lte=now).delete()
    # Not by exclude(session_key__in=…), which PostgreSQL cannot join: it would go through all sessions for each.
    UserSession.objects.filter(~Exists(Session.objects.filter(pk=OuterRef("session_key")))).delete()
    return dropped


def forget_again(*, now: datetime) -> int:
    """Let every package forget those who have left lately once more: letters about them go on coming. How many."""
    left = list(Listener.objects.filter(closed_at__gt=now - LETTERS_COME).values_list("pk", flat=True))
    for start in range(0, len(left), AT_ONCE):
        with transaction.atomic():
            forget_everywhere(left[start : start + AT_ONCE])
    return len(left)


def note_first_activation(*, listener: Listener, at: datetime) -> None:
    """Remember the earliest activation of any subscription: from then on the platform takes the listener's plays."""
    if listener.subscribed_since is None or at < listener.subscribed_since:
        listener.subscribed_since = at
        listener.save(update_fields=["subscribed_since"])
