"""Text as search sees it: no accents, no case, plain quotes; words as the index stores them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Final

MAX_WORDS: Final = 12
# Han and kana are written without spaces: each character is a word. Everything else comes in words.
LONE: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
WORD = re.compile(f"[{LONE}]|[^\\W{LONE}]+")
JOINED = re.compile(r"(?<=\w)(?:'+|\.)(?=\w)")  # don't → dont, R.E.M → rem
APOSTROPHES: Final = str.maketrans(dict.fromkeys("’ʼ`´", "'"))
WITHOUT_A_DECOMPOSITION: Final = str.maketrans(
    {"ø": "o", "đ": "d", "ł": "l", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "ß": "ss", "þ": "th", "ð": "d"}
)


def fold(text: str) -> str:
    """Case and accents away: `Beyoncé’s` → `beyonces`. Scripts without case or accents stay as they are."""
    if text.isascii():  # most titles, and half the work of applying an event
        return JOINED.sub("", text.lower().replace("`", "'"))
    plain = unicodedata.normalize("NFKC", text.translate(APOSTROPHES))  # first: a mathematical 𝐴 has no small letter
    decomposed = unicodedata.normalize("NFKD", plain.casefold())
    bare = "".join(char for char in decomposed if not unicodedata.combining(char))
    return unicodedata.normalize("NFC", JOINED.sub("", bare.translate(APOSTROPHES | WITHOUT_A_DECOMPOSITION)))


def words_of(*texts: str) -> list[str]:
    """The folded words of the texts, in order, each once."""
    return list(dict.fromkeys(chain.from_iterable(map(words_in, texts))))


@lru_cache(maxsize=4096)
def words_in(text: str) -> tuple[str, ...]:
    """The folded words of one text; artists and releases are named once for each of their tracks."""
    return tuple(WORD.findall(fold(text)))


def query_words(text: str) -> list[str]:
    """The words of what somebody typed, as many as a search looks at."""
    return words_of(text)[:MAX_WORDS]


def tsquery_of(words: Sequence[str | Sequence[str]]) -> str:
    """A `to_tsquery` argument that wants every word, the last one as a prefix; empty when there is no word.

    A word may be several, of which any will do.
    """
    choices = [[word] if isinstance(word, str) else list(word) for word in words]
    if choices and isinstance(words[-1], str):
        choices[-1] = [f"{words[-1]}:*"]
    return " & ".join(f"({' | '.join(choice)})" for choice in choices)
