"""What each role may do is written down for operators, and is what the admin answers."""

from __future__ import annotations

import logging
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.test import Client

from accounts.models import Listener, User
from catalogue.models import Track
from config.admin import entry
from config.roles import ROLES, codes, keep_roles
from tests.config.desks import AMISS, Rows, answered, extra_pages, page, rows_for

pytestmark = pytest.mark.django_db

NOBODY: Final = "nobody"


@pytest.fixture
def rows(listener: Listener, track: Track) -> Rows:
    return rows_for(listener, track)


def member_of(role: str) -> Client:
    """The admin as somebody sees it who is in this group alone, or in none."""
    user = User.objects.create_user("clerk@example.org", "correct horse", is_staff=True)
    if role != NOBODY:
        user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


def written(role: str) -> dict[str, set[str]]:
    """Row of the operators' table → what it says of a role."""
    said = Path(settings.BASE_DIR, "docs/operating.md").read_text().partition("\n## Staff and their roles\n")[2]
    lines = [line for line in said.partition("\n## ")[0].splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    roles = cells[0][1:]
    assert roles == list(ROLES)
    return {
        row[0].strip("`"): set()
        if role == NOBODY
        else {word for word in row[1 + roles.index(role)].split(", ") if word}
        for row in cells[2:]
    }


def asked(client: Client, rows: Rows) -> dict[str, set[str]]:
    """The same, as the admin answers it."""
    lists = {title(label): {name.replace("_", " ") for name in answered(client, row)} for label, row in rows.items()}
    pages: dict[str, set[str]] = defaultdict(set)
    for group, address in extra_pages(rows):
        pages[group].add("open" if client.get(address, follow=True).status_code not in AMISS else "")
    return lists | {group: said if len(said) > 1 else said - {""} for group, said in pages.items()}


def title(label: str) -> str:
    """As it stands in the sidebar."""
    return str(entry(label, "")["title"])


def test_there_is_a_row_of_every_model_in_the_admin(rows: Rows) -> None:
    assert set(rows) == {model._meta.label for model in admin.site._registry}


@pytest.mark.parametrize("role", [*ROLES, NOBODY])
def test_a_role_may_do_what_is_written_and_nothing_else(rows: Rows, role: str) -> None:
    assert asked(member_of(role), rows) == written(role)


def test_nobody_but_a_superuser_hands_out_rights(rows: Rows) -> None:
    client, listener = member_of(NOBODY), rows["accounts.User"]
    User.objects.get(email="clerk@example.org").user_permissions.set(Permission.objects.all())
    trainees = rows["auth.Group"]

    assert answered(client, trainees) == set()
    client.post(page(User, "change", listener.pk), {"is_active": "on", "is_staff": "on", "groups": [trainees.pk]})
    listener.refresh_from_db()
    assert not listener.is_staff
    assert not listener.groups.exists()


def test_support_keeps_no_staff_out(rows: Rows) -> None:
    boss = User.objects.filter(is_superuser=True).latest("date_joined")

    assert member_of("Support").post(page(User, "change", boss.pk), {}).status_code == 403


def test_not_even_a_superuser_deletes_a_login_or_changes_a_role(boss: Client, listener: Listener) -> None:
    editors = Group.objects.get(name="Editor")

    assert boss.get(page(User, "delete", listener.user_id)).status_code == 403
    assert boss.get(page(Group, "change", editors.pk)).status_code == 200
    assert boss.post(page(Group, "change", editors.pk), {"name": "Editor"}).status_code == 403
    assert boss.get(page(Group, "delete", editors.pk)).status_code == 403


@pytest.mark.parametrize("role", ROLES)
def test_a_role_names_only_permissions_that_exist(role: str) -> None:
    installed = {model._meta.label for model in apps.get_models()}
    wanted = set(codes({label: words for label, words in ROLES[role].items() if label in installed}))
    held = set(Group.objects.get(name=role).permissions.values_list("content_type__app_label", "codename"))

    assert held == wanted


def test_what_somebody_adds_to_a_role_goes_at_the_next_migrate_and_is_named(caplog: pytest.LogCaptureFixture) -> None:
    editors = Group.objects.get(name="Editor")
    before = set(editors.permissions.all())
    editors.permissions.add(Permission.objects.get(codename="change_plan"))
    editors.permissions.remove(Permission.objects.get(codename="view_track"))

    with caplog.at_level(logging.WARNING):
        call_command("migrate", verbosity=0)

    assert set(editors.permissions.all()) == before
    assert "Editor, of which it is not a right: subscriptions.change_plan" in caplog.text


def test_groups_of_ones_own_are_left_alone() -> None:
    interns = Group.objects.create(name="Interns")
    interns.permissions.add(Permission.objects.get(codename="view_track"))

    keep_roles()

    assert interns.permissions.count() == 1


def test_a_group_tells_what_it_was_given_and_what_was_taken(boss: Client, rows: Rows) -> None:
    group: Any = rows["auth.Group"]
    give, take = (Permission.objects.get(codename=code) for code in ("view_plan", "view_track"))
    group.permissions.add(take)

    boss.post(page(Group, "change", group.pk), {"name": "Interns", "permissions": [give.pk]})

    assert set(group.permissions.all()) == {give}
    said = boss.get(page(apps.get_model("admin.LogEntry"))).content.decode()
    assert "Gave subscriptions.view_plan. Took catalogue.view_track" in said
