"""The form of a rule, and what it would choose while somebody is still filling it in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from unfold.widgets import UnfoldAdminTextareaWidget

from catalogue.models import Artist
from catalogue.search import found
from catalogue.words import fold
from desk.rows import may_view
from kernel.values import INT32, is_country
from playlists.choosing import chosen
from playlists.models import Rule
from playlists.rules import RuleTooWide
from playlists.sheet import lines_for

MOST_LINES: Final = 50
SHOWN: Final = 20  # of the tracks that a rule would choose
NAMESAKES: Final = 200  # among which an artist is looked for by name
NUMBERED: Final = re.compile(r"(?:.*\s)?#(\d{1,10})")


class Lines(forms.Field):
    """Several texts, one a line: names may have commas in them."""

    widget = UnfoldAdminTextareaWidget

    def __init__(self, *, longest: int, **options: Any) -> None:
        super().__init__(required=False, **options)
        self.widget.attrs["rows"] = 3
        self.longest = longest

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[Any]:
        """Raises ValidationError."""
        if "\0" in (value or ""):
            raise forms.ValidationError("A character in it cannot be kept.")
        lines = list(dict.fromkeys(line.strip() for line in (value or "").splitlines() if line.strip()))
        if len(lines) > MOST_LINES:
            raise forms.ValidationError(f"At most {MOST_LINES} lines.")
        if long := next((line for line in lines if len(line) > self.longest), None):
            raise forms.ValidationError(f"At most {self.longest} characters a line: {long[:40]} …")
        return lines


class Classes(Lines):
    """Classes of the enhanced stream, which writes them small."""

    def to_python(self, value: Any) -> list[str]:
        return [line.lower() for line in super().to_python(value)]


class Markets(Lines):
    def to_python(self, value: Any) -> list[str]:
        codes = [line.upper() for line in super().to_python((value or "").replace(",", "\n"))]
        if wrong := [code for code in codes if not is_country(code)]:
            raise forms.ValidationError(f"No country: {', '.join(wrong)}")
        return codes


class Artists(Lines):
    """Ids, written and read as names; where several are called so, with the id behind the name."""

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        names = dict(Artist.objects.filter(pk__in=value).values_list("pk", "name"))
        return "\n".join(f"{names.get(pk, '')} #{pk}".strip() for pk in value)

    def to_python(self, value: Any) -> list[int]:
        return list(dict.fromkeys(artist_of(line) for line in super().to_python(value)))


def artist_of(text: str) -> int:
    """Raises ValidationError where nobody is called so, or several are."""
    if numbered := NUMBERED.fullmatch(text):
        known = list(Artist.objects.filter(pk=min(int(numbered[1]), INT32)).values_list("pk", flat=True))
    else:
        likely = Artist.objects.filter(pk__in=found(Artist, text=text)[0:NAMESAKES]).values_list("pk", "name")
        known = [pk for pk, name in likely if fold(name) == fold(text)]
    if not known:
        raise forms.ValidationError(f"No artist is called so: {text}")
    if len(known) > 1:
        which = ", ".join(f"#{pk}" for pk in sorted(known)[:10])
        raise forms.ValidationError(f"Several artists are called so: write “{text} #…” with one of {which}")
    return known[0]


class RuleForm(forms.ModelForm):
    """A rule as it is filled in."""

    genres = Lines(longest=128, help_text="one a line, as releases have them; any of them will do")
    labels = Lines(longest=512, help_text="one a line")
    artists = Artists(longest=1024, help_text="one a line: a name, or #501")
    markets = Markets(longest=2, help_text="countries, in all of which a track must play now")
    moods = Classes(longest=64, help_text="one a line, as the enhanced stream calls them")
    tempos = Classes(longest=64, help_text="one a line: slow, mid-tempo, fast")

    class Meta:
        model = Rule
        fields = [field.name for field in Rule._meta.fields if field.editable and not field.primary_key]


def preview(request: HttpRequest) -> JsonResponse:
    """GET /admin/rules/preview/?{the form's fields}: how many tracks there would be, and the first of them."""
    if not may_view(request.user, "playlists.Rule"):
        raise PermissionDenied
    form = RuleForm(request.GET.dict() | {"name": "not yet"})
    if not form.is_valid():
        return JsonResponse({"refused": list(said(form))})
    rule, now = form.save(commit=False), timezone.now()
    try:
        track_ids = chosen(rule, at=now)
    except RuleTooWide as no:
        return JsonResponse({"refused": [no.detail]})
    first = lines_for(track_ids[:SHOWN], markets=[], at=now)
    shown = [{"title": line.title, "version": line.version, "artist": line.artist} for line in first]
    return JsonResponse({"count": len(track_ids), "wanted": rule.count, "tracks": shown})


def said(form: RuleForm) -> Iterable[str]:
    """What is wrong, each with the field that it is about."""
    for name, faults in form.errors.items():
        where = "" if name == "__all__" else f"{form.fields[name].label or name}: "
        yield from (f"{where}{fault}" for fault in faults)
