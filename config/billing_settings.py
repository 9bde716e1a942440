"""The billing systems' doors: each exists where it is configured, and in development all of them are. And who sells."""

from __future__ import annotations

from config import environment
from config.chains import make_apple_chain
from config.environment import PRODUCTION, VAR_DIR, env, need
from config.keys import kept, make_google_account, make_secret, make_webhook_secret

# Comma list of `whsec_…`; two during rotation. None: the door does not exist.
BILLING_STANDARD_SECRETS = env.list("BILLING_STANDARD_SECRETS", default=[]) or (
    [] if PRODUCTION else [kept(VAR_DIR / "keys" / "billing_standard", make_webhook_secret)]
)
# Whether a provider's test events (sandbox purchases, test mode) count like real ones, or are only kept.
BILLING_TEST_EVENTS = env.bool("BILLING_TEST_EVENTS", default=not PRODUCTION)
# Comma list of Stripe's endpoint secrets, `whsec_…`; two during rotation. None: the door does not exist.
BILLING_STRIPE_SECRETS = env.list("BILLING_STRIPE_SECRETS", default=[]) or (
    [] if PRODUCTION else [kept(VAR_DIR / "keys" / "billing_stripe", make_webhook_secret)]
)
# Comma list of what RevenueCat's Authorization header may say; two during rotation. None: the door does not exist.
BILLING_REVENUECAT_SECRETS = env.list("BILLING_REVENUECAT_SECRETS", default=[]) or (
    [] if PRODUCTION else [kept(VAR_DIR / "keys" / "billing_revenuecat", make_secret)]
)
# How long after its period began a failed payment is borne with, where the provider names no end itself.
BILLING_GRACE_DAYS = env.int("BILLING_GRACE_DAYS", default=7)

# --- The App Store --------------------------------------------------------------------------------------

# The app as the App Store knows it. No bundle id: the door does not exist.
APPLE_BUNDLE_ID = env.str("APPLE_BUNDLE_ID", default="" if PRODUCTION else "org.example.tonearm")
APPLE_APP_ID = env.int("APPLE_APP_ID", default=None)
# Comma list of files with Apple's root certificates, PEM or DER.
APPLE_ROOTS = env.list("APPLE_ROOTS", default=[])
# Whether Apple is asked, at each event, if a certificate was revoked meanwhile.
APPLE_ONLINE_CHECKS = env.bool("APPLE_ONLINE_CHECKS", default=False)
# With these certificates a development machine plays the App Store; the root stands last.
APPLE_SIMULATOR = VAR_DIR / "keys" / "apple_chain.pem"
if not PRODUCTION:
    kept(APPLE_SIMULATOR, make_apple_chain)
    APPLE_ROOTS = [*APPLE_ROOTS, str(APPLE_SIMULATOR)]
elif APPLE_BUNDLE_ID:
    need(APPLE_APP_ID=APPLE_APP_ID, APPLE_ROOTS=APPLE_ROOTS)

# --- Google Play ---------------------------------------------------------------------------------------

# The app as Google Play knows it. No package name: the door does not exist.
GOOGLE_PACKAGE_NAME = env.str("GOOGLE_PACKAGE_NAME", default="" if PRODUCTION else "org.example.tonearm")
# What the tokens of Pub/Sub's pushes must say: for whom they are, and on whose behalf.
GOOGLE_PUSH_AUDIENCE = env.str(
    "GOOGLE_PUSH_AUDIENCE", default="" if PRODUCTION else f"http://127.0.0.1:{environment.PORT}/webhooks/billing/google"
)
GOOGLE_PUSH_EMAIL = env.str("GOOGLE_PUSH_EMAIL", default="" if PRODUCTION else "push@simulated.iam.gserviceaccount.com")
# The key file of the service account that looks purchases up.
GOOGLE_SERVICE_ACCOUNT = env.str("GOOGLE_SERVICE_ACCOUNT", default="")
# In development a stand-in, which billing_simulate brings along, takes Google's place.
_stand_in = "" if PRODUCTION else "http://127.0.0.1:8002"
GOOGLE_PLAY_URL = env.str("GOOGLE_PLAY_URL", default=_stand_in or "https://androidpublisher.googleapis.com")
GOOGLE_TOKEN_URL = env.str(
    "GOOGLE_TOKEN_URL", default=f"{_stand_in}/token" if _stand_in else "https://oauth2.googleapis.com/token"
)
GOOGLE_KEYS_URL = env.str(
    "GOOGLE_KEYS_URL", default=f"{_stand_in}/keys" if _stand_in else "https://www.googleapis.com/oauth2/v3/certs"
)
GOOGLE_SIMULATOR = VAR_DIR / "keys" / "google_account.json"
if not PRODUCTION:
    kept(GOOGLE_SIMULATOR, make_google_account)
    GOOGLE_SERVICE_ACCOUNT = GOOGLE_SERVICE_ACCOUNT or str(GOOGLE_SIMULATOR)
elif GOOGLE_PACKAGE_NAME:
    need(
        GOOGLE_PUSH_AUDIENCE=GOOGLE_PUSH_AUDIENCE,
        GOOGLE_PUSH_EMAIL=GOOGLE_PUSH_EMAIL,
        GOOGLE_SERVICE_ACCOUNT=GOOGLE_SERVICE_ACCOUNT,
    )

# Who sells: what listeners know the service by, and the lines of its address, divided by |. Receipts name both.
SERVICE_NAME = env.str("SERVICE_NAME", default="Tonearm")
SERVICE_ADDRESS = [line.strip() for line in env.str("SERVICE_ADDRESS", default="").split("|") if line.strip()]
