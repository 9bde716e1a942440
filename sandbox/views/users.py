"""Partner users ("Create a user")."""

from __future__ import annotations

from typing import Final

from django.db import transaction
from django.http import HttpRequest, HttpResponse

from sandbox import answers, journal
from sandbox.answers import Refused
from sandbox.calls import Call
from sandbox.gate import signed
from sandbox.models import User

FIRST_ID: Final = 900_000  # the platform's own numbers for users begin here (our choice)


@signed
def create(request: HttpRequest, call: Call) -> HttpResponse:
    """GET /1.2/user/create?userId=…&country=… (or the same as a POST form) → the user.

    1001, 1002, and 2003 when there is a user of that name already. The type word of partner
    users is our choice.
    """
    user_id, country = call.form.text("userId"), call.form.country()
    with transaction.atomic():
        user, made = User.objects.get_or_create(user_id=user_id, defaults={"country": country})
        if not made:
            raise Refused(2003, f"User already exists: {user_id[:100]}")
        number = FIRST_ID + user.pk
        journal.record("users", {"userId": user_id, "country": country, "id": number})
    return answers.ok(request, {"user": {"@id": number, "type": "partner"}})
