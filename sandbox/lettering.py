"""Setting names in Pillow's own font, which has no accented letters: they are put together from letter and mark."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Final

from PIL import ImageDraw, ImageFont

DOTS: Final = "\u0308"
CEDILLA: Final = "\u0327"
MARKS: Final = {  # combining mark: the glyph that stands in for it, and how much smaller
    "\u0300": ("`", 1.0),
    "\u0301": ("´", 1.0),
    "\u0302": ("^", 0.5),
    "\u0303": ("~", 0.7),
    "\u030a": ("°", 0.7),
    CEDILLA: (",", 0.9),
}
LIGATURES: Final = str.maketrans({"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "–": "-", "—": "-"})


def possible(text: str) -> bool:
    """Whether `text` can be set; there is no Japanese here, and boxes are no lettering."""
    return all(mark in MARKS or mark == DOTS or _known(mark) for mark in _apart(text))


@dataclass(frozen=True, kw_only=True)
class Pen:
    """Writes in the colour `ink` on a surface of the colour `ground`."""

    draw: ImageDraw.ImageDraw
    ink: str
    ground: str

    def write(self, text: str, *, at: tuple[float, float], largest: int, width: float) -> None:
        """One line, as large as `width` pixels allow, `largest` at most."""
        plain = "".join(mark for mark in _apart(text) if not unicodedata.combining(mark))
        size = largest
        while size > 14 and font(size).getlength(plain) > width:
            size -= 2
        self.draw.text(at, plain, font=font(size), fill=self.ink)
        letters = 0
        for mark in _apart(text):
            if unicodedata.combining(mark):
                self._accent(plain[:letters], mark, at=at, size=size)
            else:
                letters += 1

    def _accent(self, before: str, mark: str, *, at: tuple[float, float], size: int) -> None:
        """Put `mark` on the last letter of `before`."""
        face, letter = font(size), before[-1]
        left, top, right, bottom = _ink(face, letter)
        x, y = at[0] + face.getlength(before[:-1]), at[1]
        middle, gap = x + (left + right) / 2, size * 0.07
        if letter in "ij":  # its own dot gives way
            dot, top = top, _ink(face, "x")[1]
            self.draw.rectangle((x + left, y + dot, x + right, y + top - 2), fill=self.ground)
        if mark == DOTS:
            radius, height = size * 0.06, y + top - gap - size * 0.06
            for centre in (middle - size * 0.13, middle + size * 0.13):
                self.draw.circle((centre, height), radius, fill=self.ink)
            return
        glyph, scale = MARKS[mark]
        small = font(round(size * scale))
        box = _ink(small, glyph)
        rise = bottom - box[1] if mark == CEDILLA else top - gap - box[3]
        self.draw.text((middle - (box[0] + box[2]) / 2, y + rise), glyph, font=small, fill=self.ink)


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    face = ImageFont.load_default(size)
    assert isinstance(face, ImageFont.FreeTypeFont)  # noqa: S101  Pillow is always built with FreeType
    return face


def _ink(face: ImageFont.FreeTypeFont, letter: str) -> tuple[float, float, float, float]:
    """The box of what is really black: left, top, right, bottom, from where the text begins."""
    mask, (x, y) = face.getmask2(letter)
    left, top, right, bottom = mask.getbbox() or (0, 0, 0, 0)
    return left + x, top + y, right + x, bottom + y


@cache
def _known(mark: str) -> bool:
    return bytes(font(20).getmask(mark)) != bytes(font(20).getmask("\uffff"))


def _apart(text: str) -> str:
    """Letters and their marks, one after the other."""
    return unicodedata.normalize("NFD", text.translate(LIGATURES))
