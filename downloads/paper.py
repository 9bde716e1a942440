"""A receipt as PDF: the same bytes for the same receipt."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import cache
from html import escape
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import Final

from reportlab.lib.colors import Color, HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table

from downloads.receipts import Receipt

FONT: Final = "DejaVuSans"  # Latin, Greek, Cyrillic and more; comes along in the file
FILE: Final = Path(__file__).with_name("fonts") / "DejaVuSans.ttf"
# Letters of the East are drawn by the reader's own fonts, under the names that every reader of PDF knows.
JAPANESE: Final = "HeiseiKakuGo-W5"
KOREAN: Final = "HYGothic-Medium"
EASTERN: Final = {
    "CJK": JAPANESE,
    "HIRAGANA": JAPANESE,
    "KATAKANA": JAPANESE,
    "IDEOGRAPHIC": JAPANESE,
    "HANGUL": KOREAN,
}
NONE: Final = "?"  # where no font has a letter
BLACK: Final = HexColor("#000000")
GREY: Final = HexColor("#6b7280")


def paper_of(receipt: Receipt) -> bytes:
    """The receipt on A4, on as many pages as it takes."""
    file = BytesIO()
    document = SimpleDocTemplate(
        file, pagesize=A4, invariant=1, title=f"Receipt {receipt.number}", author=receipt.service, lang="en",
        leftMargin=25 * mm, rightMargin=25 * mm, topMargin=25 * mm, bottomMargin=25 * mm,
    )  # fmt: skip
    document.build(list(flow(receipt)))
    return file.getvalue()


def flow(receipt: Receipt) -> Iterator[Flowable]:
    yield line(receipt.service, size=16)
    for each in receipt.address:
        yield line(each, colour=GREY)
    yield Spacer(0, 14 * mm)
    yield line("Receipt", size=22)
    yield Spacer(0, 4 * mm)
    rows = [[line(name, colour=GREY), line(text)] for name, text in receipt.lines]
    yield Table(rows, colWidths=[40 * mm, 120 * mm], style=[("VALIGN", (0, 0), (-1, -1), "TOP")], splitInRow=1)


def line(text: str, *, size: int = 11, colour: Color = BLACK) -> Paragraph:
    style = ParagraphStyle(
        "line", fontName=font(FONT), fontSize=size, leading=1.4 * size, splitLongWords=1, textColor=colour
    )
    return Paragraph("".join(marked(text)), style)


def marked(text: str) -> Iterator[str]:
    """The text piece by piece, each in a font that has its letters."""
    printable = (letter if letter.isprintable() else " " for letter in text)
    for name, letters in groupby(printable, key=font_for):
        piece = "".join(letters)
        if name is None:
            yield NONE * len(piece)
        else:
            yield f'<font name="{font(name)}">{escape(piece)}</font>'


def font_for(letter: str) -> str | None:
    """The font that has a letter; None for no font."""
    if ord(letter) in glyphs():
        return FONT
    return EASTERN.get(unicodedata.name(letter, "").replace("-", " ").split(" ")[0])


@cache
def glyphs() -> frozenset[int]:
    return frozenset(TTFont(FONT, FILE).face.charToGlyph)


@cache
def font(name: str) -> str:
    """The name, once the font is there."""
    pdfmetrics.registerFont(TTFont(FONT, FILE) if name == FONT else UnicodeCIDFont(name))
    return name
