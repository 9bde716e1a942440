"""The catalogue: whose music may be used, where it ought to play, and how long events are kept."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured

from config.environment import env
from kernel.values import is_country

# Licensors whose music may be used, by the platform's ids; none listed means everybody's.
LICENSORS = frozenset(env.list("LICENSORS", cast=int, default=[]))
# How long catalogue events are kept on which no release stands any more.
CATALOGUE_EVENT_DAYS = env.int("CATALOGUE_EVENT_DAYS", default=90)
# After how long without a catalogue event of a kind the doctor says so.
CATALOGUE_SILENCE_HOURS = env.int("CATALOGUE_SILENCE_HOURS", default=24)
# Where listeners are: the countries in which a curated playlist that is meant for everywhere ought to play.
MARKETS = env.list("MARKETS", default=["US", "JP", "GB", "DE", "FR"])
if not MARKETS or not all(map(is_country, MARKETS)):
    raise ImproperlyConfigured("MARKETS must be countries of two letters, separated by commas")
