"""Roles, and what staff have done. Nobody but superusers hands out rights."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from config.roles import ROLES
from desk.rows import ReadOnly, Uncounted, noted

admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(Uncounted, ModelAdmin):
    """The roles are kept as they are written down; superusers may make other groups beside them."""

    list_display = ["name", "of_the_house"]
    search_fields = ["name"]
    ordering = ["name"]
    filter_horizontal = ["permissions"]

    @admin.display(description="a role", boolean=True)
    def of_the_house(self, group: Group) -> bool:
        return group.name in ROLES

    def has_view_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return request.user.is_superuser

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.is_superuser

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return request.user.is_superuser and (obj is None or obj.name not in ROLES)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return self.has_change_permission(request, obj)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Each is deleted on its own page, which knows the roles."""
        return {}

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        before = held(form.instance)
        super().save_related(request, form, formsets, change)
        after = held(form.instance)
        if before != after:
            said = [f"Gave {', '.join(sorted(after - before))}"] if after - before else []
            said += [f"Took {', '.join(sorted(before - after))}"] if before - after else []
            noted(request, [form.instance], ". ".join(said))


def held(group: Group) -> set[str]:
    """What a group may do, as `app.codename`."""
    return {f"{app}.{code}" for app, code in group.permissions.values_list("content_type__app_label", "codename")}


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnly, ModelAdmin):
    """Who did what, the latest first. Fees and logins also have a *History* of their own."""

    list_display = ["action_time", "user", "content_type", "row", "what"]
    list_display_links = None  # a row says all there is
    list_filter = ["action_flag", "content_type"]
    list_select_related = ["user", "content_type"]
    search_fields = ["user__email", "object_repr", "change_message", "=object_id"]
    search_help_text = "who did it, what was done, or a row’s name or id"
    ordering = ["-id"]
    sortable_by = ()

    @admin.display(description="row")
    def row(self, entry: LogEntry) -> SafeString | str:
        address = entry.get_admin_url()
        return (
            format_html('<a class="text-link" href="{}">{}</a>', address, entry.object_repr)
            if address
            else entry.object_repr
        )

    @admin.display(description="what was done")
    def what(self, entry: LogEntry) -> str:
        return entry.get_change_message() or entry.get_action_flag_display()
