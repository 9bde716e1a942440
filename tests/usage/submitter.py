"""Submitters that are killed at work. `python -m tests.usage.submitter [files] [sales]`.

Each line read is for how many seconds one may live, and perhaps at which of tests.usage.crash_points it
dies sooner: it cuts and carries whatever waits, as beat does without a broker, until it is killed or
nothing is left; which of the two is the answer. All are forks of this process, which has loaded
everything once: so one is at work in no time. What is named on the command line is done the naive way.
"""

from __future__ import annotations

import math
import os
import select
import signal
import sys
from functools import partial
from uuid import uuid4


def main(naive: list[str]) -> None:
    load()
    for what in naive:
        {"files": forget_names, "sales": sell_blindly}[what]()
    say("ready")
    for line in sys.stdin:
        seconds, *point = line.split()
        say(live(float(seconds), *point))


def load() -> None:
    import django

    django.setup()
    import pyarrow.parquet  # noqa: F401
    from django.conf import settings

    from outbox import wake
    from usage.bucket import bucket

    wake._quiet_until = math.inf  # there is no broker
    if settings.USAGE_CHANNEL == "bucket":
        _ = bucket()._client


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def live(seconds: float, point: str = "") -> str:
    """Let one live for so long, counted from when it is at work, or until it comes to a point."""
    begun, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            if point:
                die_at(point)
            submit(tell)
        except Exception:  # noqa: BLE001  # the fork must not go on as its parent
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    os.close(tell)
    os.read(begun, 1)
    os.close(begun)
    handle = os.pidfd_open(pid)
    select.select([handle], [], [], seconds)
    os.close(handle)
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    assert status in (0, signal.SIGKILL), status
    return "killed" if status else "ended"


def die_at(point: str) -> None:
    from tests.usage import crash_points

    crash_points.die_at(point)


def submit(tell: int) -> None:
    """Cut and carry until nothing is left."""
    from django.db import connection
    from django.utils import timezone

    from outbox.models import Message
    from outbox.sweep import sweep_outbox
    from usage.actions import batch_waiting_plays

    connection.ensure_connection()
    os.write(tell, b"!")
    busy = True
    while busy:
        batched = batch_waiting_plays(now=timezone.now())
        sweep_outbox()  # also where nothing can be claimed: a dead one's call may stand in the way
        busy = bool(batched) or Message.objects.claimable().exists()


def forget_names() -> None:
    """As anybody would begin: a file gets a name when it is sent."""
    from django.conf import settings

    from outbox import registry
    from outbox.registry import Delivery, Record
    from usage.actions import settle_batch
    from usage.bucket import bucket
    from usage.files import file_of
    from usage.models import PlayBatch, PlayState

    def deposit(delivery: Delivery) -> Record:
        batch = PlayBatch.objects.get(pk=delivery.body["batch_id"])
        bucket().put(f"{settings.USAGE_BUCKET_PREFIX}/{uuid4()}.parquet", file_of(batch))
        return partial(settle_batch, batch.pk, PlayBatch.State.SENT, PlayState.SENT)

    del registry._carriers["plays.deposit"]
    registry.handles("plays.deposit", neighbour="bucket")(deposit)


def sell_blindly() -> None:
    """As anybody would begin: a sale is told until somebody says that it was heard."""
    from django.utils import timezone

    from downloads.handlers import sale_of
    from downloads.models import Purchase
    from downloads.selling import confirm
    from massivemusic.sales import deliver_item
    from outbox import registry
    from outbox.platform import platform
    from outbox.registry import Delivery, Record

    def deliver(delivery: Delivery) -> Record:
        purchase = Purchase.objects.select_related("listener").get(pk=delivery.body["purchase_id"])
        delivered = deliver_item(platform(), sale_of(purchase))
        return partial(confirm, purchase.pk, platform_id=delivered.purchase_id, sold_at=timezone.now())

    del registry._carriers["purchase.deliver"]
    registry.handles("purchase.deliver")(deliver)


if __name__ == "__main__":
    main(sys.argv[1:])
