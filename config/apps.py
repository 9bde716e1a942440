from django.apps import AppConfig
from django.core.exceptions import ImproperlyConfigured


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        """Refuse to start with a platform that cannot be spoken to safely, rather than fail at the first call."""
        from outbox.platform import platform

        try:
            platform()
        except ValueError as error:
            raise ImproperlyConfigured(f"MASSIVEMUSIC_*: {error}") from None
