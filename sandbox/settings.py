"""All settings of the stand-in, from the environment. None of them is a setting of the real platform.

Names beginning with SANDBOX_ are choices: where the documentation is silent or can be read in
two ways, the default is our reading and the variable lets a test try the other one.
"""

from __future__ import annotations

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import conninfo_to_dict


def words(name: str, default: str = "") -> list[str]:
    """A comma list."""
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]


def number(name: str, default: float) -> float:
    try:
        return float(os.environ.get(name) or default)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a number") from None


def flag(name: str) -> bool:
    return os.environ.get(name, "").lower() in ("1", "true", "yes", "on")


def choice(name: str, *allowed: str) -> str:
    """One of `allowed`, the first by default."""
    value = os.environ.get(name) or allowed[0]
    if value not in allowed:
        raise ImproperlyConfigured(f"{name} must be one of: {', '.join(allowed)}")
    return value


def database(url: str) -> dict[str, object]:
    """Django's words for a PostgreSQL URL; `postgres://user@/name?host=/socket/folder` is fine."""
    parts = conninfo_to_dict(url)
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    return {"ENGINE": "django.db.backends.postgresql"} | {ours: parts.get(theirs, "") for ours, theirs in names.items()}


# --- Where things are -------------------------------------------------------------------------

if not os.environ.get("SANDBOX_DATABASE_URL"):
    raise ImproperlyConfigured("SANDBOX_DATABASE_URL is not set; it wants a PostgreSQL URL of the sandbox's own")

# The sandbox's own database. Connections are kept for a minute: a request costs one less round trip.
DATABASES = {"default": database(os.environ["SANDBOX_DATABASE_URL"]) | {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}}

# Keys, encoded audio and drawn covers live here; all of it can be made again, except the keys.
HOME = Path(os.environ.get("VAR_DIR") or "var").resolve() / "sandbox"

# The port on 127.0.0.1.
PORT = int(number("SANDBOX_PORT", 8001))

# A folder of real audio files to fill the shelves from; without it there is the demo label.
MUSIC = Path(os.environ["MUSIC"]).resolve() if os.environ.get("MUSIC") else None

# --- Who may call -----------------------------------------------------------------------------

# Consumer keys and their secrets: the one our service uses, and more as "key:secret,key:secret".
# They all belong to one partner, so they see the same users.
CONSUMERS = dict(pair.split(":", 1) for pair in words("SANDBOX_CONSUMERS"))
CONSUMERS[os.environ.get("MASSIVEMUSIC_CONSUMER_KEY") or "sandbox-key"] = (
    os.environ.get("MASSIVEMUSIC_CONSUMER_SECRET") or "sandbox-secret"
)

# The origins a signature may have been made for. The Host header is never asked.
PUBLIC_ORIGINS = words("SANDBOX_PUBLIC_ORIGINS", f"http://127.0.0.1:{PORT},http://localhost:{PORT}")

# The countries the keys are licensed for ("the country to which your key has access"); empty = all.
COUNTRIES = words("SANDBOX_COUNTRIES")

# How far an oauth_timestamp of an API call may be from our clock, in seconds, either way. Nonces
# are remembered for as long.
TIMESTAMP_SECONDS = number("SANDBOX_TIMESTAMP_SECONDS", 300)

# Calls per key and day, 0 = no limit. Beyond it the answer is 429.
QUOTA = int(number("SANDBOX_QUOTA", 0))

# --- How answers look -------------------------------------------------------------------------

# Errors with HTTP 200, as some calls answered before June 2023. (401 and 429 keep their status.)
LEGACY200 = flag("SANDBOX_LEGACY200")

# HTTP statuses that are not documented, as "code:status"; codes not named here fall back on their family.
STATUSES = {
    int(code): int(status)
    for code, status in (
        pair.split(":") for pair in words("SANDBOX_STATUSES", "2001:404,2002:403,2003:409,3201:403,1008:400")
    )
}

# JSON answers are not uniform: some carry `status` and `version`, some do not. This adds them everywhere.
STATUS_EVERYWHERE = flag("SANDBOX_STATUS_EVERYWHERE")

# --- Subscriptions ----------------------------------------------------------------------------

# Plan codes that exist. A code containing "trial" is a trial plan.
PLAN_CODES = words(
    "SANDBOX_PLAN_CODES", "premium-unlimited-streaming,standard-unlimited-streaming,trial-unlimited-streaming"
)

# Rule R2, "no more than 1 day from now": strict looks both ways, lenient only into the future.
R2 = choice("SANDBOX_R2", "strict", "lenient")

# --- Streams ----------------------------------------------------------------------------------

# formatIds that can be streamed (if an encoder is at hand): 17 MP3 320, 26 MP3 128, 45 FLAC, 55 HE-AAC 64, 56 AAC 160.
STREAM_FORMATS = [int(word) for word in words("SANDBOX_STREAM_FORMATS", "17,26,45,55,56")]

# How long a signed media URL lives, and the URL of one HLS segment, in seconds.
STREAM_LIFETIME_SECONDS = number("SANDBOX_STREAM_LIFETIME_SECONDS", 3600)
SEGMENT_LIFETIME_SECONDS = number("SANDBOX_SEGMENT_LIFETIME_SECONDS", 900)

# A media URL works once. range: once as a whole, and any number of Range requests go on with it;
# strict: one answer, then never again; off: as often as you like while it lives.
SINGLE_USE = choice("SANDBOX_SINGLE_USE", "range", "strict", "off")

# How long a device is refused (3201) after another took its place, in seconds from the takeover.
STREAM_BLOCK_SECONDS = number("STREAM_BLOCK_SECONDS", 60)

# --- Offline devices ---------------------------------------------------------------------------

# Plan codes that contain one of these words may go offline.
OFFLINE_PLANS = words("SANDBOX_OFFLINE_PLANS", "premium")

# How many devices of one user may be enabled at a time, and how many tracks each is told it may keep.
OFFLINE_DEVICES = int(number("SANDBOX_OFFLINE_DEVICES", 3))
OFFLINE_TRACKS = int(number("SANDBOX_OFFLINE_TRACKS", 4000))

# --- Play logs --------------------------------------------------------------------------------

# What happens to the good plays of a batch in which others fail: reject drops all, keep keeps the good ones.
LOG_PARTIAL = choice("SANDBOX_LOG_PARTIAL", "reject", "keep")

# Fields every play must have. The guide calls formatId and playMode optional, the reference page does not.
LOG_REQUIRED = words(
    "SANDBOX_LOG_REQUIRED", "trackId,releaseId,formatId,playMode,dateTimePlayed,totalTimePlayed,userAgent"
)

# Plays per call, 0 = no limit: "10 to 20" is advice. And the largest body, in bytes.
LOG_MAX_ITEMS = int(number("SANDBOX_LOG_MAX_ITEMS", 0))
DATA_UPLOAD_MAX_MEMORY_SIZE = int(number("SANDBOX_MAX_BODY_BYTES", 1024 * 1024))

# --- Sales, downloads, previews -----------------------------------------------------------------

# Fields every sale must have beyond user, release, country and transaction. The guide calls retailPrice
# optional, the reference page does not; the currency's name is our choice.
SALE_REQUIRED = words("SANDBOX_SALE_REQUIRED", "retailPrice,currency")

# Countries in which a sale may name a postcode: the guide says US, the reference page US and Canada.
POSTCODE_COUNTRIES = words("SANDBOX_POSTCODE_COUNTRIES", "US,CA")

# The day of the next month on which, at 00:00 UTC, a sale can no longer be refunded. Three texts say 4th or 5th.
REFUND_DAY = int(choice("SANDBOX_REFUND_DAY", "5", "4"))

# How often a track can be downloaded by one sale.
DOWNLOADS = int(number("SANDBOX_DOWNLOADS", 5))

# Where the URL stands in a locker's `downloadUrl`: beside its format, or inside of it.
LOCKER_URLS = choice("SANDBOX_LOCKER_URLS", "beside", "inside")

# Previews per call ("up to 500 logs per request").
PREVIEW_MAX_ITEMS = int(number("SANDBOX_PREVIEW_MAX_ITEMS", 500))

# --- Playlists --------------------------------------------------------------------------------

# How much of a playlist stands in a list of them: full says everything but its tracks, brief leaves
# description, tags and annotations out.
PLAYLIST_LISTS = choice("SANDBOX_PLAYLIST_LISTS", "full", "brief")

# What replacing and deleting answer: the playlist (an empty envelope for a deleted one), or 204 without a word.
PLAYLIST_ANSWERS = choice("SANDBOX_PLAYLIST_ANSWERS", "playlist", "nothing")

# Tracks that one call may bring, 0 = no limit.
PLAYLIST_MAX_TRACKS = int(number("SANDBOX_PLAYLIST_MAX_TRACKS", 0))

# --- Catalogue events -------------------------------------------------------------------------

# Where release events go: our service's door for standard metadata.
EVENTS_URL = (
    os.environ.get("SANDBOX_EVENTS_URL")
    or f"http://127.0.0.1:{os.environ.get('PORT') or 8000}/webhooks/catalogue/standard"
)

# How long to wait before an event is tried a second, third, … time, in seconds. The platform itself
# spreads five or six tries over 12 hours.
EVENTS_PAUSES = [float(word) for word in words("SANDBOX_EVENTS_PAUSES", "0.2,0.5,1")]

# The scheme word before the token in the Authorization header; empty = the bare token.
EVENTS_SCHEME = os.environ.get("SANDBOX_EVENTS_SCHEME", "Bearer")

# --- Faults -----------------------------------------------------------------------------------

# How long `slow` waits before it answers, and how long `hang` and `endless` go on, in seconds.
SLOW_SECONDS = number("SANDBOX_SLOW_SECONDS", 3)
HANG_SECONDS = min(number("SANDBOX_HANG_SECONDS", 50), 60)

# --- Django -----------------------------------------------------------------------------------

# Threads per worker; faults that wait may hold half of them.
WORKERS = int(number("SANDBOX_WORKERS", 2))
THREADS = int(number("SANDBOX_THREADS", 16))

INSTALLED_APPS = ["sandbox"]
MIDDLEWARE = ["sandbox.faults.Faults", "sandbox.gate.Border"]
ROOT_URLCONF = "sandbox.urls"
ALLOWED_HOSTS = ["*"]  # bound to the loopback address, and the Host header is never used
APPEND_SLASH = False
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {
        "django": {"handlers": ["console"], "level": "ERROR", "propagate": False},
        "sandbox": {"handlers": ["console"], "level": "INFO", "propagate": False},
    },
}
