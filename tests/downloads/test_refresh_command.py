"""`manage.py refresh_locker`: what support does from a shell."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import Listener
from downloads.models import LockerTrack, Purchase
from tests.downloads import shop
from tests.downloads.test_refunds import standing
from tests.massivemusic.behaviours import ok
from tests.massivemusic.stage import Stage, reset

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", ["pk", "platform_id", "email"])
def test_says_what_it_found_and_what_differs(at: Callable[..., None], buyer: Listener, name: str) -> None:
    shop.sold(buyer, track_id=shop.TRACKS[1], platform_id=49193524)
    LockerTrack.objects.update(purchased_at=timezone.now() - timedelta(days=1))
    assert buyer.user is not None
    out = StringIO()
    with Stage(ok(standing(Purchase(platform_id=77)))) as stage:
        at(stage.origin)
        called = {"pk": str(buyer.pk), "platform_id": buyer.platform_id, "email": buyer.user.email}[name]
        call_command("refresh_locker", called, stdout=out)

    assert out.getvalue().splitlines() == [
        "1 track(s) are there, 0 purchase(s) were settled by it; 1 track(s) are only there, 1 only here",
        f"only there: Song 1 by , track {shop.TRACKS[0]} on release {shop.RELEASE}, purchase 77",
        f"only here, by T-1: Song 2 by The Lamplighters, track {shop.TRACKS[1]} on release {shop.RELEASE}, "
        "purchase 49193524",
    ]


@pytest.mark.parametrize("name", ["nobody", "", "\x00", "nobody@example.org", "00000000-0000-0000-0000-000000000007"])
def test_of_nobody_it_says_so(db: None, name: str) -> None:
    with pytest.raises(CommandError, match="there is no such listener"):
        call_command("refresh_locker", name)


def test_a_platform_that_does_not_answer_changes_nothing(at: Callable[..., None], buyer: Listener) -> None:
    shop.sold(buyer)
    with Stage(reset) as stage:
        at(stage.origin)
        with pytest.raises(CommandError, match="nothing was changed"):
            call_command("refresh_locker", str(buyer.pk))

    assert not LockerTrack.objects.exclude(read_at=None).exists()
