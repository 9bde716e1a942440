"""What an editor may do to a draft, each as a verb: what it takes, who may, and what it does."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from rest_framework import serializers

from kernel.values import INT32, is_country
from playlists.audience import TAG, canonical
from playlists.curation import Edit, arrange, describe, move, put_tracks, take_off
from playlists.drafting import refresh
from playlists.models import Item
from playlists.mosaics import ask_for_mosaic
from playlists.publishing import end, propose, publish, restore
from playlists.registry import plans_sold
from playlists.rules import DESCRIPTION_LIMIT, ITEMS_LIMIT, NAME_LIMIT, NOTE_LIMIT
from playlists.swapping import swap
from web.params import instant_of

MOST_NAMED: Final = 250  # countries, plans, locales or tags


class Verb(serializers.Serializer[Any]):
    """One kind of change. `do` makes it, and says for the log what was done; `added` are the items that came."""

    permission: ClassVar = "change_playlist"
    added: Sequence[Item] = ()

    @abstractmethod
    def do(self, edit: Edit) -> str:
        """Raises a Refusal."""

    @property
    def given(self) -> dict[str, Any]:
        return dict(self.validated_data)


def several(limit: int = MOST_NAMED, **options: Any) -> serializers.ListField:
    return serializers.ListField(child=serializers.CharField(**options), max_length=limit, required=False)


def item_ids(**options: Any) -> serializers.ListField:
    return serializers.ListField(child=serializers.UUIDField(), max_length=ITEMS_LIMIT, **options)


class Describe(Verb):
    name = serializers.CharField(max_length=NAME_LIMIT, required=False)
    description = serializers.CharField(max_length=DESCRIPTION_LIMIT, required=False, allow_blank=True)
    countries = several(max_length=2)
    plans = several(max_length=64)
    locales = several(max_length=35)
    tags = several(limit=50, max_length=64)
    cover = serializers.ChoiceField(choices=[""], required=False, help_text="empty: without a cover of its own")

    def validate_countries(self, codes: list[str]) -> list[str]:
        if wrong := [code for code in codes if not is_country(code.upper())]:
            raise serializers.ValidationError(f"no country: {', '.join(wrong)}")
        return unique([code.upper() for code in codes])

    def validate_plans(self, codes: list[str]) -> list[str]:
        if wrong := sorted(set(codes) - set(plans_sold())):
            raise serializers.ValidationError(f"no plan: {', '.join(wrong)}")
        return unique(codes)

    def validate_locales(self, tags: list[str]) -> list[str]:
        if wrong := [tag for tag in tags if not TAG.fullmatch(tag)]:
            raise serializers.ValidationError(f"no language tag such as en or pt-BR: {', '.join(wrong)}")
        return unique([canonical(tag) for tag in tags])

    def validate_tags(self, tags: list[str]) -> list[str]:
        return unique(tags)

    def do(self, edit: Edit) -> str:
        describe(edit, self.given)
        return f"Changed {', '.join(self.given)}"


class Add(Verb):
    track_ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=INT32), min_length=1, max_length=ITEMS_LIMIT
    )
    before = serializers.UUIDField(required=False, allow_null=True)

    def do(self, edit: Edit) -> str:
        _, self.added = put_tracks(edit, self.given["track_ids"], before=self.given.get("before"))
        return f"Added {len(self.added):,} track(s)"


class Refresh(Verb):
    """What the rule that made the draft chooses by now, and did not before."""

    def do(self, edit: Edit) -> str:
        _, self.added = refresh(edit)
        return f"Added {len(self.added):,} track(s) by the rule"


class Mosaic(Verb):
    """A cover made of its tracks', which is there a moment later."""

    def do(self, edit: Edit) -> str:
        ask_for_mosaic(edit)
        return "Had its cover made of its tracks’"


class Move(Verb):
    item_ids = item_ids(min_length=1)
    before = serializers.UUIDField(allow_null=True)

    def do(self, edit: Edit) -> str:
        move(edit, self.given["item_ids"], before=self.given["before"])
        return f"Moved {len(self.given['item_ids']):,} track(s)"


class Remove(Verb):
    item_ids = item_ids(min_length=1)

    def do(self, edit: Edit) -> str:
        take_off(edit, self.given["item_ids"])
        return f"Removed {len(self.given['item_ids']):,} track(s)"


class Arrange(Verb):
    """The whole list at once, which is how anything is undone."""

    item_ids = item_ids()
    track_ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=INT32), max_length=ITEMS_LIMIT
    )

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if len(given["item_ids"]) != len(given["track_ids"]) or len(set(given["item_ids"])) != len(given["item_ids"]):
            raise serializers.ValidationError("item_ids and track_ids: one track each, and no item twice")
        return given

    def do(self, edit: Edit) -> str:
        arrange(edit, dict(zip(self.given["item_ids"], self.given["track_ids"], strict=True)))
        return "Undid a change"


class Swap(Verb):
    """Another track in the place of one, which is named so that nothing else is swapped."""

    item_id = serializers.UUIDField()
    track_id = serializers.IntegerField(min_value=1, max_value=INT32)
    becomes = serializers.IntegerField(min_value=1, max_value=INT32)

    def do(self, edit: Edit) -> str:
        was, becomes = self.given["track_id"], self.given["becomes"]
        swap(edit, [self.given["item_id"]], was=was, becomes=becomes)
        return f"Swapped track {was} for {becomes}"


class Restore(Verb):
    number = serializers.IntegerField(min_value=1, max_value=INT32)

    def do(self, edit: Edit) -> str:
        restore(edit, number=self.given["number"])
        return f"Made revision {self.given['number']} the draft"


class Propose(Verb):
    permission = "propose_playlist"
    note = serializers.CharField(max_length=NOTE_LIMIT, required=False, allow_blank=True)

    def do(self, edit: Edit) -> str:
        propose(edit, note=self.given.get("note", ""))
        return "Proposed the draft"


class Instant(serializers.CharField):
    """An instant with its offset: one without would be another in every office."""

    def to_internal_value(self, data: Any) -> Any:
        moment = instant_of(data)
        if moment is None:
            raise serializers.ValidationError("must be a time with its offset, such as 2026-12-24T18:00:00Z")
        return moment


class Publish(Verb):
    permission = "publish_playlist"
    publish_at = Instant(required=False, allow_null=True)
    expires_at = Instant(required=False, allow_null=True)
    note = serializers.CharField(max_length=NOTE_LIMIT, required=False, allow_blank=True)

    def do(self, edit: Edit) -> str:
        revision = publish(
            edit, at=self.given.get("publish_at"), until=self.given.get("expires_at"), note=self.given.get("note", "")
        )
        return f"Published revision {revision.number}, live from {revision.live_from:%Y-%m-%d %H:%M} UTC"


class End(Verb):
    permission = "publish_playlist"

    def do(self, edit: Edit) -> str:
        end(edit)
        return "Took it from listeners"


VERBS: Final[Mapping[str, type[Verb]]] = {
    each.__name__.lower(): each
    for each in (Describe, Add, Refresh, Mosaic, Move, Remove, Swap, Arrange, Restore, Propose, Publish, End)
}


def unique(texts: list[str]) -> list[str]:
    return list(dict.fromkeys(texts))
