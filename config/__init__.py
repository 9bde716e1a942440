"""The top floor: settings, URLs, Celery, and the commands that run everything on one machine."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
