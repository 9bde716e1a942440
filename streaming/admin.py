"""Who streams on what, which devices they have, and why somebody cannot, for support."""

from __future__ import annotations

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.admin import ModelAdmin

from accounts.models import Listener
from catalogue.models import Track
from desk.rows import MOST, ActedUpon, ReadOnly, noted
from kernel.errors import Refusal
from streaming.devices import remove_device
from streaming.models import Device, OfflineCopy, StreamHolder
from streaming.why import Question, answers_to


@admin.register(StreamHolder)
class StreamHolderAdmin(ReadOnly, ModelAdmin):
    list_display = ["listener", "client_id", "track_id", "since", "plays_until"]
    list_select_related = ["listener"]
    search_fields = ["listener__platform_id", "client_id"]


@admin.register(Device)
class DeviceAdmin(ActedUpon, ModelAdmin):
    list_display = ["name_or_id", "listener", "model", "app_version", "offline", "last_seen_at", "removed_at"]
    list_filter = ["offline"]
    list_select_related = ["listener"]
    search_fields = ["listener__platform_id", "listener__user__email", "client_id", "name"]
    ordering = ["-last_seen_at"]
    actions = ["remove"]

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("streaming.change_device")

    @admin.display(description="device")
    def name_or_id(self, device: Device) -> str:
        return str(device)

    @admin.action(description="Remove the device", permissions=["operate"])
    def remove(self, request: HttpRequest, devices: QuerySet[Device]) -> None:
        """As its listener does: what it keeps ends, and the platform is told."""
        removed = [device for device in devices[:MOST] if device.removed_at is None and removes(device)]
        self.message_user(request, f"{len(removed)} device(s) removed")
        noted(request, removed, "Removed the device")


def removes(device: Device) -> bool:
    """Remove the device; False where somebody was faster, or the account is closed."""
    try:
        remove_device(listener_id=device.listener_id, client_id=device.client_id, now=timezone.now())
    except Refusal:
        return False
    return True


@admin.register(OfflineCopy)
class OfflineCopyAdmin(ReadOnly, ModelAdmin):
    list_display = ["track_id", "release_id", "format_id", "device", "lease_ends_at"]
    list_select_related = ["device"]
    search_fields = ["=track_id", "device__client_id", "device__listener__platform_id"]
    ordering = ["-lease_ends_at"]


def why(request: HttpRequest) -> HttpResponse:
    """Ask every rule about a track, for a listener or a country. A link may fill in a part of the form.

    The form is posted: an e-mail address has no business in a URL, which is logged in many places.
    """
    people = may_view(request, Listener)
    named = request.GET.get("listener") or request.POST.get("listener")
    if not may_view(request, Track) or (named and not people):
        raise PermissionDenied
    form = Question(request.POST if request.method == "POST" else None, initial=request.GET.dict(), people=people)
    answers = answers_to(form.cleaned_data) if form.is_valid() else []
    if form.is_valid() and not answers:
        form.add_error("track", "There is no such track.")
    context = admin.site.each_context(request) | {
        "title": "Why can’t they hear it?", "form": form, "answers": answers,
    }  # fmt: skip
    return TemplateResponse(request, "admin/streaming/why.html", context)


def may_view(request: HttpRequest, model: type[Model]) -> bool:
    return bool(admin.site.get_model_admin(model).has_view_permission(request))
