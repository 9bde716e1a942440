"""Play reports: by which channel they go out, and what is done where the guides leave it open."""

from __future__ import annotations

import re

from django.core.exceptions import ImproperlyConfigured

from config.environment import PRODUCTION, env, need

# How plays reach the platform. What was cut for one channel goes out by it, whatever is set meanwhile.
USAGE_CHANNEL = env.str("USAGE_CHANNEL", default="http")  # http: calls; bucket: files, each play there exactly once
USAGE_DOUBT = env.str("USAGE_DOUBT", default="hold")  # hold: wait for the platform's report; resend: risk twice
# Whether the platform keeps the good plays of a batch it refuses for its bad ones: to be learnt in compliance testing.
USAGE_PARTIAL = env.str("USAGE_PARTIAL", default="reject")  # reject: none was kept; keep: the good ones were
# Plays that cannot be honest: hold them for a person, or flag them and send them all the same.
USAGE_HONESTY = env.str("USAGE_HONESTY", default="hold" if PRODUCTION else "flag")
USAGE_BATCH_SIZE = env.int("USAGE_BATCH_SIZE", default=20)
USAGE_BODY = env.str("USAGE_BODY", default="json")  # or xml
if USAGE_CHANNEL not in {"http", "bucket"}:
    raise ImproperlyConfigured("USAGE_CHANNEL must be http or bucket")
if USAGE_DOUBT not in {"hold", "resend"}:
    raise ImproperlyConfigured("USAGE_DOUBT must be hold or resend")
PLAY_MONTHS = env.int("PLAY_MONTHS", default=36)  # how long plays are kept, once they are settled
if PLAY_MONTHS < 6:
    raise ImproperlyConfigured("PLAY_MONTHS must be at least 6: plays may be two months old, and reports come later")
if USAGE_HONESTY not in {"hold", "flag"}:
    raise ImproperlyConfigured("USAGE_HONESTY must be hold or flag")
if USAGE_PARTIAL not in {"reject", "keep"}:
    raise ImproperlyConfigured("USAGE_PARTIAL must be reject or keep")
if USAGE_BODY not in {"json", "xml"}:
    raise ImproperlyConfigured("USAGE_BODY must be json or xml")
if not 1 <= USAGE_BATCH_SIZE <= 500:
    raise ImproperlyConfigured("USAGE_BATCH_SIZE must be from 1 to 500")

# --- The platform's bucket -------------------------------------------------------------------------------

# Read whatever the channel: files that were cut before it was changed still go out.
USAGE_BUCKET = {
    "name": env.str("USAGE_BUCKET", default=""),
    "endpoint": env.str("USAGE_BUCKET_ENDPOINT", default=""),  # any S3 there is; none: Amazon's
    "region": env.str("USAGE_BUCKET_REGION", default=""),
    "key_id": env.str("USAGE_BUCKET_KEY_ID", default=""),
    "secret": env.str("USAGE_BUCKET_SECRET", default=""),
}
USAGE_BUCKET_PREFIX = env.str("USAGE_BUCKET_PREFIX", default="").strip("/")  # the partner id
USAGE_FILE_PLAYS = env.int("USAGE_FILE_PLAYS", default=50_000)
if USAGE_CHANNEL == "bucket":
    need(
        USAGE_BUCKET=USAGE_BUCKET["name"],
        USAGE_BUCKET_REGION=USAGE_BUCKET["region"],
        USAGE_BUCKET_KEY_ID=USAGE_BUCKET["key_id"],
        USAGE_BUCKET_SECRET=USAGE_BUCKET["secret"],
        USAGE_BUCKET_PREFIX=USAGE_BUCKET_PREFIX,
    )
if PRODUCTION and USAGE_BUCKET["endpoint"] and not USAGE_BUCKET["endpoint"].startswith("https://"):
    raise ImproperlyConfigured("USAGE_BUCKET_ENDPOINT must be https")
if not re.fullmatch(r"[A-Za-z0-9._/-]{0,120}", USAGE_BUCKET_PREFIX):
    raise ImproperlyConfigured("USAGE_BUCKET_PREFIX must be letters, digits, dots, dashes and slashes, 120 at most")
if not 1 <= USAGE_FILE_PLAYS <= 100_000:
    raise ImproperlyConfigured("USAGE_FILE_PLAYS must be from 1 to 100000")
