"""Offline listening: the devices that may, and what they fetch ("Authorise device for off-line streaming")."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, TypeVar
from xml.etree import ElementTree

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from sandbox import answers, clock, journal
from sandbox.answers import Refused
from sandbox.calls import Call, Parameters
from sandbox.gate import FORM, signed, signed_url
from sandbox.models import OfflineDevice, Subscription, User
from sandbox.views.streams import Wish, send_file, send_playlist

Value = TypeVar("Value")
YES_OR_NO: Final = {"true": True, "false": False}


@signed
def switch(request: HttpRequest, call: Call) -> HttpResponse:
    """POST /1.2/user/unlimitedStreaming/offline?userId=…&country=… with clientId and offlineEnabled → `offlineStatus`.

    The body is XML, JSON (in an `offlineStatus` or bare) or a form. 1002 names what is missing or wrong,
    2001 an unknown user (our choice); 1003 means that the plan may not go offline, or that as many
    devices as may are enabled. Disabling is always accepted and frees the place; twice is once.
    """
    user_id = mandatory("userId", lambda: call.form.text("userId"))
    country = mandatory("country", call.form.country)
    given = call.form if (request.content_type or "").lower() == FORM else read_body(request.body)
    client_id = mandatory("clientId", lambda: given.text("clientId"))
    enabled = mandatory("offlineEnabled", lambda: yes_or_no(given.text("offlineEnabled")))
    with transaction.atomic():
        user = find_user(user_id, lock=True)
        if enabled:
            enable(user, client_id)
        else:
            user.offline_devices.filter(client_id=client_id).delete()
        entry = {"userId": user_id, "clientId": client_id, "offlineEnabled": enabled, "country": country}
        journal.record("devices", entry)
    return answers.ok(request, {"offlineStatus": tell(enabled)})


@signed
def status(request: HttpRequest, call: Call) -> HttpResponse:
    """GET of the same path with clientId in the query → `offlineStatus`; a device never heard of is not enabled."""
    user_id = mandatory("userId", lambda: call.query.text("userId"))
    mandatory("country", call.query.country)
    client_id = mandatory("clientId", lambda: call.query.text("clientId"))
    return answers.ok(request, {"offlineStatus": tell(is_enabled(find_user(user_id), client_id))})


@signed
def clients(request: HttpRequest, call: Call) -> HttpResponse:
    """GET /1.2/user/offlineclients?userId=…&country=… → the enabled devices (the shape is our choice)."""
    user_id = call.query.text("userId")
    call.query.country()
    devices = find_user(user_id).offline_devices.order_by("id")
    listed = [{"clientId": device.client_id} | tell(True) for device in devices]
    return answers.ok(request, {"offlineClients": {"offlineStatus": listed}})


@signed_url
def progressive(request: HttpRequest, call: Call) -> HttpResponseBase:
    """GET /offline/subscription?userId&trackId&formatId&clientId&country → the audio, to be kept on the device.

    1001, 1002, 2001 and 2002 as online; 2002 also for a device that is not enabled (our choice).
    No device displaces another by it.
    """
    return send_file(request, OfflineWish(call))


@signed_url
def playlist(request: HttpRequest, call: Call) -> HttpResponseBase:
    """GET /offline/subscription.m3u8, parameters and errors as above → a playlist."""
    return send_playlist(request, OfflineWish(call))


class OfflineWish(Wish):
    """Which device wants to keep what."""

    def __init__(self, call: Call) -> None:
        call.query.text("clientId")
        super().__init__(call)

    def check_user(self) -> None:
        super().check_user()
        if self.user is None or not may_go_offline(self.user):
            raise Refused(2002, "The user's subscription does not include offline streaming")
        if not is_enabled(self.user, self.client_id):
            raise Refused(2002, "The device is not enabled for offline streaming")

    def take_turn(self, user: User) -> None:
        """Nobody is displaced by what is kept for later."""

    def _entry(self) -> dict[str, Any]:
        return super()._entry() | {"offline": True}


def enable(user: User, client_id: str) -> None:
    """Give the device a place if it has none; the user's row must be locked. Raises 1003 in both its meanings."""
    if not may_go_offline(user):
        raise Refused(1003, "This account type cannot register offline device")
    if not is_enabled(user, client_id):
        if user.offline_devices.count() >= settings.OFFLINE_DEVICES:
            raise Refused(1003, "Maximum number of offline devices registered")
        OfflineDevice.objects.create(user=user, client_id=client_id)


def may_go_offline(user: User) -> bool:
    """Whether the plan that runs now has offline rights (which plans have them is our choice)."""
    now = clock.now()
    subscription: Subscription | None = user.subscriptions.in_force(now).first()
    if subscription is None or subscription.expires_at <= now:
        return False
    return any(word in subscription.plan_code.lower() for word in settings.OFFLINE_PLANS)


def is_enabled(user: User, client_id: str) -> bool:
    return user.offline_devices.filter(client_id=client_id).exists()


def find_user(user_id: str, *, lock: bool = False) -> User:
    users = User.objects.select_for_update() if lock else User.objects.all()
    user = users.filter(user_id=user_id).first()
    if user is None:
        raise Refused(2001, f"User not found: {user_id[:100]}")
    return user


def tell(enabled: bool) -> dict[str, Any]:
    return {"offlineEnabled": enabled, "offlineMaxTrackCount": settings.OFFLINE_TRACKS}


def mandatory(name: str, read: Callable[[], Value]) -> Value:
    """A parameter this call cannot do without. Missing or wrong, it is 1002 and `"name":"reason"`."""
    try:
        return read()
    except Refused as no:
        reason = "is missing" if no.code == 1001 else "is not valid"
        raise Refused(1002, f'"{name}":"{reason}"') from None


def yes_or_no(text: str) -> bool:
    if text.lower() not in YES_OR_NO:
        raise Refused(1002, "neither true nor false")
    return YES_OR_NO[text.lower()]


def read_body(body: bytes) -> Parameters:
    """The fields of an XML or a JSON body. Raises 1002 on anything else."""
    try:
        pairs = xml_pairs(body) if body.lstrip()[:1] == b"<" else json_pairs(body)
    except (ValueError, RecursionError, ElementTree.ParseError, DefusedXmlException, LookupError):
        raise Refused(1002, '"offlineStatus":"is not readable"') from None
    return Parameters(pairs)


def xml_pairs(body: bytes) -> list[tuple[str, str]]:
    root = fromstring(body, forbid_dtd=True)
    if root.tag != "offlineStatus":
        raise ValueError("the root is offlineStatus")
    return [(field.tag, field.text or "") for field in root]


def json_pairs(body: bytes) -> list[tuple[str, str]]:
    """Whether the fields stand in an `offlineStatus` of their own is not documented: both are read (our choice)."""
    tree = json.loads(body)
    fields = tree.get("offlineStatus", tree) if isinstance(tree, dict) else None
    if not isinstance(fields, dict):
        raise ValueError("offlineStatus is an object")
    pairs = [(name, str(value).lower() if isinstance(value, bool) else value) for name, value in fields.items()]
    if not all(isinstance(value, str) for _, value in pairs):
        raise ValueError("a value is a text or a truth")
    if any("\ud800" <= mark <= "\udfff" for _, value in pairs for mark in value):
        raise ValueError("half a character")
    return pairs
