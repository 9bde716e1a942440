"""Deleting curated playlists: who may, who loses what, and what is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from accounts.models import User
from playlists.curation import describe
from playlists.models import Featured, Item, Playlist, Revision, Shelf
from playlists.publishing import end, publish
from playlists.removing import remove_curated
from playlists.rules import PlaylistChanged, PlaylistNotFound
from tests.playlists.conftest import edit
from tests.playlists.test_tell_curated import theirs
from tests.playlists.test_tell_platform import drain
from tests.sandbox.platform import Partner, Platform

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def partner(sandbox: Platform) -> Iterator[Partner]:
    partner = Partner(sandbox)
    yield partner
    partner.close()


def page(playlist: Playlist) -> str:
    return f"/admin/playlists/playlist/{playlist.pk}/delete/"


def member_of(user: User, role: str) -> Client:
    user.groups.set([Group.objects.get(name=role)])
    client = Client()
    client.force_login(user)
    return client


def version(playlist: Playlist) -> int:
    return Playlist.objects.get(pk=playlist.pk).version


def never(playlist: Playlist, editor: User) -> None:
    describe(edit(playlist, editor), {"name": "Draft"})


def live(playlist: Playlist, editor: User) -> None:
    publish(edit(playlist, editor))


def scheduled(playlist: Playlist, editor: User) -> None:
    publish(edit(playlist, editor), at=timezone.now() + DAY)


def over(playlist: Playlist, editor: User) -> None:
    publish(edit(playlist, editor))
    end(edit(playlist, editor))


def withdrawn(playlist: Playlist, editor: User) -> None:
    scheduled(playlist, editor)
    end(edit(playlist, editor))


def taken_over(playlist: Playlist, editor: User) -> None:
    """As `manage.py import_playlists` leaves it: the platform has one of its own."""
    Playlist.objects.filter(pk=playlist.pk).update(platform_id="77")


@pytest.mark.parametrize("before", [never, live, scheduled, over, withdrawn, taken_over])
@pytest.mark.parametrize("role", ["Editor", "Senior editor", "Support"])
def test_an_editor_deletes_drafts_and_a_senior_editor_anything(
    draft: Callable[..., Playlist], editor: User, role: str, before: Callable[[Playlist, User], None]
) -> None:
    playlist = draft()
    before(playlist, editor)
    may = role == "Senior editor" or (role == "Editor" and before in (never, withdrawn))
    client = member_of(editor, role)

    assert (client.get(page(playlist)).status_code == 200) is may
    assert client.post(page(playlist), {"version": version(playlist)}).status_code == (302 if may else 403)

    assert Playlist.objects.standing().filter(pk=playlist.pk).exists() is not may
    if role != "Support":
        assert (f'href="{page(playlist)}"' in client.get(f"/admin/curate/{playlist.pk}/").content.decode()) is (
            False if may else may
        )


def test_it_is_said_who_loses_what(draft: Callable[..., Playlist], editor: User) -> None:
    playlist = draft(countries=["GB", "DE"])
    publish(edit(playlist, editor))
    publish(edit(playlist, editor), at=timezone.now() + DAY)
    Featured.objects.create(shelf=Shelf.objects.create(name="Mornings"), playlist=playlist)
    senior = member_of(editor, "Senior editor")

    said = senior.get(page(playlist)).content.decode()

    for text in ("Listeners in DE, GB lose it at once: 4 tracks, live since", "Revision 2, which was to begin on",
                 "It goes from the shelves: Mornings."):  # fmt: skip
        assert text in said
    assert "no listener has it" in senior.get(page(draft(tracks=[]))).content.decode()


def test_what_was_published_is_kept_for_the_record(draft: Callable[..., Playlist], editor: User) -> None:
    playlist = draft()
    publish(edit(playlist, editor))
    publish(edit(playlist, editor), at=timezone.now() + DAY)
    Featured.objects.create(shelf=Shelf.objects.create(name="Mornings"), playlist=playlist)

    remove_curated(edit(playlist, editor))

    first, second = Revision.objects.filter(playlist=playlist).order_by("number")
    assert (first.live_until is not None, second.live_from, first.track_count) == (True, None, 4)
    assert Playlist.objects.get(pk=playlist.pk).name == "Morning"
    assert not Item.objects.filter(playlist=playlist).exists()
    assert not Featured.objects.exists()
    for again in (lambda: remove_curated(edit(playlist, editor)), lambda: publish(edit(playlist, editor))):
        with pytest.raises(PlaylistNotFound):
            again()


def test_what_was_changed_after_the_question_is_not_deleted(
    draft: Callable[..., Playlist], editor: User, senior: User
) -> None:
    playlist = draft()
    client, asked = member_of(editor, "Senior editor"), version(playlist)
    publish(edit(playlist, senior))

    with pytest.raises(PlaylistChanged):
        remove_curated(edit(playlist, editor, version=asked))
    shown = client.post(page(playlist), {"version": asked}, follow=True)

    assert "Grace has changed this list. It was not deleted" in shown.content.decode()
    assert Playlist.objects.standing().filter(pk=playlist.pk).exists()


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5", "9" * 30])
def test_a_version_that_is_none_is_refused(draft: Callable[..., Playlist], editor: User, text: str) -> None:
    assert member_of(editor, "Senior editor").post(page(draft()), {"version": text}).status_code == 400


def test_a_deletion_is_in_the_log(draft: Callable[..., Playlist], editor: User) -> None:
    playlist = draft()
    member_of(editor, "Editor").post(page(playlist), {"version": version(playlist)})

    entry = LogEntry.objects.get(object_id=str(playlist.pk))
    assert (entry.user, entry.object_repr, entry.change_message) == (editor, "Morning", "Deleted it")


def test_the_list_offers_no_deletion_of_many_at_once(draft: Callable[..., Playlist], editor: User) -> None:
    playlist = draft()
    form = {"action": "delete_selected", "_selected_action": [playlist.pk], "post": "yes"}
    member_of(editor, "Senior editor").post("/admin/playlists/playlist/", form)

    assert Playlist.objects.standing().filter(pk=playlist.pk).exists()


def test_the_platform_deletes_it_too(draft: Callable[..., Playlist], editor: User, partner: Partner) -> None:
    playlist, kept = draft(), draft(tracks=[])
    publish(edit(playlist, editor))
    drain()
    assert len(theirs(partner)) == 1

    remove_curated(edit(playlist, editor))
    remove_curated(edit(kept, editor))
    drain()

    assert theirs(partner) == []
    assert set(Playlist.objects.values_list("platform_id", "asked", "sync")) == {("", False, "SYNCED")}
