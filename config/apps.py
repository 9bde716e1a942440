from typing import Any

from django.apps import AppConfig, apps
from django.contrib.admin import apps as admin_apps
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.models.signals import post_migrate, pre_migrate


class StaffAdminConfig(admin_apps.AdminConfig):
    default = False
    default_site = "config.site.StaffSite"


class ConfigConfig(AppConfig):
    name = "config"
    default = True

    def ready(self) -> None:
        """Refuse to start with a platform that cannot be spoken to safely, rather than fail at the first call."""
        from config.roles import keep_roles
        from outbox.platform import platform

        try:
            platform()
        except ValueError as error:
            raise ImproperlyConfigured(f"MASSIVEMUSIC_*: {error}") from None
        pre_migrate.connect(take_time)
        post_migrate.connect(hurry_again)
        last = [each for each in apps.get_app_configs() if each.models_module][-1]
        post_migrate.connect(keep_roles, sender=last)  # all permissions stand by then


def take_time(using: str, **_: Any) -> None:
    """A migration of a large table may take longer than anything else is allowed to."""
    with connections[using].cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")


def hurry_again(using: str, **_: Any) -> None:
    with connections[using].cursor() as cursor:
        cursor.execute("RESET statement_timeout")
