"""The admin's door: none of its pages opens before the second factor was shown, where one is asked for."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from unfold.sites import UnfoldAdminSite

from accounts.staff_door import StaffSignIn, passed, second_factor


class StaffSite(UnfoldAdminSite):
    """`has_permission` is what every page of the admin asks, ours included."""

    login_form = StaffSignIn

    def has_permission(self, request: HttpRequest) -> bool:
        return bool(super().has_permission(request)) and passed(request)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Whoever has given the password already is asked for the second factor, not for the password again."""
        if request.method == "GET" and super().has_permission(request) and not passed(request):
            wanted = request.GET.get("next", reverse("admin:index"))
            return redirect(f"{reverse('admin:second_factor')}?{urlencode({'next': wanted})}")
        page: HttpResponse = super().login(request, extra_context)
        return page

    def extra_urls(self) -> list[URLPattern]:
        return [path("second-factor/", second_factor, name="second_factor")]
