"""Every page of the admin opens for the people who work there, and for nobody else."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Listener, User
from catalogue.actions import apply_batch
from catalogue.models import CatalogueEvent, Track
from config.admin import SIDEBAR, sidebar
from tests.helpers import release_event, stored_event
from usage.models import Play

pytestmark = pytest.mark.django_db

SHOWN = sorted(admin.site._registry.items(), key=lambda pair: pair[0]._meta.label)
LISTS = pytest.mark.parametrize(("model", "desk"), SHOWN, ids=[model._meta.label for model, _ in SHOWN])


def page(model: Any, name: str = "changelist", *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


@LISTS
def test_every_list_opens(boss: Client, model: Any, desk: ModelAdmin[Any]) -> None:
    assert boss.get(page(model)).status_code == 200


@LISTS
@pytest.mark.parametrize("text", ["abc", "7", "00000000-0000-0000-0000-000000000007", "ﬀ’%_\\", "é" * 300])
def test_every_list_can_be_searched_for_anything(boss: Client, model: Any, desk: ModelAdmin[Any], text: str) -> None:
    response = boss.get(page(model), {"q": text}, follow=True)

    assert response.status_code == 200
    assert "?e=1" not in str(response.redirect_chain)  # what the admin does with a search it cannot run


@LISTS
def test_no_list_opens_for_a_listener(client: Client, listener: Listener, model: Any, desk: ModelAdmin[Any]) -> None:
    client.force_login(listener.user)

    assert client.get(page(model)).status_code == 302


def test_a_listener_and_a_track_open(boss: Client, subscriber: Listener, track: Track) -> None:
    for row in (subscriber, subscriber.user, track, track.release):
        assert boss.get(page(type(row), "change", row.pk)).status_code == 200


def test_events_are_found_by_their_release_and_can_be_applied_again(boss: Client) -> None:
    member = release_event(4711)
    event = stored_event(body=json.dumps([member, None]).encode(), members=[member, None])
    apply_batch()

    listed = boss.get(page(CatalogueEvent), {"q": "4711"})
    assert [row.pk for row in listed.context["cl"].result_list] == [event.pk]
    assert list(boss.get(page(CatalogueEvent), {"q": "4712"}).context["cl"].result_list) == []
    boss.post(page(CatalogueEvent), {"action": "try_again", "_selected_action": [event.pk]})
    event.refresh_from_db()
    assert event.state == "WAITING"


def test_the_ledger_cannot_be_written_by_hand(boss: Client) -> None:
    assert boss.get(page(Play, "add")).status_code == 403


def test_the_front_page_opens(boss: Client) -> None:
    assert boss.get(reverse("admin:index")).status_code == 200


def test_the_sidebar_knows_every_list() -> None:
    assert {label for group in SIDEBAR.values() for label in group} == {model._meta.label for model, _ in SHOWN}


def test_the_sidebar_shows_what_one_may_look_at(rf: RequestFactory) -> None:
    editor = User.objects.create_user("editor@example.org", "correct horse", is_staff=True)
    editor.user_permissions.add(Permission.objects.get(codename="view_release"))
    request = rf.get("/admin/")
    request.user = editor

    assert [(group["title"], [item["title"] for item in group["items"]]) for group in sidebar(request)] == [
        ("Catalogue", ["Releases"])
    ]


def test_the_sidebar_leads_to_the_explainer(clerk: Callable[..., Client]) -> None:
    groups = clerk("view_track").get(reverse("why")).context["sidebar_navigation"]

    assert [(group["title"], [str(item["link"]) for item in group["items"]]) for group in groups] == [
        ("Listeners", [reverse("why")]),
        ("Catalogue", [page(Track)]),
    ]


@LISTS
def test_no_list_counts_a_table_however_it_is_asked(boss: Client, model: Any, desk: ModelAdmin[Any]) -> None:
    assert desk.search_fields
    with CaptureQueriesContext(connection) as captured:
        shown = boss.get(page(model), {"_facets": "True"})
        for address in ["?q=7", *choices(shown.context["cl"])]:
            assert boss.get(f"{page(model)}{address}").status_code == 200, address

    asked = [str(query["sql"]) for query in captured.captured_queries]
    assert [sql for sql in asked if sql.startswith("SELECT COUNT(") and " LIMIT " not in sql] == []


def choices(changelist: Any) -> list[str]:
    """Where each choice of each filter leads."""
    return [each["query_string"] for spec in changelist.filter_specs for each in spec.choices(changelist)]
