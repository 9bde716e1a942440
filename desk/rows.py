"""Rows in the admin that only our actions may write, and lists that never count a table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable
from typing import Any, Final, TypeVar

from django.contrib import messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser, PermissionsMixin
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from unfold import paginator
from unfold.views import ChangeList

Row = TypeVar("Row", bound=Model)

MOST: Final = 10_000  # rows that a long list leads to


def may_view(user: AbstractBaseUser | AnonymousUser, label: str) -> bool:
    """Whether a member of staff may look at a model's rows (`app.Model`); whoever may change them may."""
    app, name = label.lower().split(".")
    return isinstance(user, PermissionsMixin | AnonymousUser) and any(
        user.has_perm(f"{app}.{verb}_{name}") for verb in ("view", "change")
    )


def noted(request: HttpRequest, rows: Iterable[Model], what: str, *, was: str = "") -> None:
    """Write into the admin's log that this member of staff did something with rows that no form saves.

    `was` names the field that it changed; the rows still say what stood there before.
    """
    assert request.user.pk is not None  # noqa: S101  the admin lets nobody else in
    told = defaultdict(list)
    for row in rows:
        told[f"{what} (was {getattr(row, was)})" if was else what].append(row)
    for text, alike in told.items():
        LogEntry.objects.log_actions(request.user.pk, alike, CHANGE, change_message=text)


class Uncounted:
    """Mixed in before ModelAdmin: a list that never counts its table."""

    paginator: type[Paginator] = paginator.InfinitePaginator
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    list_per_page = 50


class ReadOnly(Uncounted):
    """Mixed in before ModelAdmin: rows that only actions of ours may write."""

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class CappedPaginator(Paginator):
    """Pages that end, as counting does, after MOST rows."""

    @cached_property
    def count(self) -> int:
        return int(self.object_list[:MOST].count())  # type: ignore[attr-defined]


class ActedUpon(ReadOnly):
    """Mixed in before ModelAdmin: rows with actions. Whoever acts on all of a list must see how many they are."""

    paginator = CappedPaginator


def led_to(rows: QuerySet[Row], states: Container[str]) -> list[Row]:
    """Of the rows that a list leads to, for an action upon all of them, those in one of these states."""
    return [row for row in rows[:MOST] if row.state in states]  # type: ignore[attr-defined]


class InfinitePaginator(CappedPaginator, paginator.InfinitePaginator):
    """The same. By this very name unfold knows not to show the count."""


class InOneOrder(ChangeList):
    """A list that sorts by nothing but its own order, and says so where its pages end."""

    def get_ordering_field(self, field_name: Any) -> None:
        return None

    def get_results(self, request: HttpRequest) -> None:
        try:
            super().get_results(request)
        except IncorrectLookupParameters:
            messages.warning(request, f"There is no such page: a list leads to {MOST:,} rows. Search for the others.")
            self.page_num = 1
            super().get_results(request)


class LongList(ReadOnly):
    """Mixed in before ModelAdmin: a table of millions, narrowed by nothing but its own filters and search."""

    paginator = InfinitePaginator
    sortable_by = ()
    list_filter: Any = ()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return InOneOrder

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Only what the filters themselves ask; any other column would be scanned."""
        asked = {f"{each}__exact" if isinstance(each, str) else each.parameter_name for each in self.list_filter}
        return lookup in asked
