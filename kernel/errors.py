"""How a use case says no."""

from __future__ import annotations

from enum import Enum, unique
from typing import Any, ClassVar


@unique
class Kind(Enum):
    """What sort of no it is; an interface translates it (HTTP status, exit code, admin message)."""

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    DENIED = "denied"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    PRECONDITION = "precondition"
    UNCONDITIONAL = "unconditional"
    TOO_LARGE = "too_large"
    UNSUPPORTED = "unsupported"
    UNPROCESSABLE = "unprocessable"
    TOO_MANY = "too_many"
    UNAVAILABLE = "unavailable"


class Refusal(Exception):
    """A rule of ours said no. Not a bug, and not the platform's failure.

    `code` is the stable slug of api.md's error table, `platform_code` the guides' number where
    one exists. `retry_after` is in whole seconds. Everything in `extra` becomes a member of the
    problem document, so it must be plain JSON values and never a secret.
    """

    code: ClassVar[str] = "refused"
    kind: ClassVar[Kind] = Kind.INVALID
    platform_code: ClassVar[int | None] = None

    def __init__(self, detail: str, *, retry_after: int | None = None, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after
        self.extra = extra


class ParameterRefusal(Refusal):
    """Something is wrong with what was sent: the `fault`, of a `field` where it is one that is to blame."""

    def __init__(self, fault: str, *, field: str | None = None, **extra: Any) -> None:
        super().__init__(fault if field is None else f"{field}: {fault}", **extra)
        self.fault, self.field = fault, field


class InvalidParameter(ParameterRefusal):
    """A field is present and wrong (the guides' 1002)."""

    code, kind, platform_code = "invalid_parameter", Kind.INVALID, 1002


class MissingParameter(ParameterRefusal):
    """A required field is absent (the guides' 1001)."""

    code, kind, platform_code = "missing_parameter", Kind.INVALID, 1001
