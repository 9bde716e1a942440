"""All settings, from the environment. `.env.example` lists every variable; each is explained where it is read.

In development whatever is missing is made up and kept below VAR_DIR. In production nothing is
made up: the first start names everything that is missing.
"""

from __future__ import annotations

import sys
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from config import environment
from config.account_settings import *  # noqa: F403
from config.account_settings import SOCIALACCOUNT_PROVIDERS
from config.billing_settings import *  # noqa: F403
from config.catalogue_settings import *  # noqa: F403
from config.embedded import Postgres, Valkey
from config.engines import DATABASE
from config.environment import ALLOWED_HOSTS, BASE_DIR, PRODUCTION, VAR_DIR, env, missing, required
from config.keys import kept, make_secret
from config.usage_settings import *  # noqa: F403

ENVIRONMENT = environment.ENVIRONMENT
PORT: int = environment.PORT
DEBUG = False  # its error pages show secrets; development reads the log instead

# --- Who we are ------------------------------------------------------------------------------

SECRET_KEY = env.str("SECRET_KEY", default="") or (
    "" if PRODUCTION else kept(VAR_DIR / "keys" / "secret_key", make_secret)
)
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])  # earlier keys, during rotation
if not SECRET_KEY:
    missing.append("SECRET_KEY")

CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# How many proxies of ours stand in front: so many hops from the right of X-Forwarded-For are believed.
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)
MIN_APP_VERSION = env.str("MIN_APP_VERSION", default="1.0.0")  # told to phones by /config

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
FORMAT_MODULE_PATH = "config.formats"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.simple_history",
    "config.apps.StaffAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "allauth.usersessions",
    "allauth.headless",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "simple_history",
    "web",
    "outbox",
    "accounts",
    "billing",
    "catalogue",
    "subscriptions",
    "playlists",
    "usage",
    "downloads",
    "previews",
    "streaming",
    "reports",
    "config",
]
if SOCIALACCOUNT_PROVIDERS:
    _social = [f"allauth.socialaccount.providers.{name}" for name in SOCIALACCOUNT_PROVIDERS]
    _place = INSTALLED_APPS.index("allauth.headless")
    INSTALLED_APPS[_place:_place] = ["allauth.socialaccount", *_social]

# Cookies and messages belong to the admin and to sign-in; the API path does without them.
MIDDLEWARE = [
    "web.trace.TraceMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "web.bodies.BodyCapMiddleware",
    "config.middleware.UnavailableMiddleware",
    "config.middleware.ConditionalGetMiddleware",
    "config.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "config.middleware.AuthenticationMiddleware",
    "config.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",  # allauth insists on this very name
    "config.middleware.HistoryMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True  # serves the apps' own files; nothing has to be collected first

# --- PostgreSQL and Valkey: embedded unless a URL says otherwise --------------------------------

DATABASE_URL = required("DATABASE_URL", in_development="embedded")
if DATABASE_URL in {"", "embedded"}:
    DATABASE_URL = Postgres(VAR_DIR).url(DATABASE)
_database = environ.Env.db_url_config(DATABASE_URL)
POSTGRESQL = {
    # Nothing of ours takes long in the database: what does is stuck and lets go by itself.
    "statement_timeout": "15s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "30s",
    "plan_cache_mode": "force_generic_plan",
}
DATABASES: dict[str, Any] = {
    "default": _database
    | {
        "ENGINE": "config.postgres",
        "CONN_MAX_AGE": None,  # connections live as long as their thread
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": _database.get("OPTIONS", {})
        | {
            "connect_timeout": 5,
            # For the hot paths' prepared statements: planned once, at their first use. (Django's own
            # statements are bound by the client and never prepared.)
            "prepare_threshold": 0,
            "options": " ".join(f"-c {name}={value}" for name, value in POSTGRESQL.items()),
        },
    }
}

REDIS_URL = required("REDIS_URL", in_development="embedded")
if REDIS_URL in {"", "embedded"}:
    REDIS_URL = Valkey(VAR_DIR).url()
CACHES = {
    "default": {
        "BACKEND": "web.cache.SturdyCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "tonearm",
        "OPTIONS": {"socket_timeout": 0.25, "socket_connect_timeout": 0.25},
    }
}

# --- Celery: carries row ids, keeps nothing ------------------------------------------------------

_unix = REDIS_URL.removeprefix("unix://") if REDIS_URL.startswith("unix://") else ""
_socket, _, _query = _unix.partition("?")
CELERY_BROKER_URL = f"redis+socket://{_socket}?virtual_host={_query.removeprefix('db=') or 0}" if _unix else REDIS_URL
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 300,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_timeout": 1,  # a broker that hangs must not hold a request
    "socket_connect_timeout": 1,
    # ... and neither must one that refuses: the sweep is the retry.
    "max_retries": 0,
    "interval_start": 0,
    "interval_step": 0,
    "interval_max": 0,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 45  # below the outbox's lease
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_DB_REUSE_MAX = 1_000_000_000  # keep connections between tasks; config.celery drops the dead ones
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"

# How often waiting plays are made into batches (Streaming guide §5: near real time, or the same day).
USAGE_EVERY_SECONDS = env.int("USAGE_EVERY_SECONDS", default=60)
CELERY_BEAT_SCHEDULER = "config.beat:Timetable"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5
CELERY_BEAT_SCHEDULE = {
    "accounts.export": {"task": "accounts.export", "schedule": 30.0},
    "accounts.prune": {"task": "accounts.prune", "schedule": 3600.0},
    "outbox.sweep": {"task": "outbox.sweep", "schedule": 10.0},
    "billing.prune": {"task": "billing.prune", "schedule": 3600.0},
    "billing.sweep": {"task": "billing.sweep", "schedule": 10.0},
    "catalogue.apply": {"task": "catalogue.apply", "schedule": 2.0},  # a takedown must not wait
    "catalogue.prune": {"task": "catalogue.prune", "schedule": 3600.0},
    "streaming.settle": {"task": "streaming.settle", "schedule": 60.0},
    "streaming.prune": {"task": "streaming.prune", "schedule": 3600.0},
    "subscriptions.extend": {"task": "subscriptions.extend", "schedule": 600.0},
    "usage.batch": {"task": "usage.batch", "schedule": float(USAGE_EVERY_SECONDS)},
    "downloads.prune": {"task": "downloads.prune", "schedule": 3600.0},
    "previews.batch": {"task": "previews.batch", "schedule": float(USAGE_EVERY_SECONDS)},
    "previews.prune": {"task": "previews.prune", "schedule": 3600.0},
    "web.prune": {"task": "web.prune", "schedule": 3600.0},
    "usage.partitions": {"task": "usage.partitions", "schedule": 3600.0},
}

# --- E-mail ----------------------------------------------------------------------------------------

# In development e-mails are kept as files: they carry keys that have no business in a log.
vars().update(
    env.email_url("EMAIL_URL", default="smtp://localhost:25" if PRODUCTION else f"filemail:///{VAR_DIR / 'mail'}")
)
EMAIL_TIMEOUT = 5
DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", default="noreply@localhost")

# --- The API ---------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.http.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["web.callers.IsListener"],
    "DEFAULT_PARSER_CLASSES": ["web.bodies.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_THROTTLE_CLASSES": ["web.limits.ScopeThrottle"],
    "DEFAULT_PAGINATION_CLASS": "web.pages.Pages",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "web.exceptions.handle",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
APPEND_SLASH = False

# Requests per window of seconds, per listener or, before sign-in, per address.
_generous = 1 if PRODUCTION else 50
LIMITS = {
    "api": (600 * _generous, 60),
    "streams": (60 * _generous, 60),
    "offline": (300 * _generous, 60),
    "plays": (120 * _generous, 60),
    "exports": (5 * _generous, 3600),
    "webhooks": (60_000, 60),
    "second_factor": (10, 3600),  # six digits, three of which are good at a time
}

# The most bytes a body may have, by path; gzip bodies count inflated.
KIB, MIB = 1024, 1024 * 1024
BODY_CAP = 64 * KIB
BODY_CAPS = {
    "/webhooks/billing/stripe": 256 * KIB,
    "/webhooks/billing/apple": 256 * KIB,
    "/webhooks/catalogue/": 10 * MIB,
    "/api/v1/plays": MIB,
    "/api/v1/previews": MIB,
    "/admin/": 10 * MIB,
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * MIB

SPECTACULAR_SETTINGS = {
    "TITLE": "Tonearm",
    "DESCRIPTION": "The API of a music service on the MassiveMusic platform, for its apps and billing systems.",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"persistAuthorization": False, "tryItOutEnabled": True},
    "ENUM_NAME_OVERRIDES": {
        "UnplayableReasonEnum": "catalogue.rules.Reason",
        "PlaylistStatusEnum": ["published"],
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.schema.describe_tags",
        "config.schema.describe_problems",
    ],
}

# --- Doors ---------------------------------------------------------------------------------------------

# Comma list of PEM files with the platform's public keys for catalogue events; two during rotation.
CATALOGUE_EVENT_PUBLIC_KEYS = env.list("CATALOGUE_EVENT_PUBLIC_KEYS", default=[])

# The bearer token that /metrics asks for. None: there is no /metrics.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="") or (
    "" if PRODUCTION else kept(VAR_DIR / "keys" / "metrics_token", make_secret)
)

# --- The platform ----------------------------------------------------------------------------------------

SANDBOX_PORT = env.int("SANDBOX_PORT", default=8001)
_sandbox = f"http://127.0.0.1:{SANDBOX_PORT}"
MASSIVEMUSIC: dict[str, Any] = {
    "api_url": required("MASSIVEMUSIC_API_URL", in_development=f"{_sandbox}/1.2"),
    "stream_url": required("MASSIVEMUSIC_STREAM_URL", in_development=_sandbox),
    "media_url": required("MASSIVEMUSIC_MEDIA_URL", in_development=_sandbox),
    "previews_url": required("MASSIVEMUSIC_PREVIEWS_URL", in_development=_sandbox),
    "image_url": required("MASSIVEMUSIC_IMAGE_URL", in_development=_sandbox),
    "consumer_key": required("MASSIVEMUSIC_CONSUMER_KEY", in_development="tonearm-development"),
    "consumer_secret": env.str("MASSIVEMUSIC_CONSUMER_SECRET", default="")
    or ("" if PRODUCTION else kept(VAR_DIR / "keys" / "consumer_secret", make_secret)),
    "allow_http": not PRODUCTION,
}
if not MASSIVEMUSIC["consumer_secret"]:
    missing.append("MASSIVEMUSIC_CONSUMER_SECRET")

# A country our key is licensed for: where playlists are told of that are no listener's.
MASSIVEMUSIC_COUNTRY = env.str("MASSIVEMUSIC_COUNTRY", default="GB")

# How long the platform takes a signed stream URL: told to phones as expires_at.
STREAM_URL_SECONDS = env.int("STREAM_URL_SECONDS", default=3600)
# Where the platform sends a browser whose download it refuses; never an address that a client named.
DOWNLOAD_ERROR_URL = env.str("DOWNLOAD_ERROR_URL", default="")
# How long a displaced device is refused (Streaming guide §4, "Preventing concurrent playback").
STREAM_BLOCK_SECONDS = env.int("STREAM_BLOCK_SECONDS", default=60)

# How many new devices a listener may bring in a day (24 hours).
NEW_DEVICES_PER_DAY = env.int("NEW_DEVICES_PER_DAY", default=5)
# How long a device may keep a track without checking in, at most: never beyond what is paid.
OFFLINE_LEASE_DAYS = env.int("OFFLINE_LEASE_DAYS", default=30)
# What the keys of kept tracks are derived from. With another one, devices fetch again what they keep.
OFFLINE_KEY_SECRET = env.str("OFFLINE_KEY_SECRET", default="") or (
    "" if PRODUCTION else kept(VAR_DIR / "keys" / "offline_key_secret", make_secret)
)
if not OFFLINE_KEY_SECRET:
    missing.append("OFFLINE_KEY_SECRET")
if NEW_DEVICES_PER_DAY < 1:
    raise ImproperlyConfigured("NEW_DEVICES_PER_DAY must be at least 1")
if OFFLINE_LEASE_DAYS < 1:
    raise ImproperlyConfigured("OFFLINE_LEASE_DAYS must be at least 1")

# --- Safety in production --------------------------------------------------------------------------------------

if PRODUCTION:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
    SECURE_HSTS_SECONDS = 365 * 86400
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    if not ALLOWED_HOSTS or "*" in ALLOWED_HOSTS:
        missing.append("ALLOWED_HOSTS")
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# --- Logs --------------------------------------------------------------------------------------------------------

LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"lines": {"()": "config.logs.JSONLines" if PRODUCTION else "config.logs.PlainLines"}},
    "handlers": {"out": {"class": "logging.StreamHandler", "stream": sys.stdout, "formatter": "lines"}},
    "root": {"handlers": ["out"], "level": LOG_LEVEL},
    "loggers": {
        "django.server": {"handlers": ["out"], "propagate": False},
        "django.request": {"level": "ERROR"},  # a 4xx is the caller's affair
        "celery": {"level": "WARNING"},
        "kombu": {"level": "WARNING"},
        # These write whole URLs and headers at DEBUG level.
        "urllib3": {"level": "WARNING"},
        "requests": {"level": "WARNING"},
        "boto3": {"level": "WARNING"},
        "botocore": {"level": "WARNING"},
        "oauthlib": {"level": "WARNING"},
        "requests_oauthlib": {"level": "WARNING"},
    },
}

if missing:
    raise ImproperlyConfigured(f"set these environment variables: {', '.join(dict.fromkeys(missing))}")

# --- The admin's looks ----------------------------------------------------------------------------------------------

SIMPLE_HISTORY_REVERT_DISABLED = True  # what was changed is read there; a change back is a change
UNFOLD = {
    "SITE_TITLE": "Tonearm",
    "SITE_HEADER": "Tonearm",
    "SITE_SYMBOL": "album",
    "ENVIRONMENT": "config.admin.environment_label",
    "COLORS": {"primary": {"500": "oklch(68% .24 304)"}},  # a little lighter than it comes: links on dark ground
    "SIDEBAR": {"navigation": "config.admin.sidebar"},
}
