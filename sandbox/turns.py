"""Two rules about who may listen: a media URL works once, and one device streams at a time.

Both are decided in PostgreSQL and hold for all workers at once. Call them inside a transaction.
"""

from __future__ import annotations

from django.conf import settings
from django.db import connection

from sandbox.answers import AccessDenied, Refused
from sandbox.models import Nonce, User

# One statement: the row lock makes claims queue up, so every claim sees the one before it. The
# holder stays; anybody whose own block has run out takes over, and that blocks the old holder.
CLAIM = """
INSERT INTO sandbox_holder AS held (user_id, client_id, since, blocks)
VALUES (%(user)s, %(client)s, clock_timestamp(), '{}')
ON CONFLICT (user_id) DO UPDATE SET
    client_id = excluded.client_id,
    since = CASE WHEN held.client_id = excluded.client_id THEN held.since ELSE clock_timestamp() END,
    blocks = CASE WHEN held.client_id = excluded.client_id THEN held.blocks
        ELSE (held.blocks - excluded.client_id) || jsonb_build_object(
            held.client_id, extract(epoch FROM clock_timestamp()) + %(block_seconds)s::float8) END
WHERE held.client_id = excluded.client_id
    OR coalesce((held.blocks ->> excluded.client_id)::float8, 0) <= extract(epoch FROM clock_timestamp())
RETURNING user_id
"""


def take(*, user: User, client_id: str) -> None:
    """Let this device stream, or raise 3201 while its block runs.

    The reference says that a displaced device finishes its track and is then refused for a short
    time; we count that time from the takeover (our choice). A device that sends no clientId is
    not tracked and must not be brought here.
    """
    claim: dict[str, float | str] = {
        "user": user.pk,
        "client": client_id,
        "block_seconds": settings.STREAM_BLOCK_SECONDS,
    }
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, claim)
        if cursor.fetchone() is None:
            raise Refused(3201, "Simultaneous stream requests from multiple locations, streaming paused for this one")


def begin(*, nonce: Nonce, partial: bool) -> bool:
    """Use a media URL for one answer; True when it is the URL's first.

    Locks the nonce's row, so two requests with one URL cannot both be first. Raises AccessDenied
    when the URL is used up: a Range request may go on with it unless SINGLE_USE is strict.
    """
    state = Nonce.objects.select_for_update().get(pk=nonce.pk)
    mode = settings.SINGLE_USE
    if (mode == "strict" and state.begun) or (mode == "range" and state.whole and not partial):
        raise AccessDenied("OAuth authentication error: nonce already used")
    first = not state.begun
    state.begun, state.whole = True, state.whole or not partial
    state.save(update_fields=["begun", "whole"])
    return first
