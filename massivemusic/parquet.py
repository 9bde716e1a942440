"""The platform's file of plays: one row each, in Parquet ("S3 bucket logger").

Names, order and types of the columns are the platform's own. Its page breaks off after the eighth;
that `userid` and `country` follow is an assumption, because a play without them could not be paid.
Plays come and go as Arrow's columns: looked at one by one, they would take ten times as long.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final
from uuid import UUID

from massivemusic.usage import one_line

COLUMNS: Final = {
    "id": "string",
    "trackid": "int32",
    "releaseid": "int32",
    "formatid": "string",
    "datetimeplayed": "string",
    "totaltimeplayed": "int32",
    "playmode": "string",
    "useragent": "string",
    "userid": "string",
    "country": "string",
}
# What of a play must be known. `played_at` is in seconds since the beginning of 1970, UTC.
FACTS: Final = {
    "play_id": "string",
    "user_id": "string",
    "country": "string",
    "track_id": "int32",
    "release_id": "int32",
    "format_id": "int32",
    "played_at": "int64",
    "seconds_played": "int32",
    "mode": "string",
    "user_agent": "string",
}
ROW_IDS: Final = UUID("b42a9a5e-62c1-5d43-9d0c-5b1c0f5e7a11")  # of no meaning; with another one all ids are others
_ROW_IDS: Final = ROW_IDS.bytes
_VARIANT: Final = "89ab" * 4

Group = Any
"""A pyarrow.RecordBatch of FACTS; nothing in it is null."""


def play_file(groups: Iterable[Group]) -> bytes:
    """The file, a row group for each group. The same groups give the same bytes. Raises ValueError without plays."""
    import pyarrow  # some 40 MiB, which only who writes files should carry
    from pyarrow import parquet

    fields = [pyarrow.field(name, pyarrow.type_for_alias(kind), nullable=False) for name, kind in COLUMNS.items()]
    schema, sink, count = pyarrow.schema(fields), pyarrow.BufferOutputStream(), 0
    # The oldest version, and no schema of Arrow's own: who reads it is not known.
    with parquet.ParquetWriter(sink, schema, version="1.0", compression="snappy", store_schema=False) as file:
        for group in groups:
            file.write_batch(pyarrow.record_batch(_columns(group), schema=schema))
            count += group.num_rows
    if not count:
        raise ValueError("nothing to report")
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def row_id(user_id: str, play_id: UUID | str) -> str:
    """The `id` of a play's row, a UUID of version 5: always the same, and no other play's."""
    digits = hashlib.sha1(_ROW_IDS + f"{user_id}/{play_id}".encode(), usedforsecurity=False).hexdigest()
    variant = _VARIANT[int(digits[16], 16)]
    return f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"


def _columns(group: Group) -> list[Any]:
    import pyarrow

    facts: Mapping[str, Any] = {name: group.column(name) for name in FACTS}
    return [
        pyarrow.array(map(row_id, facts["user_id"].to_pylist(), facts["play_id"].to_pylist())),
        facts["track_id"],
        facts["release_id"],
        facts["format_id"].cast("string"),
        _written(facts["played_at"]),
        facts["seconds_played"],
        facts["mode"],
        _on_one_line(facts["user_agent"]),
        facts["user_id"],
        facts["country"],
    ]


def _written(seconds: Any) -> Any:
    """As `massivemusic.instants` writes them."""
    import pyarrow
    from pyarrow import compute

    words = seconds.cast(pyarrow.timestamp("s")).cast("string")  # 2026-11-21 12:00:00
    return compute.binary_join_element_wise(compute.replace_substring(words, " ", "T"), "Z", "")


def _on_one_line(user_agents: Any) -> Any:
    """Many plays come from few kinds of device."""
    import pyarrow

    kinds = user_agents.dictionary_encode()
    return pyarrow.array([one_line(kind) for kind in kinds.dictionary.to_pylist()]).take(kinds.indices)
