"""Who streams on what, and why somebody cannot, for support."""

from __future__ import annotations

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin

from accounts.models import Listener
from catalogue.models import Track
from desk.rows import ReadOnly
from streaming.models import StreamHolder
from streaming.why import Question, answers_to


@admin.register(StreamHolder)
class StreamHolderAdmin(ReadOnly, ModelAdmin):
    list_display = ["listener", "client_id", "track_id", "since", "plays_until"]
    list_select_related = ["listener"]
    search_fields = ["listener__platform_id", "client_id"]


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
