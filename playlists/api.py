"""Listeners' own playlists, and what is on them (Streaming guide §3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypedDict
from uuid import UUID

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from catalogue.lookup import CatalogueView, ear_of
from kernel.errors import InvalidParameter, MissingParameter
from playlists.actions import (
    add_tracks,
    change_playlist,
    create_playlist,
    move_items,
    remove_item,
    remove_playlist,
)
from playlists.audience import audience_of
from playlists.curated_api import LOCALE, SnapshotPages, host_of
from playlists.finding import Snapshot, curated, readable
from playlists.models import Item, Playlist
from playlists.reading import FIRST, Placed, readable_page, readable_version
from playlists.rules import AT_ONCE, DESCRIPTION_LIMIT, NAME_LIMIT, PlaylistChanged, PlaylistNotFound
from playlists.shapes import ItemShape, PlaylistShape, items_shown, published, told, with_cover
from web.callers import ListenerRequest, listener_id_of
from web.etags import IF_MATCH, respond_part, tag_of, version_wanted
from web.fields import CatalogueId, Text, Uuid
from web.idempotency import keyed
from web.pages import PAGE_PARAMETERS, Pages, cursor_of, limit_from, number_in, page_of


class PlaylistPages(Pages):
    """The youngest first: an order that no change upsets."""

    ordering = ("-created_at", "id")


def items_page(request: ListenerRequest, playlist_id: UUID) -> tuple[int, list[Placed], str | None]:
    """The version of a playlist, a page of it by position, and where the next is.

    Raises PlaylistNotFound, also where the cursor is of a curated one; InvalidParameter for a cursor we did not make.
    """
    listener_id, limit, cursor = listener_id_of(request), limit_from(request), request.query_params.get("cursor", "")
    try:
        after = number_in(cursor, mark="i", name="cursor", least=FIRST) if cursor else FIRST
    except InvalidParameter:
        readable_version(playlist_id, listener_id=listener_id)
        raise
    version, rows = readable_page(playlist_id, listener_id=listener_id, after=after, limit=limit + 1)
    if len(rows) <= limit:
        return version, rows, None
    last = cursor_of(rows[limit - 1].position, mark="i")
    return version, rows[:limit], replace_query_param(request.build_absolute_uri(), "cursor", last)


class Facts(serializers.Serializer[Any]):
    """What a playlist is called, and who may see it."""

    name = Text(max_length=NAME_LIMIT)
    description = Text(max_length=DESCRIPTION_LIMIT, required=False, allow_blank=True)
    visibility = serializers.ChoiceField(choices=["private", "public"], required=False)

    class Meta:
        ref_name = "PlaylistFacts"

    def facts(self) -> dict[str, Any]:
        """The columns that were given."""
        given: dict[str, Any] = dict(self.validated_data)
        return given | ({"visibility": given["visibility"].upper()} if "visibility" in given else {})


class Upon(TypedDict):
    """What every change names: whose playlist, and the version that was read."""

    listener_id: UUID
    playlist_id: UUID
    version: int | None
    now: datetime


class PlaylistView(CatalogueView):
    """Where a change came too late, the answer says what holds now."""

    def handle_exception(self, error: Exception) -> Response:
        answer = super().handle_exception(error)
        if isinstance(error, PlaylistChanged):
            playlist = readable(self.kwargs["playlist_id"], listener_id=listener_id_of(self.request))
            answer.data["current"] = told(playlist)
            answer.headers["ETag"] = tag_of(playlist.version)
        return answer

    def upon(self, playlist_id: UUID) -> Upon:
        """Raises ConditionMissing or InvalidParameter."""
        return {
            "listener_id": listener_id_of(self.request),
            "playlist_id": playlist_id,
            "version": version_wanted(self.request),
            "now": timezone.now(),
        }

    def shown(self, playlist_id: UUID, *, code: int = status.HTTP_200_OK) -> Response:
        """The playlist as it now stands, under its tag."""
        playlist = readable(playlist_id, listener_id=listener_id_of(self.request))
        return Response(told(playlist), status=code, headers={"ETag": tag_of(playlist.version)})


class Playlists(PlaylistView):
    @extend_schema(
        operation_id="playlists",
        parameters=PAGE_PARAMETERS,
        responses=page_of(PlaylistShape(many=True), name="Playlist"),
    )
    def get(self, request: ListenerRequest) -> Response:
        """The caller's own playlists, the youngest first."""
        mine = with_cover(Playlist.objects.standing().filter(owner=listener_id_of(request)))
        pages = PlaylistPages()
        rows = pages.paginate_queryset(mine, request, view=self) or []
        return pages.get_paginated_response([told(playlist) for playlist in rows])

    @extend_schema(operation_id="playlist_create", request=Facts, responses={201: PlaylistShape})
    @keyed()
    def post(self, request: ListenerRequest) -> Response:
        """A new, empty playlist, private unless told otherwise. 409 too_many_playlists."""
        wish = Facts(data=request.data)
        wish.is_valid(raise_exception=True)
        playlist = create_playlist(listener_id=listener_id_of(request), facts=wish.facts(), now=timezone.now())
        return self.shown(playlist.pk, code=status.HTTP_201_CREATED)


class OnePlaylist(PlaylistView):
    @extend_schema(operation_id="playlist", parameters=[LOCALE], responses=PlaylistShape)
    def get(self, request: ListenerRequest, playlist_id: UUID) -> Response | HttpResponse:
        """One of the caller's playlists, one that is public, or a curated one that is live for them.

        404 playlist_not_found.
        """
        try:
            return self.shown(playlist_id)
        except PlaylistNotFound:
            revision = curated(playlist_id, audience=audience_of(request))
            [shown] = published([revision], host=host_of(request))
            return respond_part(revision.number, shown)

    @extend_schema(
        operation_id="playlist_change", parameters=[IF_MATCH], request=Facts(partial=True), responses=PlaylistShape
    )
    def patch(self, request: ListenerRequest, playlist_id: UUID) -> Response:
        """Rename, describe, show or hide. What is left out stays. 412 with how it stands now, 428 without If-Match."""
        wish = Facts(data=request.data, partial=True)
        wish.is_valid(raise_exception=True)
        change_playlist(**self.upon(playlist_id), facts=wish.facts())
        return self.shown(playlist_id)

    @extend_schema(operation_id="playlist_remove", parameters=[IF_MATCH], responses={204: None})
    def delete(self, request: ListenerRequest, playlist_id: UUID) -> Response:
        """Remove the playlist."""
        remove_playlist(**self.upon(playlist_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


class Items(PlaylistView):
    class Input(serializers.Serializer[Any]):
        """Tracks to add: `track_ids`, or `items` with a `track_id` each, or one `track_id`."""

        class Wish(serializers.Serializer[Any]):
            track_id = CatalogueId()

            class Meta:
                ref_name = "PlaylistItemWish"

        track_ids = serializers.ListField(child=CatalogueId(), min_length=1, max_length=AT_ONCE, required=False)
        items = serializers.ListField(child=Wish(), min_length=1, max_length=AT_ONCE, required=False)
        track_id = CatalogueId(required=False)
        before = Uuid(required=False, allow_null=True, help_text="an item; at the end without it")

        class Meta:
            ref_name = "PlaylistItemsWish"

        def tracks(self) -> list[int]:
            """The tracks in the order given. Raises MissingParameter when there are none."""
            given: dict[str, Any] = self.validated_data
            ids = given.get("track_ids") or [each["track_id"] for each in given.get("items", [])]
            if "track_id" in given:
                ids = [*ids, given["track_id"]]
            if not ids:
                raise MissingParameter("name at least one track", field="track_ids")
            return ids

    class Output(serializers.Serializer[Any]):
        results = ItemShape(many=True)
        track_count = serializers.IntegerField()

        class Meta:
            ref_name = "PlaylistItemsAdded"

    @extend_schema(
        operation_id="playlist_items",
        parameters=[*PAGE_PARAMETERS, LOCALE],
        responses=page_of(ItemShape(many=True), name="PlaylistItem"),
    )
    def get(self, request: ListenerRequest, playlist_id: UUID) -> HttpResponse:
        """What is on the playlist, in order. A track that cannot be played stays, and says why."""
        rows: Sequence[Item | Placed]
        try:
            version, rows, more = items_page(request, playlist_id)
        except PlaylistNotFound:
            revision, pages = curated(playlist_id, audience=audience_of(request)), SnapshotPages()
            version, rows = revision.number, pages.paginate_queryset(Snapshot(revision), request, view=self)
            more = pages.next_link
        return respond_part(version, {"results": items_shown(rows, ear_of(request)), "next": more})

    @extend_schema(operation_id="playlist_add", parameters=[IF_MATCH], request=Input, responses={201: Output})
    @keyed()
    def post(self, request: ListenerRequest, playlist_id: UUID) -> Response:
        """Add up to 1,000 tracks, in front of an item or at the end; all of them or none.

        404 track_not_found with the `missing` ones, 409 playlist_full.
        """
        wish = self.Input(data=request.data)
        wish.is_valid(raise_exception=True)
        playlist, items = add_tracks(
            **self.upon(playlist_id),
            track_ids=wish.tracks(),
            before=wish.validated_data.get("before"),
        )
        body = {"results": items_shown(items, ear_of(request)), "track_count": playlist.track_count}
        return Response(body, status=status.HTTP_201_CREATED, headers={"ETag": tag_of(playlist.version)})


class Move(PlaylistView):
    class Input(serializers.Serializer[Any]):
        item_ids = serializers.ListField(child=Uuid(), min_length=1, max_length=AT_ONCE)
        before = Uuid(allow_null=True, help_text="an item, or null for the end")

        class Meta:
            ref_name = "PlaylistMove"

    @extend_schema(operation_id="playlist_move", parameters=[IF_MATCH], request=Input, responses=PlaylistShape)
    @keyed()
    def post(self, request: ListenerRequest, playlist_id: UUID) -> Response:
        """Put items, in the order given, in front of another one or at the end. 404 item_not_found."""
        wish = self.Input(data=request.data)
        wish.is_valid(raise_exception=True)
        move_items(**self.upon(playlist_id), **wish.validated_data)
        return self.shown(playlist_id)


class OneItem(PlaylistView):
    @extend_schema(operation_id="playlist_item_remove", parameters=[IF_MATCH], responses={204: None})
    def delete(self, request: ListenerRequest, playlist_id: UUID, item_id: UUID) -> Response:
        """Take one item off the playlist; the same track elsewhere on it stays."""
        playlist = remove_item(**self.upon(playlist_id), item_id=item_id)
        return Response(status=status.HTTP_204_NO_CONTENT, headers={"ETag": tag_of(playlist.version)})
