"""What a view may know of its caller without knowing how accounts are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias
from uuid import UUID

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

if TYPE_CHECKING:  # DRF's views import this module by way of the settings
    from rest_framework.views import APIView

ListenerRequest: TypeAlias = Request
"""A request that IsListener has let through."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Hearing:
    """What decides which tracks a listener can play: where they live, and whether they hide explicit ones."""

    country: str
    explicit_filter: bool


class Caller(Protocol):
    """Who a request comes from; `request.user`, as authentication leaves it."""

    listener_id: UUID | None

    def hearing(self) -> Hearing:
        """Read where the listener lives. Raises a Refusal when the account is closed."""
        ...


class IsListener(BasePermission):
    """Signed in, and as a listener rather than only as staff."""

    message = "this is for listeners"

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Raises a Refusal when the account is closed: its tokens outlive it by some minutes."""
        if getattr(request.user, "listener_id", None) is None:
            return False
        caller: Caller = request.user  # type: ignore[assignment]
        request.hearing = caller.hearing()  # type: ignore[attr-defined]
        return True


def listener_id_of(request: ListenerRequest) -> UUID:
    """The caller's listener id, from the token."""
    listener_id: UUID = request.user.listener_id  # type: ignore[union-attr]
    return listener_id


def hearing_of(request: ListenerRequest) -> Hearing:
    """The caller's country and filter, as they are now."""
    hearing: Hearing = request.hearing  # type: ignore[attr-defined]
    return hearing
