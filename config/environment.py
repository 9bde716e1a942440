"""The environment variables, and what is made of those that are missing. Read by the settings alone."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import environ
from django.core.exceptions import ImproperlyConfigured

from config.engines import var_dir

BASE_DIR: Final = Path(__file__).resolve().parent.parent
env: Final = environ.Env()
if (BASE_DIR / ".env").exists():
    env.read_env(BASE_DIR / ".env")

VAR_DIR: Final = var_dir()

# development: secrets are made up, mails are printed, plain HTTP is allowed, limits are generous.
ENVIRONMENT: Final = env.str("ENVIRONMENT", default="development")
if ENVIRONMENT not in {"development", "production"}:
    raise ImproperlyConfigured("ENVIRONMENT must be development or production")
PRODUCTION: Final = ENVIRONMENT == "production"
PORT: Final = env.int("PORT", default=8000)
ALLOWED_HOSTS: Final = env.list("ALLOWED_HOSTS", default=[] if PRODUCTION else ["*"])

missing: Final[list[str]] = []  # what production needs and has not got; the settings name it all at once


def required(name: str, in_development: str | None = None) -> str:
    """The variable's text. In production it must be there; in development `in_development` may stand in."""
    value: str = env.str(name, default="")
    if value or (not PRODUCTION and in_development is not None):
        return value or str(in_development)
    missing.append(name)
    return ""


def need(**values: object) -> None:
    """Note those that are missing, by their variables' names."""
    missing.extend(name for name, value in values.items() if not value)
