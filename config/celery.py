"""The Celery app and the whole timetable. Tasks carry row ids; the rows carry the work."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery, signals

from config.broker import mend_transport

mend_transport()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("tonearm")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.task_prerun.connect
def drop_dead_connections(**_: Any) -> None:
    """What a request does for the web: a connection that PostgreSQL has closed is not used again."""
    from django.db import close_old_connections

    close_old_connections()


@signals.setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Connecting anything here stops Celery from replacing the handlers of settings.LOGGING."""
