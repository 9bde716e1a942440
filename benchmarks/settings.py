"""The service's own settings, with two ceilings among its paths and no limits in the way."""

from config.settings import *  # noqa: F403
from config.settings import LIMITS

ROOT_URLCONF = "benchmarks.urls"
LIMITS = {scope: (10**9, seconds) for scope, (_, seconds) in LIMITS.items()}
LOG_LEVEL = "WARNING"
