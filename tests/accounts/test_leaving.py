"""Whoever leaves is forgotten, but for plays that must be paid, under a pseudonym."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.actions import close_account, forget_again, prune_sessions
from accounts.exports import make_exports
from accounts.models import Export, ExportPart, Listener, Residence, SecondFactor, User
from accounts.tasks import prune
from billing.models import BillingEvent
from catalogue.models import Track
from outbox.models import Message
from playlists.handlers import settle
from playlists.models import Playlist
from streaming.models import StreamHolder
from subscriptions.models import Plan, PlatformWindow, Subscription
from tests.accounts.marks import lead_a_life, letter_about
from tests.helpers import Api, eventually_blocked
from tests.plans import rows_looked_at
from usage.models import Play

pytestmark = pytest.mark.django_db
MARK = "canary"
ADA = {"email": f"{MARK}@example.org", "password": f"{MARK} horse", "country": "GB"}
# What stays: a play's own words, and billing's ids of events, agreements and payments, none of which is a name.
STAYS = {f"{MARK}-{what}" for what in ("playlist", "subscription", "event-1", "event-2", "transaction")}


def everything() -> Iterator[tuple[str, str]]:
    """Every row of the database as text, with its table."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT t::text FROM "{table}" t')  # noqa: S608
            yield from ((table, row) for (row,) in cursor.fetchall())
        cursor.execute("SELECT body FROM billing_billingevent UNION ALL SELECT content FROM accounts_exportpart")
        yield from (("bytes", bytes(content).decode("latin-1")) for (content,) in cursor.fetchall())
    for session in Session.objects.all():
        yield "sessions", json.dumps(session.get_decoded())


def marks_left() -> set[tuple[str, str]]:
    """The tables in which a mark is found that does not stay, and the row."""
    found = set()
    for table, row in everything():
        for known in STAYS:
            row = row.replace(known, "")
        if MARK in row:
            found.add((table, row))
    return found


@pytest.fixture
def ada(stranger: Api, boss: Client, track: Track) -> Api:
    """Somebody who has signed up on two devices, subscribed, listened, exported, and been looked at by support."""
    meta = json.loads(stranger.post("/_allauth/app/v1/auth/signup", ADA, User_Agent=f"{MARK} phone").content)["meta"]
    stranger.post("/_allauth/app/v1/auth/login", ADA, User_Agent=f"{MARK} tablet")
    listener = Listener.objects.get()
    phone = Api(stranger.client, token=meta["access_token"])
    lead_a_life(listener, phone, boss, track, MARK)
    PlatformWindow.objects.update(state=PlatformWindow.State.SYNCED)
    assert phone.post("me/exports").status_code == 202
    make_exports()
    assert {"accounts_user", "account_emailaddress", "usersessions_usersession", "django_admin_log", "sessions"} <= {
        table for table, _ in marks_left()
    }
    return phone


def test_nothing_leads_back_to_whoever_left(ada: Api) -> None:
    assert ada.delete("me").status_code == 204

    assert marks_left() == set()
    assert not User.objects.exclude(email="boss@example.org").exists()
    assert not Export.objects.exists()
    assert not ExportPart.objects.exists()
    assert not UserSession.objects.exists()
    assert not StreamHolder.objects.exists()


def test_plays_stay_under_the_pseudonym_and_so_does_what_they_are_paid_by(ada: Api) -> None:
    ada.delete("me")

    listener = Listener.objects.get()
    assert listener.user is None
    assert Play.objects.get().listener_id == Subscription.objects.get().listener_id == listener.pk
    assert list(Residence.objects.order_by("since").values_list("country", "changed_by")) == [
        ("GB", None),
        ("FR", None),
    ]
    assert Message.objects.filter(lane=listener.platform_id).exists()
    event = BillingEvent.objects.get(type="subscription.updated")
    assert (event.data["recurring_fee"], event.data["account_id"]) == (999, str(listener.pk))


def test_letters_that_come_later_are_forgotten_within_the_hour(ada: Api) -> None:
    listener = Listener.objects.get()
    ada.delete("me")
    letter_about(listener, MARK, number=2)
    assert {table for table, _ in marks_left()} == {"billing_billingevent", "bytes"}

    prune()

    assert marks_left() == set()


def test_who_has_left_is_found_without_reading_who_has_not(ada: Api) -> None:
    ada.delete("me")
    Listener.objects.bulk_create(Listener(country="GB") for _ in range(3000))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE accounts_listener")

    with CaptureQueriesContext(connection) as asked:
        assert forget_again(now=timezone.now()) == 1

    statements = [query["sql"] for query in asked if 'FROM "accounts_listener"' in query["sql"]]
    assert statements
    for table, rows, statement in rows_looked_at(statements):
        assert rows < 10, (table, rows, statement)


@pytest.mark.django_db(transaction=True)
def test_an_export_that_is_being_made_goes_along(listener: Listener) -> None:
    """Its parts come while the account is being closed."""
    export = Export.objects.create(listener=listener)

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            made = Export.objects.select_for_update().get(pk=export.pk)
            leaving = pool.submit(leave, listener)
            eventually_blocked()
            ExportPart.objects.create(export=made, number=0, content=b"all about Ada")
        leaving.result(20)

    assert not ExportPart.objects.exists()
    assert not Export.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_playlist_that_is_being_told_of_stops_nobody_from_leaving(listener: Listener) -> None:
    """Whoever writes down how the platform took it must not wait for whoever waits for that."""
    playlist = Playlist.objects.create(name="Morning", owner=listener, version=3)

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            settle(playlist, Playlist.Sync.SYNCED)
            leaving = pool.submit(leave, listener)
            eventually_blocked()
        leaving.result(20)

    listener.refresh_from_db()
    assert listener.closed_at is not None


def leave(listener: Listener) -> None:
    try:
        close_account(listener=listener, now=timezone.now())
    finally:
        connection.close()


def test_who_stays_is_left_alone(
    ada: Api, api: Callable[[Listener], Api], boss: Client, make_listener: Callable[..., Listener], track: Track
) -> None:
    prune()
    before = marks_left()
    other = make_listener()
    lead_a_life(other, api(other), boss, track, "other")

    assert api(other).delete("me").status_code == 204

    assert marks_left() == before
    assert ada.get("me").status_code == 200


def test_signing_up_again_starts_anew(ada: Api, stranger: Api) -> None:
    ada.delete("me")

    assert stranger.post("/_allauth/app/v1/auth/signup", ADA).status_code == 200

    assert Listener.objects.count() == 2
    assert Listener.objects.filter(closed_at=None).get().subscribed_since is None


def test_sessions_that_ran_out_are_dropped(ada: Api) -> None:
    kept = Session.objects.latest("expire_date")
    now = timezone.now()
    Session.objects.exclude(pk=kept.pk).update(expire_date=now - timedelta(seconds=1))

    assert prune_sessions(now=now) == 2

    assert Session.objects.get() == kept
    assert UserSession.objects.count() <= 1


def test_sessions_that_ran_out_are_found_by_joining(ada: Api) -> None:
    """What is not in a list that does not fit into memory is looked for in all of it, for every row anew."""
    with CaptureQueriesContext(connection) as asked:
        prune_sessions(now=timezone.now())

    statements = [query["sql"] for query in asked if 'DELETE FROM "usersessions_usersession"' in query["sql"]]
    assert statements
    for statement in statements:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {statement}")
            assert "SubPlan" not in str(cursor.fetchall()), statement


def test_what_staff_have_done_stays_when_they_leave(stranger: Api) -> None:
    signed = stranger.post("/_allauth/app/v1/auth/signup", ADA)
    token = json.loads(signed.content)["meta"]["access_token"]
    ada = User.objects.get()
    ada.is_staff = True
    ada.save()
    SecondFactor.objects.create(user=ada, secret="", since=timezone.now(), step=0, recovery=[])
    ada.groups.add(Group.objects.get(name="Support"))
    LogEntry.objects.log_actions(ada.pk, [ada, Plan.objects.all()[0]], CHANGE, change_message="Looked")

    assert Api(stranger.client, token=token).delete("me").status_code == 204

    husk = User.objects.get()
    assert {entry.user for entry in LogEntry.objects.all()} == {husk}
    assert (husk.is_staff, husk.is_active, husk.has_usable_password()) == (False, False, False)
    assert not husk.groups.exists()
    assert not SecondFactor.objects.exists()
    assert marks_left() == set()
