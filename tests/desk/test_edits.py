"""Whatever staff edit in the admin is kept with who did it."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.actions import close_account
from accounts.models import Listener, User
from subscriptions.models import Plan
from tests.helpers import Api

pytestmark = pytest.mark.django_db


@pytest.fixture
def plan() -> Plan:
    return Plan.objects.get(code="premium-unlimited-streaming")


def save(boss: Client, plan: Plan, **changed: object) -> None:
    form = {"code": plan.code, "name": plan.name, "currency": "GBP", "recurring_fee": 999, "offline_devices": 3}
    form |= {"concurrent_streams": 1, "products": ""}
    page = reverse("admin:subscriptions_plan_change", args=[plan.pk])
    response = boss.post(page, form | changed)
    assert response.status_code == 302, response.content


def test_a_plans_fee_is_known_before_and_after(boss: Client, plan: Plan) -> None:
    save(boss, plan, recurring_fee=999)
    save(boss, plan, recurring_fee=1199)

    after, before = plan.history.all()[:2]

    assert (before.recurring_fee, after.recurring_fee) == (999, 1199)
    assert after.history_user.email == "boss@example.org"
    page = boss.get(reverse("admin:subscriptions_plan_history", args=[plan.pk])).content.decode()
    assert "boss@example.org" in page


def test_a_ban_is_known_until_the_account_is_closed(boss: Client, listener: Listener) -> None:
    page = reverse("admin:accounts_user_change", args=[listener.user_id])
    assert boss.post(page, {}).status_code == 302

    [ban] = User.history.filter(id=listener.user_id)

    assert (ban.is_active, ban.history_user.email) == (False, "boss@example.org")
    assert not {field.name for field in User.history.model._meta.fields} & {"email", "password", "last_login"}
    close_account(listener=Listener.objects.get(pk=listener.pk), now=timezone.now())
    assert not User.history.filter(id=ban.id).exists()


def test_signing_up_and_in_leaves_nothing(stranger: Api) -> None:
    wish = {"email": "new@example.com", "password": "correct horse battery", "country": "GB"}
    stranger.post("/_allauth/app/v1/auth/signup", wish)
    stranger.post("/_allauth/app/v1/auth/login", wish)

    assert User.objects.filter(email="new@example.com").exists()
    assert not User.history.exists()


def test_a_plan_lets_at_least_one_device_stream(boss: Client, plan: Plan) -> None:
    page = reverse("admin:subscriptions_plan_change", args=[plan.pk])

    response = boss.post(page, {"code": plan.code, "concurrent_streams": 0})

    assert "greater than or equal to 1" in response.content.decode()
