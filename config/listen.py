"""`/listen`: a small player for showing and testing, and the listener it is shown with."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from accounts.actions import register_listener
from accounts.models import Listener, User
from billing.actions import take_letter
from billing.providers import standard
from config.keys import kept, make_secret
from config.letters import COUNTRY, subscription_event
from subscriptions.models import Subscription

DEMO_EMAIL: Final = "listener@tonearm.example"


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """GET /listen: the player. It may load our own files, and sound and pictures from the platform alone."""
    response = render(request, "listen/page.html", {"demo": not settings.PRODUCTION})
    response["Content-Security-Policy"] = content_policy()
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "no-cache"
    return response


def content_policy() -> str:
    """The page's Content-Security-Policy."""
    platform = settings.MASSIVEMUSIC
    sound = {origin(platform["stream_url"]), origin(platform["media_url"])}
    rules = {
        "default-src": "'self'",
        "media-src": " ".join(sorted(sound)),
        "img-src": f"'self' {origin(platform['image_url'])}",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def origin(url: str) -> str:
    """Scheme, host and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


@csrf_exempt
@require_POST
def demo(request: HttpRequest) -> HttpResponse:
    """POST /listen/demo, in development only: the login of a listener who is there and subscribed by then."""
    if settings.PRODUCTION:
        raise Http404
    password = kept(settings.VAR_DIR / "keys" / "demo_listener", make_secret)
    subscribe(demo_listener(password))
    return JsonResponse({"email": DEMO_EMAIL, "password": password}, headers={"Cache-Control": "no-store"})


@transaction.atomic
def demo_listener(password: str) -> Listener:
    """The one whom every visitor is, so that two tabs are two devices of one listener."""
    user, _ = User.objects.select_for_update().get_or_create(email=DEMO_EMAIL)
    if not user.check_password(password):
        user.set_password(password)
        user.save(update_fields=["password"])
    listener = Listener.objects.filter(user=user).first()
    return listener or register_listener(user=user, country=COUNTRY, now=timezone.now())


def subscribe(listener: Listener) -> None:
    """Tell what a billing system would, unless a subscription runs; both tabs of an instant tell the same event."""
    now = timezone.now()
    if Subscription.objects.covering(now + timedelta(hours=1)).filter(listener=listener).exists():
        return
    event_id = str(uuid.uuid5(listener.pk, f"{now:%Y-%m-%d %H}"))
    body = json.dumps(subscription_event(account_id=str(listener.pk), external_id=f"sub_{event_id}", now=now))
    take_letter(standard.read(body=body.encode(), event_id=event_id, now=now))
