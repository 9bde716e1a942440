"""Usage: reporting what was played, so that rightsholders are paid."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from massivemusic import instants
from massivemusic.answers import Answer
from massivemusic.client import Client
from massivemusic.errors import Unreadable
from massivemusic.shapes import whole

PlayMode = Literal["online", "offline", "online-cached"]
USER_AGENT_LENGTH: Final = 256

# Control characters, half surrogate pairs and what XML cannot hold.
_UNSPEAKABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]+")


@dataclass(frozen=True, kw_only=True)
class PlayReport:
    """One listening. `played_at` is aware, `seconds_played` whole, 0 when pre-fetched and never played."""

    track_id: int
    release_id: int
    format_id: int
    mode: PlayMode
    played_at: datetime
    seconds_played: int
    user_agent: str


def log_plays(
    client: Client,
    *,
    user_id: str,
    country: str,
    plays: Sequence[PlayReport],
    body: Literal["json", "xml"] = "json",
) -> int:
    """Report plays of one listener in one country; the count the platform says it took.

    There is no key by which it could know a play again: what was sent twice is paid twice. So a
    count that is missing or unreadable is an error in doubt, and one that differs from what was
    sent is the caller's doubt. 10 to 20 plays a call, each under 61 days old and not in the future
    (ParameterInvalid); OutOfRange when the listener never subscribed; BatchFailed names items
    ("Report a subscriber stream"). Raises ValueError without plays or for a naive instant.
    """
    if not plays:
        raise ValueError("nothing to report")
    query = {"userId": user_id, "country": country}  # country counts nowhere but in the query
    items = [_item(play) for play in plays]
    path = "/user/subscription/log"
    if body == "xml":
        answer = client.call("POST", path, query=query, xml=_xml(items), accept="application/xml")
    else:
        answer = client.call("POST", path, query=query, json={"playLogItem": items})
    return counted(answer)


def counted(answer: Answer) -> int:
    """How many plays an answer says were taken. Raises Unreadable where it does not say."""
    count = whole(answer.at("playLogs", "count"))
    if count is None or count < 0:
        raise Unreadable("the answer counts no plays", status=answer.status)
    return count


def _item(play: PlayReport) -> dict[str, str | int]:
    return {
        "trackId": play.track_id,
        "releaseId": play.release_id,
        "formatId": play.format_id,
        "playMode": play.mode,
        "dateTimePlayed": instants.written(play.played_at),
        "totalTimePlayed": play.seconds_played,
        "userAgent": one_line(play.user_agent),
    }


def one_line(user_agent: str) -> str:
    """A device may call itself anything; the report takes 256 characters on one line, and some.

    What is sent of it, here and wherever else a play is told of.
    """
    return _UNSPEAKABLE.sub(" ", user_agent).strip()[:USER_AGENT_LENGTH].strip() or "unknown"


def _xml(items: Sequence[dict[str, str | int]]) -> str:
    plays = (
        "".join(f"<{name}>{html.escape(str(value), quote=False)}</{name}>" for name, value in item.items())
        for item in items
    )
    return f"<playLog>{''.join(f'<playLogItem>{play}</playLogItem>' for play in plays)}</playLog>"
