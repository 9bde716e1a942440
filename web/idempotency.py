"""Requests that are safe to send again: with the same `Idempotency-Key`, the second gets the answer of the first.

Who may run a request is decided by one statement in a commit of its own. What the request does and its answer then
commit together, and only while that claim still holds: a crash leaves neither, and two who both ran leave one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial, wraps
from typing import Any, Final, TypeVar, cast
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from kernel.errors import InvalidParameter, Kind, Refusal
from web.bodies import NotJSON, parse_json
from web.callers import ListenerRequest, listener_id_of
from web.models import KeyedRequest

HEADER: Final = "HTTP_IDEMPOTENCY_KEY"  # as WSGI calls it
KEY: Final = re.compile(r"[ -~]{1,255}")
LEASE_SECONDS: Final = 60  # longer than any request takes: what runs longer has died
RETRY_SECONDS: Final = 1
KEPT: Final = timedelta(hours=24)
PARAMETER: Final = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]*$"},
    OpenApiParameter.HEADER,
    description="made once for each thing to be done, such as a UUID: sent again with it, the thing is done once, and"
    " the answer has `Idempotency-Replayed: true`, unless it has a URL: those are made anew",
)
# A crash may forget a claim: what was done under it commits later, and so would be forgotten with it. Hence the commit
# does not wait for the disk.
CLAIM: Final = """
    INSERT INTO web_keyedrequest AS r (listener_id, key, target, digest, state, since, status, headers, body)
    SELECT %(listener)s, %(key)s, %(target)s, %(digest)s, 'RUNNING', clock_timestamp(), 0, '{}', ''
      FROM set_config('synchronous_commit', 'off', true)
    ON CONFLICT (listener_id, key) DO UPDATE
       SET state = 'RUNNING', since = clock_timestamp()
     WHERE r.target = EXCLUDED.target AND r.digest = EXCLUDED.digest
       AND (r.state = 'FRESH'
            OR r.state = 'RUNNING' AND r.since < clock_timestamp() - %(lease)s * interval '1 second')
    RETURNING since
"""

Action = Callable[[], HttpResponse]
Post = TypeVar("Post", bound=Callable[..., HttpResponse])
State = KeyedRequest.State


class InProgress(Refusal):
    """The same request is being answered at this moment."""

    code, kind = "in_progress", Kind.CONFLICT

    def __init__(self) -> None:
        super().__init__("the first request with this Idempotency-Key still runs", retry_after=RETRY_SECONDS)


class IdempotencyMismatch(Refusal):
    """The key is that of another request."""

    code, kind = "idempotency_mismatch", Kind.UNPROCESSABLE


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What is asked for, by whom, and under which key."""

    listener_id: UUID
    key: str
    target: str
    digest: bytes

    def row(self) -> QuerySet[KeyedRequest]:
        return KeyedRequest.objects.filter(listener_id=self.listener_id, key=self.key)

    def held(self, since: datetime) -> QuerySet[KeyedRequest]:
        """The row, as long as the claim that was made then still holds."""
        return self.row().filter(state=State.RUNNING, since=since)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a request was answered with: the first answer and every repeat are made of it."""

    status: int
    headers: dict[str, str]
    body: bytes

    def told(self, **headers: str) -> HttpResponse:
        return HttpResponse(
            self.body, status=self.status, content_type="application/json", headers=self.headers | headers
        )


def keyed(*, fresh: bool = False) -> Callable[[Post], Post]:
    """Let a view's `post` take an `Idempotency-Key`. Without one it costs nothing.

    With `fresh` no answer is kept, since it holds what may be stored nowhere: a repeat is answered anew, and the key
    only keeps two from running at once, and from meaning two things. The view must stand that.
    """

    def decorate(post: Post) -> Post:
        @wraps(post)
        def answered(view: Any, request: ListenerRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            action = partial(post, view, request, *args, **kwargs)
            return answer_once(asked_in(request), action, fresh=fresh) if HEADER in request.META else action()

        return extend_schema(parameters=[PARAMETER])(cast(Post, answered))

    return decorate


def asked_in(request: ListenerRequest) -> Asked:
    """Raises InvalidParameter for a key that is none."""
    key = request.META[HEADER]
    if not KEY.fullmatch(key):
        raise InvalidParameter("1 to 255 printable ASCII characters", field="Idempotency-Key")
    return Asked(
        listener_id=listener_id_of(request),
        key=key,
        target=f"{request.method} {request.path}",
        digest=digest_of(request._request.body),
    )


def digest_of(body: bytes) -> bytes:
    """Of what the body says: a phone may write the members of an object in another order the next time."""
    with suppress(NotJSON):  # it will be refused for that, where a body is wanted at all
        body = json.dumps(parse_json(body, texts=False), sort_keys=True).encode()
    return hashlib.sha256(body).digest()


def answer_once(asked: Asked, action: Action, *, fresh: bool) -> HttpResponse:
    """Run the action, or give its first answer again. Raises InProgress, IdempotencyMismatch, and what it raises.

    A key is used up by success alone: what was refused or has failed has done nothing, and is judged anew.
    """
    if (since := claim(asked)) is None:
        return first_answer(asked)
    used_up = False
    try:
        response = run_afresh(asked, since, action) if fresh else run_once(asked, since, action)
        used_up = response.status_code < 400
    finally:
        if not used_up:
            asked.held(since).delete()
    return response


def claim(asked: Asked) -> datetime | None:
    """Be the one who runs the request: since when. None where somebody else does, or has done it, or meant another."""
    values: dict[str, Any] = {"listener": asked.listener_id, "key": asked.key, "lease": LEASE_SECONDS}
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, values | {"target": asked.target, "digest": asked.digest})
        row: tuple[datetime] | None = cursor.fetchone()
    return row and row[0]


def run_once(asked: Asked, since: datetime, action: Action) -> HttpResponse:
    """Do it and keep its answer, both or neither. Raises InProgress where it took so long that another has begun."""
    with transaction.atomic():
        response = action()
        if response.status_code >= 400:
            transaction.set_rollback(True)
            return response
        answer = answer_in(response)
        if not asked.held(since).update(state=State.KEPT, since=Now(), **asdict(answer)):
            raise InProgress
    return answer.told()


def answer_in(response: HttpResponse) -> Answer:
    """What the view itself has said: what all answers have in common is added to each."""
    return Answer(
        status=response.status_code,
        headers={name: value for name, value in response.headers.items() if name != "Content-Type"},
        body=JSONRenderer().render(response.data) if isinstance(response, Response) else response.content,
    )


def run_afresh(asked: Asked, since: datetime, action: Action) -> HttpResponse:
    """Do it, and remember only that it was done."""
    response = action()
    if response.status_code < 400:
        asked.held(since).update(state=State.FRESH, since=Now())
    return response


def first_answer(asked: Asked) -> HttpResponse:
    """What the key was answered with. Raises IdempotencyMismatch, or InProgress where nothing is there yet."""
    row = asked.row().first()
    if row is not None and (row.target, bytes(row.digest)) != (asked.target, asked.digest):
        raise IdempotencyMismatch("the Idempotency-Key is that of another request: make a new one for this")
    if row is None or row.state != State.KEPT:
        raise InProgress
    answer = Answer(status=row.status, headers=row.headers, body=bytes(row.body))
    return answer.told(**{"Idempotency-Replayed": "true"})


def prune(*, now: datetime) -> int:
    """Forget keys once their time is over; how many there were."""
    return KeyedRequest.objects.filter(since__lt=now - KEPT).delete()[0]
