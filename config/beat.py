"""Beat that keeps time without a broker: what it cannot hand out, it does itself."""

from __future__ import annotations

import logging
from typing import Any

from celery.beat import ScheduleEntry, Scheduler
from django.db import close_old_connections

from outbox.wake import wake

log = logging.getLogger(__name__)


class Timetable(Scheduler):
    """The timetable of settings.CELERY_BEAT_SCHEDULE, kept in memory; every task in it survives running twice."""

    producer: Any = None  # Celery's own would wait here for the broker

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        name = str(entry.task)
        if wake(name):
            return
        close_old_connections()
        try:
            self.app.tasks[name]()
        except Exception:
            log.exception("%s failed in beat", name)
