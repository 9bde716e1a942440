"""The platform's bucket for files of plays: putting one there, and nothing else.

A file's name stands for its content, so a put may be repeated as often as anybody likes: what
is there already stays as it is.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from massivemusic.errors import (
    AnswerLost,
    DeadlinePassed,
    NotAuthorised,
    PlatformError,
    Redirected,
    ServerFailure,
    Throttled,
    UnexplainedRefusal,
    Unreachable,
    Unreadable,
)
from massivemusic.heard import heard
from massivemusic.shapes import whole

_SLOW_DOWN: Final = {"SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded"}


@dataclass(frozen=True, kw_only=True)
class Place:
    """A bucket and the keys that may put into it. No `endpoint` is Amazon's own, in `region`."""

    name: str
    key_id: str = field(repr=False)
    secret: str = field(repr=False)
    region: str
    endpoint: str = ""
    connect_seconds: float = 2.0
    silent_seconds: float = 10.0  # for which neither side says anything


class Bucket:
    """One bucket, one key; shared by all threads."""

    def __init__(self, place: Place) -> None:
        self.place = place

    def put(self, name: str, content: bytes) -> bool:
        """Put a file there, tried once; False when one of this name was there already.

        Raises the PlatformError that tells what happened. None is permanent: the file is good, and
        what keeps it out is mended by time or by a person.
        """
        answer = self._ask(name, content, IfNoneMatch="*")
        if answer == 501:  # a store that knows no conditions: the same bytes under the same name, then
            answer = self._ask(name, content)
        heard()
        return answer != 412

    def _ask(self, name: str, content: bytes, **condition: str) -> int:
        """The HTTP status: 200, 412 or 501, each of which is an answer to what was asked."""
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        checksum = base64.b64encode(hashlib.sha256(content).digest()).decode()
        try:
            answer = self._client.put_object(
                Bucket=self.place.name, Key=name, Body=content, ChecksumSHA256=checksum,
                ContentType="application/vnd.apache.parquet", **condition,
            )  # fmt: skip
        except ClientError as no:
            status, failure = _status(no.response), _refusal(no.response)
        except BotoCoreError as trouble:
            status, failure = 0, _break(trouble)
        except ResponseParserError:
            status, failure = 0, Unreadable("the answer is no S3's")
        else:
            status, failure = 200, Unreadable("the answer names no file", status=_status(answer))
            if answer.get("ETag"):
                return status
        if status in (412, 501):
            return status
        raise failure  # out here, so that no error of a library hangs on as its context

    @cached_property
    def _client(self) -> Any:
        import boto3.session  # heavy, and of use to workers alone
        from botocore.config import Config

        # Nothing but what is said here, least of all a retry: the outbox has the only policy.
        config = Config(
            connect_timeout=self.place.connect_seconds,
            read_timeout=self.place.silent_seconds,
            retries={"total_max_attempts": 1, "mode": "standard"},
            s3={"addressing_style": "path" if self.place.endpoint else "auto"},
            request_checksum_calculation="when_required",  # ours is a header; theirs, a trailer that few stores know
            response_checksum_validation="when_required",
            ignore_configured_endpoint_urls=True,
            proxies={},
        )
        client = boto3.session.Session().client(
            "s3",
            region_name=self.place.region,
            endpoint_url=self.place.endpoint or None,
            aws_access_key_id=self.place.key_id,
            aws_secret_access_key=self.place.secret,
            config=config,
        )
        client.meta.events.register("before-call.s3.PutObject", _stay)
        return client


def _stay(context: dict[str, Any], **_: Any) -> None:
    """Follow no redirect: boto would read the bucket's region first, and we may only put."""
    context["s3_redirect"] = context.get("s3_redirect", {}) | {"redirected": True}


def _status(answer: dict[str, Any]) -> int:
    return int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _refusal(answer: dict[str, Any]) -> PlatformError:
    """What the store's no means."""
    error, status = answer.get("Error", {}), _status(answer)
    code = str(error.get("Code", ""))
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    if status in (401, 403):
        kind: type[PlatformError] = NotAuthorised
    elif 300 <= status < 400:
        kind = Redirected
    elif status == 429 or code in _SLOW_DOWN:
        kind = Throttled
    else:
        kind = ServerFailure if status >= 500 else UnexplainedRefusal
    wait = whole(str(headers.get("retry-after", "")).strip())
    return kind(f"{code}: {error.get('Message', '')}", status=status, retry_after=wait)


def _break(trouble: Exception) -> PlatformError:
    """What a break on the way means."""
    from botocore import exceptions

    if isinstance(trouble, (exceptions.EndpointConnectionError, exceptions.ConnectTimeoutError)):
        return Unreachable("the bucket cannot be reached")
    if isinstance(trouble, exceptions.ReadTimeoutError):
        return DeadlinePassed("the bucket did not answer in time")
    return AnswerLost(f"the connection broke before the answer was complete ({type(trouble).__name__})")
