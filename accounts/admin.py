"""Logins and listeners for support."""

from __future__ import annotations

from allauth.account.models import EmailAddress
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action

from accounts.models import Listener, Residence, User
from desk.rows import ReadOnly

admin.site.unregister(EmailAddress)  # allauth's own page: an address is changed by its listener alone


@admin.register(User)
class UserAdmin(ModelAdmin):
    """Staff rights are given here; listeners' logins are only looked at and deactivated."""

    list_display = ["email", "is_active", "is_staff", "date_joined"]
    list_filter = ["is_staff", "is_active"]
    search_fields = ["email"]
    ordering = ["email"]
    fields = ["email", "is_active", "is_staff", "is_superuser", "groups", "last_login", "date_joined"]
    readonly_fields = ["email", "last_login", "date_joined"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        """Only a superuser hands out rights."""
        fixed = list(self.readonly_fields)
        return fixed if request.user.is_superuser else [*fixed, "is_staff", "is_superuser", "groups"]


class ResidenceInline(ReadOnly, TabularInline):
    model = Residence
    extra = 0


@admin.register(Listener)
class ListenerAdmin(ReadOnly, ModelAdmin):
    list_display = ["id", "user", "country", "on_platform_since", "subscribed_since", "closed_at"]
    list_select_related = ["user"]
    search_fields = ["=id", "=platform_id", "user__email"]
    list_filter = ["country"]
    ordering = ["-created_at"]
    inlines = [ResidenceInline]
    actions_detail = ["why"]

    def has_explain_permission(self, request: HttpRequest, object_id: str) -> bool:
        return request.user.has_perm("catalogue.view_track")

    @action(description="Why can’t they hear it?", icon="hearing_disabled", permissions=["explain"])
    def why(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Every rule about a track, for this listener."""
        return redirect(f"{reverse('why')}?{urlencode({'listener': object_id})}")
