"""Text as search sees it: no accents, no case, plain quotes; words as the index stores them."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

MAX_WORDS: Final = 12
WORD = re.compile(r"\w+", re.UNICODE)
JOINED = re.compile(r"(?<=\w)(?:'+|\.)(?=\w)")  # don't → dont, R.E.M → rem
APOSTROPHES: Final = str.maketrans(dict.fromkeys("’ʼ`´", "'"))
WITHOUT_A_DECOMPOSITION: Final = str.maketrans(
    {"ø": "o", "đ": "d", "ł": "l", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "ß": "ss", "þ": "th", "ð": "d"}
)


def fold(text: str) -> str:
    """Case and accents away: `Beyoncé’s` → `beyonces`. Scripts without case or accents stay as they are."""
    plain = unicodedata.normalize("NFKC", text.translate(APOSTROPHES))  # first: a mathematical 𝐴 has no small letter
    decomposed = unicodedata.normalize("NFKD", plain.casefold())
    bare = "".join(char for char in decomposed if not unicodedata.combining(char))
    return unicodedata.normalize("NFC", JOINED.sub("", bare.translate(APOSTROPHES | WITHOUT_A_DECOMPOSITION)))


def words_of(*texts: str) -> list[str]:
    """The folded words of the texts, in order, each once."""
    return list(dict.fromkeys(word for text in texts for word in WORD.findall(fold(text))))


def tsquery_of(text: str) -> str:
    """A `to_tsquery` argument that wants every word, the last one as a prefix; empty when there is no word."""
    words = words_of(text)[:MAX_WORDS]
    return " & ".join([*words[:-1], f"{words[-1]}:*"]) if words else ""
