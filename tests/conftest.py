"""What the tests of every package start from."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.utils import timezone
from kombu import pools
from pytest_django import Settings

from accounts.actions import note_first_activation, register_listener
from accounts.models import Listener, User
from catalogue.models import Track
from config import celery_app
from outbox import wake
from outbox.platform import platform
from subscriptions.folding import Status
from subscriptions.models import Plan, Subscription
from tests.guard import leaks
from tests.helpers import Api, apply_member, release_event, token_for
from tests.mould import mould
from tests.sandbox.platform import KEY, SECRET, Database, Platform
from tests.wiping import wipe_quickly
from web import limits

# The same code gives the same answer, on every machine; HYPOTHESIS_PROFILE=wander looks for what nobody has met yet.
hypothesis.settings.register_profile("steady", max_examples=50, derandomize=True, database=None, deadline=None)
hypothesis.settings.register_profile("wander", max_examples=2000, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

wipe_quickly()


NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Where several workers share the tests, they migrate once for all of them."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        connection.settings_dict["TEST"]["TEMPLATE"] = mould()


@pytest.fixture(autouse=True)
def clean_slate() -> None:
    """Nothing that lives outside the database leaks from one test into the next."""
    cache.clear()
    limits._tally.forget()
    wake.forget_rest()


@pytest.fixture(autouse=True)
def plans(request: pytest.FixtureRequest) -> None:
    """The plans of the migration, which tests of committed transactions wipe away with everything else."""
    marker = request.node.get_closest_marker("django_db")
    if marker or "db" in request.fixturenames:
        request.getfixturevalue("transactional_db" if marker and marker.kwargs.get("transaction") else "db")
        rows = import_module("subscriptions.migrations.0002_plans").PLANS
        Plan.objects.bulk_create([Plan(**row) for row in rows], ignore_conflicts=True)


@pytest.fixture
def no_database(transactional_db: None) -> Iterator[None]:
    """A PostgreSQL that refuses every connection."""
    target = connection.settings_dict
    before = {name: target[name] for name in ("HOST", "PORT")}
    connection.close()
    target.update(HOST="127.0.0.1", PORT="9")
    yield
    connection.close()
    target.update(before)


@pytest.fixture
def at(settings: Settings) -> Iterator[Callable[..., None]]:
    """Let the platform be somewhere else, and have so much patience with it."""

    def move(origin: str, *, seconds: float = 5) -> None:
        settings.MASSIVEMUSIC = settings.MASSIVEMUSIC | {"api_url": f"{origin}/1.2", "total_seconds": seconds}
        platform.cache_clear()

    yield move
    platform.cache_clear()


@pytest.fixture
def no_broker() -> Iterator[None]:
    """A broker that refuses every connection."""
    yield from broker_at("redis://127.0.0.1:9/0")


def broker_at(url: str) -> Iterator[None]:
    """Let this process publish to another broker for the length of a test."""
    before = celery_app.conf.broker_write_url
    for target in (url, before):
        pools.reset()
        celery_app.amqp._producer_pool = None
        celery_app._pool = None
        celery_app.conf.broker_write_url = target
        if target is url:
            yield


@pytest.fixture
def make_listener(db: None) -> Callable[..., Listener]:
    """Make a listener who has signed up."""

    def make(country: str = "GB") -> Listener:
        user = User.objects.create_user(f"listener{User.objects.count()}@example.org", "correct horse")
        return register_listener(user=user, country=country, now=timezone.now())

    return make


@pytest.fixture
def boss(client: Client) -> Client:
    """The admin as a superuser sees it."""
    client.force_login(User.objects.create_superuser("boss@example.org", "correct horse"))
    return client


@pytest.fixture
def clerk(client: Client) -> Callable[..., Client]:
    """The admin as staff with these permissions, and no other, see it."""

    def make(*permissions: str) -> Client:
        user = User.objects.create_user("clerk@example.org", "correct horse", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client.force_login(user)
        return client

    return make


@pytest.fixture
def listener(make_listener: Callable[..., Listener]) -> Listener:
    return make_listener()


@pytest.fixture
def subscribe() -> Callable[..., Subscription]:
    """Give a listener a running subscription, as folded from billing."""

    def make(listener: Listener, **changes: Any) -> Subscription:
        now = timezone.now()
        start = now - timedelta(hours=1)
        plan = Plan.objects.get(code="premium-unlimited-streaming")
        note_first_activation(listener=listener, at=start)
        facts: dict[str, Any] = {
            "listener": listener,
            "external_id": f"sub-{listener.pk}",
            "plan": plan,
            "status": Status.ACTIVE,
            "recurring_fee": 999,
            "currency": "GBP",
            "country": listener.country,
            "activated_at": start,
            "starts_at": start,
            "expires_at": now + timedelta(days=20),
            "entitled_until": now + timedelta(days=20),
            "as_of": now,
        }
        facts |= changes
        return Subscription.objects.create(**{"entitled_from": facts["starts_at"]} | facts)

    return make


@pytest.fixture
def subscriber(listener: Listener, subscribe: Callable[..., Subscription]) -> Listener:
    subscribe(listener)
    return listener


@pytest.fixture
def shelve(db: None) -> Callable[..., list[Track]]:
    """Put a release on the shelves by a catalogue event; its tracks, in order."""

    def put(**changes: Any) -> list[Track]:
        event = release_event(**changes)
        assert apply_member(event) == "applied"
        return list(Track.objects.filter(release_id=event["id"], gone_at=None).order_by("track_number"))

    return put


@pytest.fixture
def track(shelve: Callable[..., list[Track]]) -> Track:
    return shelve()[0]


@pytest.fixture
def api() -> Callable[[Listener], Api]:
    """The API as one listener's phone calls it."""
    return lambda listener: Api(Client(), token=token_for(listener))


@pytest.fixture(scope="session")
def stand_in() -> Iterator[Platform]:
    """The platform's sandbox as a process of its own, for the whole session, waiting less than usual."""
    folder = Path(tempfile.mkdtemp(prefix="tonearm-platform-"))
    database = Database(server=os.environ["DATABASE_URL"], name=f"platform_{os.getpid()}")
    database.create()
    quick = {"SANDBOX_SLOW_SECONDS": "0.5", "SANDBOX_HANG_SECONDS": "6", "SANDBOX_LOG_PARTIAL": "reject"}
    running = Platform(database=database, var_dir=folder, settings=quick)
    running.prepare()
    running.start()
    yield running
    running.stop()
    database.drop()
    let_slip = leaks(running.log.read_text(), known=[SECRET])
    shutil.rmtree(folder, ignore_errors=True)
    assert not let_slip, "in the sandbox's log"


@pytest.fixture
def sandbox(stand_in: Platform, settings: Settings) -> Iterator[Platform]:
    """The sandbox, reached by our own client, with a clean journal and little patience for silence."""
    settings.MASSIVEMUSIC = settings.MASSIVEMUSIC | {
        "api_url": f"{stand_in.url}/1.2",
        "stream_url": stand_in.url,
        "media_url": stand_in.url,
        "previews_url": stand_in.url,
        "image_url": stand_in.url,
        "consumer_key": KEY,
        "consumer_secret": SECRET,
        "total_seconds": 3.0,
    }
    platform.cache_clear()
    stand_in.control("POST", "reset")
    yield stand_in
    stand_in.clear_faults()
    platform.cache_clear()


@pytest.fixture
def stranger() -> Api:
    """The API without a token."""
    return Api(Client(), token=None)
