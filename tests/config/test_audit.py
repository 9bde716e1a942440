"""Whatever staff do in the admin is written down: who did it, to what, and what stood there before."""

from __future__ import annotations

from typing import Any, Final

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from accounts.models import Listener, User
from catalogue.models import Track
from subscriptions.models import Plan
from tests.config.desks import Rows, acted, actions, page, rows_for
from usage.models import Difference

pytestmark = pytest.mark.django_db

# Actions that only lead to another page; where that changes something, it is tested below.
WAYS: Final = {"bring", "events", "give", "locker", "raw", "resolve", "sign", "why", "withdraw"}
# Actions that ask something first, each with an answer.
QUESTIONS: Final[dict[tuple[str, str], dict[str, Any]]] = {
    ("downloads.Purchase", "was_sold"): {"platform_id": 7, "sold_at": ""},
    ("downloads.Purchase", "was_not_sold"): {},
    ("downloads.Purchase", "sell_again"): {},
    ("downloads.Purchase", "take_back"): {"reason": "sorry"},
    ("downloads.Refund", "ask_again"): {},
    ("downloads.Refund", "let_stand"): {"reason": "accounted for"},
}
# It asks the platform too: see tests/downloads/test_desk.py.
ELSEWHERE: Final = {("downloads.Purchase", "look_now")}
DEEDS: Final = sorted(
    (model._meta.label, name)
    for model, desk in admin.site._registry.items()
    for name in set(actions(desk)) - WAYS
    if (model._meta.label, name) not in QUESTIONS.keys() | ELSEWHERE
)
# What the log says of an action, by its name; of the others, only what was done.
BEFORE: Final = {
    "try_again": "DEAD", "give_up": "DEAD", "handle_again": "DEAD", "was_taken": "IN_DOUBT", "was_not": "IN_DOUBT",
    "release": "HELD", "keep_back": "HELD",
}  # fmt: skip


@pytest.fixture
def rows(listener: Listener, track: Track) -> Rows:
    return rows_for(listener, track)


def latest() -> LogEntry:
    return LogEntry.objects.latest("pk")


@pytest.mark.parametrize(("label", "name"), DEEDS, ids=[f"{label}.{name}" for label, name in DEEDS])
def test_every_action_is_written_down(boss: Client, rows: Rows, label: str, name: str) -> None:
    before = LogEntry.objects.count()

    assert acted(boss, rows[label], name)

    assert LogEntry.objects.count() == before + 1
    assert latest().user.email == "boss@example.org"
    assert latest().get_change_message()
    assert BEFORE.get(name, "") in latest().get_change_message()


def test_an_action_that_does_nothing_says_nothing(boss: Client, rows: Rows) -> None:
    for label, state in {"outbox.Message": "WAITING", "billing.BillingEvent": "WAITING", "usage.Play": "SENT"}.items():
        rows[label].state = state
        rows[label].save()
    rows["catalogue.CatalogueEvent"].__class__.objects.update(state="WAITING")
    before = LogEntry.objects.count()

    for label, name in DEEDS:
        if name in {"try_again", "give_up", "handle_again", "release", "keep_back"}:
            acted(boss, rows[label], name)

    assert LogEntry.objects.count() == before


def test_a_move_is_written_down_with_both_countries(boss: Client, rows: Rows) -> None:
    assert boss.post(page(Listener, "change", rows["accounts.Listener"].pk), {"country": "DE"}).status_code == 302

    assert latest().get_change_message() == "Country from GB to DE"


@pytest.mark.parametrize(
    ("way", "form"),
    [
        ("gift", {"plan": "premium-unlimited-streaming", "days": 3, "reason": "sorry", "gift_id": "0" * 32}),
        ("resolve", {"resolution": "OURS", "note": "a letter"}),
        ("sign", {"note": ""}),
        ("withdraw", {"sure": "yes"}),
    ],
)
def test_what_a_page_does_is_written_down(boss: Client, rows: Rows, way: str, form: dict[str, Any]) -> None:
    report, difference = rows["usage.UsageReport"], rows["usage.Difference"]
    if way == "sign":
        Difference.objects.all().delete()
    address = {
        "gift": reverse("gift", args=[rows["accounts.Listener"].pk]),
        "resolve": f"{reverse('resolve')}?id={difference.pk}",
        "sign": reverse("sign_report", args=[report.pk]),
        "withdraw": reverse("withdraw_report", args=[report.pk]),
    }[way]
    before = LogEntry.objects.count()

    assert boss.post(address, form).status_code == 302

    assert LogEntry.objects.count() == before + 1


@pytest.mark.parametrize(("label", "name"), QUESTIONS, ids=[f"{label}.{name}" for label, name in QUESTIONS])
def test_what_is_answered_is_written_down(boss: Client, rows: Rows, label: str, name: str) -> None:
    row, before = rows[label], LogEntry.objects.count()
    was = row.state

    assert acted(boss, row, name)
    assert LogEntry.objects.count() == before
    assert boss.post(page(row, name, row.pk), QUESTIONS[label, name]).status_code == 302

    assert LogEntry.objects.count() == before + 1
    assert f"(was {was})" in latest().get_change_message()


@pytest.mark.parametrize(("model", "change"), [(User, {}), (Plan, {"recurring_fee": 1199})])
def test_what_a_form_changes_is_kept_as_it_was(boss: Client, rows: Rows, model: Any, change: dict[str, Any]) -> None:
    row: Model = rows[model._meta.label]
    form = {field.name: row.serializable_value(field.name) for field in row._meta.fields} if model is Plan else {}
    given = {name: value for name, value in form.items() if value not in (None, False, [])} | change

    assert boss.post(page(model, "change", row.pk), given).status_code == 302

    assert latest().object_id == str(row.pk)
    assert model.history.filter(pk__isnull=False).latest("history_date").history_user.email == "boss@example.org"


def test_nobody_changes_the_log(boss: Client, rows: Rows) -> None:
    entry = rows["admin.LogEntry"]

    assert boss.get(page(LogEntry, "add")).status_code == 403
    assert boss.post(page(LogEntry, "change", entry.pk), {}).status_code == 403
    assert boss.get(page(LogEntry, "delete", entry.pk)).status_code == 403


def test_the_log_is_searched_by_who_and_by_what(boss: Client, rows: Rows) -> None:
    acted(boss, rows["outbox.Message"], "give_up")

    for text in ("boss@example.org", "Given up", str(rows["outbox.Message"].pk)):
        shown = boss.get(page(LogEntry), {"q": text}).context["cl"].result_list
        assert latest() in shown, text
