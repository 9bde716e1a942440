"""Rows in the admin that only our actions may write, and lists that never count a large table."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest
from django.utils.functional import cached_property


class UncountedPaginator(Paginator):
    """Never counts: a large table opens as fast as a small one."""

    @cached_property
    def count(self) -> int:
        return 9_999_999


class ReadOnly:
    """Mixed in before ModelAdmin: rows that only actions of ours may write."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
