"""Logins and listeners for support."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import ModelAdmin
from unfold.decorators import action

from accounts.actions import move_listener
from accounts.factors import reset
from accounts.models import Listener, User
from desk.rows import ReadOnly, Uncounted, may_view
from desk.story import lanes_of, story_of
from desk.strip import strip
from kernel.values import is_country

INSTANTS: Final = ["created_at", "on_platform_since", "subscribed_since", "closed_at"]

# Allauth's own pages: addresses, sessions and accounts elsewhere are their listener's affair alone.
admin.site.unregister([model for model in admin.site._registry if model.__module__.startswith("allauth.")])


@admin.register(User)
class UserAdmin(Uncounted, SimpleHistoryAdmin, ModelAdmin):
    """Staff rights are given here; listeners' logins are only looked at and deactivated."""

    list_display = ["email", "is_active", "is_staff", "second_factor", "date_joined"]
    list_filter = ["is_staff", "is_active"]
    list_select_related = ["second_factor"]
    search_fields = ["email"]
    ordering = ["email"]
    fields = ["email", "is_active", "is_staff", "is_superuser", "groups", "last_login", "date_joined"]
    readonly_fields = ["email", "last_login", "date_joined"]
    actions = ["reset_second_factor"]

    def has_reset_permission(self, request: HttpRequest) -> bool:
        return request.user.is_superuser

    @admin.action(description="Reset the second factor", permissions=["reset"])
    def reset_second_factor(self, request: HttpRequest, users: QuerySet[User]) -> None:
        """For whoever has lost theirs: they set up another at their next sign-in."""
        staff: User = request.user  # type: ignore[assignment]
        count = sum(reset(user=user, by=staff) for user in users)
        self.message_user(request, f"{count} second factor(s) reset")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Support keeps listeners out, never one another."""
        mine = obj is None or not (obj.is_staff or obj.is_superuser) or request.user.is_superuser
        return mine and bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """With a login would go what the log says of its doings; it is deactivated, or closed by its listener."""
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        """Only a superuser hands out rights."""
        fixed = list(self.readonly_fields)
        return fixed if request.user.is_superuser else [*fixed, "is_staff", "is_superuser", "groups"]


class Move(forms.ModelForm):
    """Where support says a listener lives."""

    def clean_country(self) -> str:
        country: str = self.cleaned_data["country"].upper()
        if not is_country(country):
            raise forms.ValidationError("This is not an ISO 3166-1 country.")
        return country


@admin.register(Listener)
class ListenerAdmin(ReadOnly, ModelAdmin):
    """A listener's whole story on one page. Support moves them to another country; all else is only looked at."""

    form = Move
    list_display = ["id", "user", "country", "on_platform_since", "subscribed_since", "closed_at"]
    list_select_related = ["user"]
    search_fields = ["=id", "=platform_id", "user__email"]
    list_filter = ["country"]
    ordering = ["-created_at"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("user", "country"),
                    ("platform_id", "explicit_filter"),
                    ("created_at", "on_platform_since"),
                    ("subscribed_since", "closed_at"),
                ]
            },
        )
    ]
    readonly_fields = ["user", "platform_id", "explicit_filter", *INSTANTS]
    actions_detail = ["give", "why", "locker"]

    def has_change_permission(self, request: HttpRequest, obj: Listener | None = None) -> bool:
        return ModelAdmin.has_change_permission(self, request, obj) and (obj is None or obj.closed_at is None)

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> str:
        return "Country from {} to {}".format(form.initial["country"], form.cleaned_data["country"])

    def save_model(self, request: HttpRequest, obj: Listener, form: Any, change: bool) -> None:
        staff: User = request.user  # type: ignore[assignment]
        move_listener(listener=obj, country=form.cleaned_data["country"], by=staff, now=timezone.now())

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        now, mine = timezone.now(), kwargs["obj"]
        context |= {"story": list(story_of(mine, reader=request.user)), "now": now}
        context |= {"strip": strip(lanes_of(mine, reader=request.user), now=now)}
        return super().render_change_form(request, context, *args, **kwargs)

    def has_give_permission(self, request: HttpRequest, object_id: str) -> bool:
        return request.user.has_perm("subscriptions.give_period")

    @action(description="Give days for nothing", icon="redeem", permissions=["give"])
    def give(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """A complimentary period."""
        return redirect("gift", listener_id=object_id)

    def has_explain_permission(self, request: HttpRequest, object_id: str) -> bool:
        return request.user.has_perm("catalogue.view_track") and self.has_view_permission(request)

    @action(description="Why can’t they hear it?", icon="hearing_disabled", permissions=["explain"])
    def why(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Every rule about a track, for this listener."""
        return redirect(f"{reverse('why')}?{urlencode({'listener': object_id})}")

    def has_look_permission(self, request: HttpRequest, object_id: str) -> bool:
        return may_view(request.user, "downloads.LockerTrack") and self.has_view_permission(request)

    @action(description="The locker", icon="inventory", permissions=["look"])
    def locker(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What they have bought, beside what the platform has."""
        return redirect("locker", listener_id=object_id)
