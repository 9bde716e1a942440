"""Finding listeners by what people call them."""

from __future__ import annotations

from django.db.models import Q

from web.params import uuid_of


def named_so(text: str) -> Q:
    """The listener with that e-mail address or id; asked of one table at a time, each of which has an index for it."""
    if "@" in text:
        return Q(user__email__in={text, text.lower()})
    named = Q(platform_id=text)
    return named | Q(pk=pk) if (pk := uuid_of(text)) else named
