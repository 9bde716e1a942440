"""The settings of the tests: the same, only faster and without mercy for what goes unnoticed."""

from config.settings import *  # noqa: F403
from config.settings import DATABASES, LIMITS, LOGGING, MASSIVEMUSIC

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
LIMITS = {scope: (1_000_000, seconds) for scope, (_, seconds) in LIMITS.items()}
LOGGING["root"]["level"] = "WARNING"  # type: ignore[index]
BILLING_STANDARD_SECRETS = ["whsec_" + "dG9uZWFybS10ZXN0LXNlY3JldC0wMTIzNDU2Nzg5"]
BILLING_STRIPE_SECRETS = ["whsec_tonearmTestSecretOfStripe0123456789"]
BILLING_REVENUECAT_SECRETS = ["Bearer tonearm-test-secret-of-revenuecat"]
MASSIVEMUSIC |= {"api_url": "http://127.0.0.1:9/1.2", "stream_url": "http://127.0.0.1:9"}
# A test is one transaction, however long it thinks.
DATABASES["default"]["OPTIONS"]["options"] += " -c idle_in_transaction_session_timeout=300s"
WHITENOISE_USE_FINDERS = False  # every test client would look through all static files anew
