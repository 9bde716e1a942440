"""Rows in the admin that only our actions may write, and lists that never count a table."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from unfold.paginator import InfinitePaginator


class ReadOnly:
    """Mixed in before ModelAdmin: rows that only actions of ours may write."""

    paginator = InfinitePaginator
    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
