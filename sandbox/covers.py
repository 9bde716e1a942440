"""Cover images: real ones where the music brings them, drawn ones for everything else.

A drawn cover is a few large shapes in the artist's palette, chosen by the release's id, with the
names set below each other; the same on every machine.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from django.conf import settings
from PIL import Image, ImageDraw, ImageOps
from tinytag import TinyTag

from sandbox import lettering
from sandbox.files import made_once
from sandbox.models import Release

SIZES: Final = (33, 50, 100, 180, 182, 200, 350, 500, 800)
EDITION: Final = "1"  # new drawings, new folder
FULL: Final = 800
CANVAS: Final = 2 * FULL  # drawn twice as large, so that edges come out smooth

# Ground first, then four colours from calm to loud, ink for the lettering last.
PALETTES: Final = (
    ("#f4ecd8", "#1f4e5f", "#79a8a9", "#e8a87c", "#c3423f", "#1b2a33"),
    ("#14213d", "#33658a", "#86bbd8", "#f6ae2d", "#f26419", "#f7f4ea"),
    ("#faf3e0", "#2d6a4f", "#95d5b2", "#ffb703", "#d62828", "#1b2f24"),
    ("#2b2d42", "#5c677d", "#8d99ae", "#ef8354", "#edf2f4", "#edf2f4"),
    ("#fff1e6", "#6d597a", "#b56576", "#eaac8b", "#355070", "#2d2238"),
    ("#0b132b", "#1c7293", "#5bc0be", "#ff6b6b", "#ffe66d", "#eef6f7"),
    ("#efe9db", "#403d39", "#ccc5b9", "#eb5e28", "#8a9a5b", "#252422"),
    ("#3d0c11", "#80211b", "#d8572a", "#f7b538", "#f2e8cf", "#fbf3e2"),
    ("#e9f5f2", "#264653", "#2a9d8f", "#e9c46a", "#e76f51", "#1d3038"),
    ("#f7ede2", "#84a59d", "#f28482", "#f6bd60", "#3d5a80", "#293241"),
    ("#102a1f", "#2f6b4f", "#b7c68b", "#f4a259", "#f25f5c", "#f3f1e4"),
    ("#221d31", "#5e3b6f", "#a45c8b", "#f2a07b", "#ffd9a0", "#fdeee0"),
)

Colours = Sequence[str]
Motif = Callable[[ImageDraw.ImageDraw, Colours, random.Random], None]


def image(release: Release, *, size: int) -> Path:
    """The file of a cover in one of SIZES, made on first request."""
    folder = Path(settings.HOME) / "covers" / EDITION
    full = made_once(folder / f"{release.pk}-{release.digest[:8]}_{FULL}.jpg", partial(_make, release))
    if size == FULL:
        return full
    return made_once(full.with_name(full.name.replace(f"_{FULL}.", f"_{size}.")), partial(_shrink, full, size))


def _make(release: Release, path: Path) -> None:
    picture = _brought(release) or drawn(
        release_id=release.pk,
        artist_id=release.artist.pk,
        lines=(release.title, release.subtitle, release.artist.name),
    )
    _save(picture, path)


def url_of(release_id: int, *, size: int) -> str:
    """Where an image lies: AA/BBB/CCC/DDDDDDDDDD_SIZE.jpg."""
    digits = f"{release_id:010}"
    folders = f"{digits[:2]}/{digits[2:5]}/{digits[5:8]}"
    return f"{settings.PUBLIC_ORIGINS[0]}/static/img/sleeveart/{folders}/{digits}_{size}.jpg"


def _shrink(full: Path, size: int, path: Path) -> None:
    with Image.open(full) as picture:
        _save(picture.resize((size, size), Image.Resampling.LANCZOS), path)


def _save(picture: Image.Image, path: Path) -> None:
    picture.save(path, "JPEG", quality=88, optimize=True, progressive=True)


def _brought(release: Release) -> Image.Image | None:
    """The picture that came with the music, as a square; None where there is none that can be read."""
    if not (release.cover and settings.MUSIC):
        return None
    path = Path(settings.MUSIC) / release.cover
    try:
        with Image.open(io.BytesIO(_picture_bytes(path))) as picture:
            picture.draft("RGB", (FULL, FULL))
            return ImageOps.fit(ImageOps.exif_transpose(picture).convert("RGB"), (FULL, FULL), Image.Resampling.LANCZOS)
    except Exception:  # noqa: BLE001  whatever is wrong with somebody's file, a drawn cover will do
        return None


def _picture_bytes(path: Path) -> bytes:
    if path.suffix.lower() in (".jpg", ".jpeg", ".png"):
        return path.read_bytes()
    embedded = TinyTag.get(path, duration=False, image=True).images.any
    return embedded.data if embedded else b""


# --- Drawing ----------------------------------------------------------------------------------


def drawn(*, release_id: int, artist_id: int, lines: Sequence[str]) -> Image.Image:
    """A cover of its own: motif by release, palette by artist, `lines` set in the lower left corner."""
    chance = random.Random(release_id)  # noqa: S311
    ground, *colours, ink = PALETTES[artist_id % len(PALETTES)]
    picture = Image.new("RGB", (CANVAS, CANVAS), ground)
    chance.shuffle(colours)
    MOTIFS[release_id % len(MOTIFS)](ImageDraw.Draw(picture), colours, chance)
    picture = picture.resize((FULL, FULL), Image.Resampling.LANCZOS)
    _letter(ImageDraw.Draw(picture), lines, ground=ground, ink=ink)
    return picture


def _letter(draw: ImageDraw.ImageDraw, lines: Sequence[str], *, ground: str, ink: str) -> None:
    """A band of the ground's colour with two of the lines: the first large, the last small."""
    draw.rectangle((0, FULL * 0.80, FULL, FULL), fill=ground)
    pen = lettering.Pen(draw=draw, ink=ink, ground=ground)
    known = [line for line in lines if line and lettering.possible(line)]
    for line, height, largest in zip(known[:1] + known[1:][-1:], (0.825, 0.915), (58, 32), strict=False):
        pen.write(line, at=(48, FULL * height), largest=largest, width=FULL - 96)


def _suns(draw: ImageDraw.ImageDraw, colours: Colours, chance: random.Random) -> None:
    """Circles rising behind one another."""
    for number, colour in enumerate(colours):
        radius = CANVAS * (0.42 - 0.085 * number)
        x, y = CANVAS * (0.3 + 0.4 * chance.random()), CANVAS * (0.38 + 0.08 * number)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _waves(draw: ImageDraw.ImageDraw, colours: Colours, chance: random.Random) -> None:
    """A sun and the sea below it, wave behind wave."""
    x, radius = CANVAS * chance.uniform(0.25, 0.75), CANVAS * 0.17
    draw.ellipse((x - radius, CANVAS * 0.12, x + radius, CANVAS * 0.12 + 2 * radius), fill=colours[-1])
    for row in range(6):
        width, top = CANVAS / chance.choice((3, 4, 5)), CANVAS * (0.36 + 0.08 * row)
        shift = chance.random() * width
        colour = colours[row % (len(colours) - 1)]
        for number in range(-1, 7):
            left = number * width - shift
            draw.ellipse((left, top, left + width, top + CANVAS * 0.26), fill=colour)
        draw.rectangle((0, top + CANVAS * 0.13, CANVAS, CANVAS), fill=colour)


def _tiles(draw: ImageDraw.ImageDraw, colours: Colours, chance: random.Random) -> None:
    """A grid of quarter circles, turned at random."""
    count = chance.choice((3, 4, 5))
    side = CANVAS / count
    for row in range(count):
        for column in range(count):
            x, y, turn = column * side, row * side, chance.randrange(4)
            back, front = chance.sample(list(colours), 2)
            draw.rectangle((x, y, x + side, y + side), fill=back)
            centre_x, centre_y = x + side * (turn in (1, 2)), y + side * (turn in (2, 3))
            box = (centre_x - side, centre_y - side, centre_x + side, centre_y + side)
            draw.pieslice(box, turn * 90, turn * 90 + 90, fill=front)


def _orbits(draw: ImageDraw.ImageDraw, colours: Colours, chance: random.Random) -> None:
    """Rings about a common centre, each with an opening of its own."""
    x, y = CANVAS * chance.uniform(0.35, 0.65), CANVAS * 0.4
    for number in range(9):
        radius, start = CANVAS * (0.085 + 0.055 * number), chance.randrange(360)
        box = (x - radius, y - radius, x + radius, y + radius)
        draw.arc(box, start, start + chance.randrange(150, 340), fill=colours[number % 4], width=int(CANVAS * 0.034))
    dot = CANVAS * 0.03
    draw.ellipse((x - dot, y - dot, x + dot, y + dot), fill=colours[0])


def _peaks(draw: ImageDraw.ImageDraw, colours: Colours, chance: random.Random) -> None:
    """Mountains, the nearest last."""
    radius, x = CANVAS * 0.13, CANVAS * chance.uniform(0.2, 0.8)
    draw.ellipse((x - radius, CANVAS * 0.1, x + radius, CANVAS * 0.1 + 2 * radius), fill=colours[3])
    for number in range(5):
        base = CANVAS * (0.55 + 0.09 * number)
        for _ in range(3):
            middle, height, half = CANVAS * chance.random(), CANVAS * chance.uniform(0.2, 0.4), CANVAS * 0.32
            draw.polygon(
                [(middle - half, base), (middle, base - height), (middle + half, base)], fill=colours[number % 3]
            )
        draw.rectangle((0, base, CANVAS, CANVAS), fill=colours[number % 3])


def _bars(draw: ImageDraw.ImageDraw, colours: Colours, chance: random.Random) -> None:
    """Upright strips of many heights, like a level meter standing still."""
    count = chance.choice((9, 11, 14))
    width = CANVAS * 0.88 / count
    for number in range(count):
        left, height = CANVAS * 0.06 + number * width, CANVAS * chance.uniform(0.12, 0.66)
        top = CANVAS * 0.42 - height / 2
        box = (left + width * 0.14, top, left + width * 0.86, top + height)
        draw.rounded_rectangle(box, radius=width * 0.36, fill=colours[number % 4])


MOTIFS: Final[tuple[Motif, ...]] = (_suns, _waves, _tiles, _orbits, _peaks, _bars)
