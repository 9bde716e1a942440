"""Why can't they hear it: every rule that a stream is asked about, for support."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django import forms
from django.utils import timezone
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts.finding import named_so
from accounts.models import Listener
from catalogue.reading import TrackRow, tracks_by_id, tracks_by_isrc
from catalogue.rules import Use
from catalogue.search import code_in
from catalogue.shapes import Ear, verdict_on
from catalogue.territories import day
from desk.cells import Table, label
from kernel.values import INT32, is_country
from subscriptions.models import Subscription

TRACKS: Final = 20  # that carry one ISRC
USES: Final = [
    (Use.STREAM.value, "subscription streaming"),
    (Use.AD_STREAM.value, "ad-supported streaming"),
    (Use.DOWNLOAD.value, "download"),
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One rule that was asked: whether it holds, and a sentence."""

    rule: str
    holds: bool
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """Every rule about one track, in the order in which a stream is refused."""

    track: TrackRow
    lines: Sequence[Line]
    available_from: datetime | None

    @property
    def failed(self) -> Line | None:
        """What a stream would be refused for."""
        return next((line for line in self.lines if not line.holds), None)

    @property
    def table(self) -> Table:
        """The rules, a row each."""
        marks = {True: label("yes", "success"), False: label("no", "danger")}
        return Table(
            headers=["rule", "holds", "what it says"],
            rows=[[line.rule, marks[line.holds], line.detail] for line in self.lines],
        )


class Question(forms.Form):
    """A track, somebody or somewhere, an instant and a use."""

    track = forms.CharField(
        max_length=40, help_text="an id or an ISRC", widget=UnfoldAdminTextInputWidget({"autofocus": True})
    )
    listener = forms.CharField(
        max_length=320,
        required=False,
        help_text="an e-mail address, the account's id, or the id the platform knows",
        widget=UnfoldAdminTextInputWidget,
    )
    country = forms.CharField(
        max_length=2,
        required=False,
        help_text="two letters, such as GB; instead of a listener",
        widget=UnfoldAdminTextInputWidget,
    )
    use = forms.ChoiceField(choices=USES, widget=UnfoldAdminSelectWidget)
    at = forms.DateTimeField(
        required=False, label="At", help_text="in UTC, such as 2026-01-31 12:00; now when empty",
        widget=UnfoldAdminTextInputWidget,
    )  # fmt: skip

    def __init__(self, *args: Any, people: bool, **kwargs: Any) -> None:
        """Without `people` nobody can be named, only a country."""
        super().__init__(*args, **kwargs)
        if not people:
            del self.fields["listener"]
            self.fields["country"].help_text = "two letters, such as GB"

    def clean_track(self) -> int | str:
        """A track's id, or an ISRC."""
        text: str = self.cleaned_data["track"]
        if text.isascii() and text.isdigit() and int(text) <= INT32:
            return int(text)
        code = code_in(text)
        if "isrc" not in code:
            raise forms.ValidationError("This is neither the id of a track nor an ISRC.")
        return code["isrc"]

    def clean_listener(self) -> Listener | None:
        text = self.cleaned_data["listener"]
        if not text:
            return None
        listener = Listener.objects.select_related("user").filter(named_so(text)).first()
        if listener is None:
            raise forms.ValidationError("There is no such listener.")
        return listener

    def clean_country(self) -> str:
        country: str = self.cleaned_data["country"].upper()
        if country and not is_country(country):
            raise forms.ValidationError("This is not an ISO 3166-1 country.")
        return country

    def clean_at(self) -> datetime:
        moment: datetime = self.cleaned_data["at"] or timezone.now()
        try:
            return moment.astimezone(UTC)
        except OverflowError:
            raise forms.ValidationError("Enter a valid date/time.") from None

    def clean(self) -> dict[str, Any]:
        asked = self.cleaned_data
        if not self.errors and bool(asked.get("listener")) == bool(asked["country"]):
            self.add_error("country", "Name a listener or a country, and not both.")
        return asked


def answers_to(asked: dict[str, Any]) -> list[Answer]:
    """What the rules say of each track that was meant; none where there is no such track."""
    listener: Listener | None = asked.get("listener")
    country = listener.country if listener else asked["country"]
    ear = Ear(country=country, explicit_filter=bool(listener and listener.explicit_filter), at=asked["at"])
    use = Use(asked["use"])
    own = list(about(listener, use=use, at=ear.at)) if listener else []
    answers = []
    for track in tracks_meant(asked["track"], country=country):
        verdict = verdict_on(track, ear, use=use)
        judged = [Line(rule=each.rule.value, holds=each.holds, detail=each.detail) for each in verdict.asked]
        answers.append(Answer(track=track, lines=[*own, *judged], available_from=verdict.available_from))
    return answers


def tracks_meant(track: int | str, *, country: str) -> list[TrackRow]:
    """The track with that id, or those that carry that ISRC."""
    if isinstance(track, int):
        return list(tracks_by_id([track], country=country).values())
    return tracks_by_isrc([track], country=country)[:TRACKS]


def about(listener: Listener, *, use: Use, at: datetime) -> Iterator[Line]:
    """What is asked of the listener, whatever the track."""
    open_ = listener.closed_at is None and listener.user is not None and listener.user.is_active
    yield Line(rule="ACCOUNT", holds=open_, detail="the account must be neither closed nor banned")
    if use is Use.STREAM:
        own = Subscription.objects.filter(listener=listener)
        covering = own.covering(at).order_by("-entitled_until").first()
        last = covering or own.order_by("-entitled_until").first()
        said = "there is none" if last is None else f"{last.external_id} does {span_of(last)}"
        detail = f"a subscription must cover this moment: {said}"
        yield Line(rule="SUBSCRIPTION", holds=covering is not None, detail=detail)


def span_of(subscription: Subscription) -> str:
    return f"from {day(subscription.entitled_from)} until {day(subscription.entitled_until)}"
