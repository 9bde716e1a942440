"""What support reads about a listener of the account itself."""

from __future__ import annotations

from accounts.models import Listener
from desk.cells import Table, moment, state
from desk.story import LATEST, chapter, listed
from outbox.models import Message


@chapter("Where they lived", model="accounts.Listener", place=70)
def residences(listener: Listener) -> Table:
    homes = listener.residences.select_related("changed_by").order_by("-since")[:LATEST]
    return Table(
        headers=["since", "country", "said by"],
        rows=[[moment(home.since), home.country, home.changed_by or "–"] for home in homes],
    )


@chapter("Messages to the platform", model="outbox.Message", place=50)
def messages(listener: Listener) -> Table:
    """Their lane of the outbox."""
    lane = Message.objects.filter(lane=listener.platform_id).order_by("-pk")[:LATEST]
    return Table(
        headers=["message", "written", "state", "tries", "ended", "last error"],
        rows=[
            [
                listed("outbox.Message", each.topic, q=each.key), moment(each.created_at), state(each.state),
                each.attempts, moment(each.finished_at), each.last_error[:120] or "–",
            ]
            for each in lane
        ],
    )  # fmt: skip
