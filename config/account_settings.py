"""Accounts and tokens: how one signs up and in, what tokens say, whom else one may sign in with."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured

from config import environment
from config.environment import ALLOWED_HOSTS, PRODUCTION, VAR_DIR, env, missing
from config.keys import kept, make_signing_key
from config.social import apps_at

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_SIGNUP_FORM_CLASS = "accounts.adapter.SignupForm"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_MAX_EMAIL_ADDRESSES = 2  # the one signed in with, and one that is to replace it
# none: addresses are believed. optional: each is asked to confirm, and may do without. mandatory: none signs in before.
ACCOUNT_EMAIL_VERIFICATION = env.str("EMAIL_VERIFICATION", default="optional" if PRODUCTION else "none")
if ACCOUNT_EMAIL_VERIFICATION not in {"none", "optional", "mandatory"}:
    raise ImproperlyConfigured("EMAIL_VERIFICATION must be none, optional or mandatory")
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True  # on the device that signed up
ACCOUNT_LOGIN_ON_PASSWORD_RESET = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
# Do staff show a second factor in the admin: required, or off.
ADMIN_SECOND_FACTOR = env.str("ADMIN_SECOND_FACTOR", default="required" if PRODUCTION else "off")
if ADMIN_SECOND_FACTOR not in ({"required"} if PRODUCTION else {"required", "off"}):
    raise ImproperlyConfigured("ADMIN_SECOND_FACTOR must be required; outside production it may be off")
PASSWORD_RESET_TIMEOUT = 3600  # as the e-mail says
# A laboratory of phones behind one address must be able to work; the open internet must not.
ACCOUNT_RATE_LIMITS = (
    {} if PRODUCTION else {"signup": "600/m/ip", "login": "600/m/ip", "login_failed": "60/m/ip,20/5m/key"}
)
HEADLESS_ONLY = True
HEADLESS_CLIENTS = ["app"]
HEADLESS_TOKEN_STRATEGY = "accounts.tokens.TokenStrategy"  # noqa: S105
HEADLESS_JWT_ALGORITHM = "RS256"
# PEM of the RSA key that signs access tokens.
HEADLESS_JWT_PRIVATE_KEY = env.str("JWT_PRIVATE_KEY", default="", multiline=True) or (
    "" if PRODUCTION else kept(VAR_DIR / "keys" / "jwt.pem", make_signing_key)
)
if not HEADLESS_JWT_PRIVATE_KEY:
    missing.append("JWT_PRIVATE_KEY")
MAX_TOKEN_SECONDS = 900
HEADLESS_JWT_ACCESS_TOKEN_EXPIRES_IN = env.int("ACCESS_TOKEN_SECONDS", default=300)
HEADLESS_JWT_REFRESH_TOKEN_EXPIRES_IN = env.int("REFRESH_TOKEN_SECONDS", default=60 * 86400)
TOKEN_ISSUER = env.str("TOKEN_ISSUER", default="tonearm")
TOKEN_AUDIENCE = env.str("TOKEN_AUDIENCE", default="tonearm-api")
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True  # here too: its refresh token dies with the others
USERSESSIONS_TRACK_ACTIVITY = True  # seen whenever a token is refreshed (accounts.tokens)
SESSION_COOKIE_AGE = HEADLESS_JWT_REFRESH_TOKEN_EXPIRES_IN
# Where the links in e-mails lead: the app's own pages, or links that open the app.
APP_URL = env.str(
    "APP_URL",
    default=f"https://{ALLOWED_HOSTS[0].lstrip('.')}"
    if PRODUCTION and ALLOWED_HOSTS
    else f"http://127.0.0.1:{environment.PORT}",
)
HEADLESS_FRONTEND_URLS = {
    "account_confirm_email": f"{APP_URL}/confirm-email/{{key}}",
    "account_reset_password": f"{APP_URL}/reset-password",
    "account_reset_password_from_key": f"{APP_URL}/reset-password/{{key}}",
    "account_signup": f"{APP_URL}/sign-up",
}
# How long a listener may fetch an export of everything we hold about them.
EXPORT_DAYS = env.int("EXPORT_DAYS", default=7)
if EXPORT_DAYS < 1:
    raise ImproperlyConfigured("EXPORT_DAYS must be 1 or more")
# Whom else one may sign in with, by the client ids of our apps there; without any, nothing of it is installed.
SOCIAL = {
    "google": env.list("SOCIAL_GOOGLE_CLIENT_IDS", default=[]),
    "apple": env.list("SOCIAL_APPLE_CLIENT_IDS", default=[]),
    "openid_connect": env.list("SOCIAL_OPENID_CLIENT_IDS", default=[]),
}
SOCIAL_OPENID_URL = env.str("SOCIAL_OPENID_URL", default="")
if SOCIAL["openid_connect"] and not SOCIAL_OPENID_URL:
    missing.append("SOCIAL_OPENID_URL")
SOCIALACCOUNT_PROVIDERS = {
    provider: apps_at(provider, ids, url=SOCIAL_OPENID_URL) for provider, ids in SOCIAL.items() if ids
}
SOCIALACCOUNT_ADAPTER = "accounts.social.SocialAdapter"
SOCIALACCOUNT_AUTO_SIGNUP = False  # nobody but the listener can say where they live
