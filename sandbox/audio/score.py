"""Composing: from a few numbers to a list of notes, the same ones every time. Pure, and without any audio in it.

A piece is a row of bars over a chord progression, with a resting chord at the end. Its style
decides who plays: a voice for the chords, one for the tune, a bass, and a kit.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Final

SCALES: Final = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10), "dorian": (0, 2, 3, 5, 7, 9, 10)}
PROGRESSIONS: Final = {
    "major": ((0, 4, 5, 3), (0, 5, 3, 4), (0, 2, 3, 4), (3, 0, 4, 5), (0, 3, 1, 4), (5, 3, 0, 4)),
    "minor": ((0, 5, 2, 6), (0, 3, 5, 4), (0, 6, 5, 6), (0, 2, 6, 3), (5, 6, 0, 0), (0, 3, 0, 6)),
    "dorian": ((0, 3, 0, 3), (0, 6, 3, 0), (0, 2, 3, 6), (1, 4, 0, 0), (0, 1, 3, 0)),
}
SHAPES: Final = (  # how a motif moves, in degrees of the scale
    (1, 1, -1, -2, 1), (2, -1, -1, 1, -2), (-1, -1, 2, 1, -1), (1, 2, -1, -1, -1), (3, -1, -1, -1, 0), (-2, 1, 1, 2, 0),
)  # fmt: skip
ANCHORS: Final = (
    (7, 8, 6, 4),
    (9, 7, 8, 7),
    (4, 6, 8, 7),
    (7, 4, 5, 7),
    (8, 9, 11, 7),
)  # where it sets out, bar by bar


@dataclass(frozen=True, kw_only=True)
class Style:
    """Who plays what. Patterns are in sixteenths of a bar; the kit's are strings of strokes from 0 to 9."""

    tempo: tuple[int, int]
    scales: tuple[str, ...]
    chords: str  # the voice that plays them
    tune: str
    comping: tuple[int, ...]  # when chords are struck; empty: held for the bar
    arpeggio: bool = False  # chords one note after another
    sevenths: bool = False
    bass: tuple[int, ...] = (0, 8)
    rhythms: tuple[tuple[int, ...], ...] = ((0, 4, 6, 8), (0, 3, 6, 12))
    swing: float = 0.0  # how late every second eighth comes, in sixteenths
    kit: dict[str, str] = field(default_factory=dict)


STYLES: Final = {
    "fireside": Style(
        tempo=(84, 108), scales=("major", "dorian"), chords="pluck", tune="flute", comping=(), arpeggio=True,
        rhythms=((0, 6, 8, 12), (0, 4, 8, 10, 12), (0, 8, 14)),
        kit={"shaker": "2050205020502050", "kick": "4000000030000000"},
    ),
    "night": Style(
        tempo=(70, 84), scales=("minor", "dorian"), chords="keys", tune="pluck", comping=(0, 7), sevenths=True,
        bass=(0, 6, 10), rhythms=((2, 4, 8, 11), (0, 3, 10), (4, 6, 8, 14)), swing=0.5,
        kit={"kick": "7000000060500000", "snare": "0000500000005000", "hat": "3030303030303031"},
    ),
    "club": Style(
        tempo=(112, 122), scales=("minor", "dorian"), chords="keys", tune="pluck", comping=(3, 6, 11, 14),
        bass=(2, 6, 10, 14), rhythms=((0, 3, 6, 9, 12), (0, 6, 12, 14), (2, 4, 10)),
        kit={"kick": "8000800080008000", "hat": "0050005000500052", "snare": "0000300000003000"},
    ),
    "drift": Style(
        tempo=(58, 72), scales=("major", "dorian"), chords="pad", tune="bell", comping=(), bass=(0,),
        rhythms=((0, 10), (4, 12), (2, 6, 14)),
    ),
    "trio": Style(
        tempo=(100, 126), scales=("dorian", "major"), chords="keys", tune="flute", comping=(6, 12), sevenths=True,
        bass=(0, 4, 8, 12), rhythms=((0, 4, 6, 10), (2, 6, 8, 12, 14), (0, 8, 10)), swing=0.66,
        kit={"ride": "5000503050005030", "snare": "0000200000002000"},
    ),
    "patio": Style(
        tempo=(96, 112), scales=("minor", "major"), chords="pluck", tune="pluck", comping=(0, 3, 6, 10, 12),
        sevenths=True, bass=(0, 6, 8, 14), rhythms=((0, 3, 6, 8, 12), (2, 6, 10, 12), (0, 6, 14)),
        kit={"shaker": "4242424242424242", "clave": "5005005000505000", "kick": "4000004040000040"},
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Note:
    """One sound: `voice` begins at `at` and is held for `length` (seconds), `pitch` in MIDI numbers, `force` 0 to 1."""

    voice: str
    at: float
    length: float
    pitch: int
    force: float
    part: str  # tune, chords, bass, kit: where it sits in the mix


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A composed track. `seconds` is its whole length, the fading end included; `beat` is one beat's length."""

    notes: tuple[Note, ...]
    seconds: int
    beat: float


TAIL_SECONDS: Final = 2.5  # the last chord rings


def seconds_for(track_id: int) -> int:
    """How long a composed track is: 10 to 20 seconds."""
    return random.Random(track_id).randint(10, 20)  # noqa: S311


def compose(*, seconds: int, style: str, release_seed: int, track_seed: int) -> Piece:
    """A piece of exactly `seconds`. Key, scale and tempo belong to the release, chords and tune to the track."""
    shape, scale, root, tempo = _character(STYLES[style], random.Random(release_seed))  # noqa: S311
    chance = random.Random(track_seed)  # noqa: S311
    bars = max(2, round((seconds - TAIL_SECONDS) * tempo / 240))
    bar = (seconds - TAIL_SECONDS) / bars
    writer = Writer(
        style=shape, scale=SCALES[scale], root=root + chance.choice((0, 0, 0, 5, -5)), bar=bar, chance=chance
    )
    progression = chance.choice(PROGRESSIONS[scale])
    for number in range(bars):
        writer.write_bar(number, degree=progression[number % len(progression)], last=bars - 1)
    writer.write_ending(bars)
    return Piece(notes=tuple(writer.notes), seconds=seconds, beat=bar / 4)


def _character(style: Style, chance: random.Random) -> tuple[Style, str, int, int]:
    """What all tracks of a release share: the scale, the root below middle C, the tempo in beats a minute."""
    return style, chance.choice(style.scales), chance.randrange(50, 60), chance.randrange(*style.tempo)


@dataclass(kw_only=True)
class Writer:
    """Writes bar after bar into `notes`."""

    style: Style
    scale: tuple[int, ...]
    root: int
    bar: float
    chance: random.Random
    notes: list[Note] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.motifs = self.chance.sample(self.style.rhythms, 2)
        self.shapes = self.chance.sample(SHAPES, 2)
        self.anchors = self.chance.choice(ANCHORS)

    def write_bar(self, number: int, *, degree: int, last: int) -> None:
        chord = self.chord(degree)
        self.write_chords(number, chord)
        self.write_bass(number, degree)
        self.write_tune(number, chord)
        for voice, strokes in self.style.kit.items():
            if number == 0 and voice == "snare":
                continue  # it comes in with the second bar
            for step, stroke in enumerate(strokes):
                if stroke != "0":
                    self.add(voice, number, step, 0.1, 0, int(stroke) / 9 * self.chance.uniform(0.85, 1), "kit")
        if number == last and self.style.kit:
            self.add("hat" if "hat" in self.style.kit else "shaker", number, 15, 0.1, 0, 0.4, "kit")

    def write_chords(self, number: int, chord: list[int]) -> None:
        if self.style.arpeggio:
            order = [0, 1, 2, 1, *([3] if len(chord) > 3 else [2]), 1, 2, 0]
            for index, step in enumerate(range(0, 16, 2)):
                pitch = chord[order[index]] + (12 if index in (3, 4) and number % 2 else 0)
                self.add(self.style.chords, number, step, 0.5, pitch, self.chance.uniform(0.45, 0.7), "chords")
            return
        for step in self.style.comping or (0,):
            held = 0.16 if self.style.comping else 1.05
            for pitch in chord:
                self.add(self.style.chords, number, step, held, pitch, self.chance.uniform(0.45, 0.6), "chords")

    def write_bass(self, number: int, degree: int) -> None:
        steps = self.style.bass
        walk = (0, 2, 4, 6) if self.style.sevenths and len(steps) == 4 else (0, 4, 0, 4)
        for index, step in enumerate(steps):
            held = ((*steps, 16)[index + 1] - step) / 16 * 0.9
            pitch = within(self.pitch(degree + walk[index]), 34, 52)
            self.add("bass", number, step, held, pitch, 0.8 if index == 0 else 0.6, "bass")

    def write_tune(self, number: int, chord: list[int]) -> None:
        """Question and answer: two motifs take turns, each bar sets out from its anchor, beats belong to the chord."""
        if number == 0 and self.style.kit:
            return  # the band begins alone
        motif = (0, 0, 1, 0, 0, 1, 1, 0)[number % 8]
        rhythm, degree = self.motifs[motif], self.anchors[number % 4]
        for index, step in enumerate(rhythm):
            pitch = self.pitch(degree) + within(self.root, 57, 68) - self.root
            if step % 4 == 0:
                pitch = nearest(chord, pitch)
            held = ((*rhythm, 16)[index + 1] - step) / 16
            self.add(self.style.tune, number, step, held, pitch, self.chance.uniform(0.55, 0.85), "tune")
            degree += self.shapes[motif][index]

    def write_ending(self, number: int) -> None:
        chord = self.chord(0)
        for index, pitch in enumerate(chord):
            self.add(self.style.chords, number, index * 0.3, TAIL_SECONDS / self.bar, pitch, 0.6, "chords")
        self.add(self.style.tune, number, 1.2, TAIL_SECONDS / self.bar, chord[0] + 12, 0.6, "tune")
        self.add("bass", number, 0, TAIL_SECONDS / self.bar, within(self.root, 34, 52), 0.8, "bass")
        if "kick" in self.style.kit:
            self.add("kick", number, 0, 0.1, 0, 0.7, "kit")

    def chord(self, degree: int) -> list[int]:
        """The chord on a degree of the scale, around middle C. Triads are folded so that hands move little; sevenths
        stand in thirds, where no two tones rub."""
        if self.style.sevenths:
            lift = within(self.pitch(degree), 51, 62) - self.pitch(degree)
            return [self.pitch(degree + third) + lift for third in (0, 2, 4, 6)]
        return sorted(within(self.pitch(degree + third), 55, 66) for third in (0, 2, 4))

    def pitch(self, degree: int) -> int:
        octave, step = divmod(degree, 7)
        return self.root + 12 * octave + self.scale[step]

    def add(self, voice: str, bar: int, step: float, held: float, pitch: int, force: float, part: str) -> None:
        """Place a note at a sixteenth of a bar; `held` is in bars."""
        late = self.style.swing if step % 4 == 2 else 0
        at = (bar + (step + late) / 16) * self.bar + self.chance.uniform(0, 0.006)  # nobody plays like a clock
        self.notes.append(Note(voice=voice, at=at, length=held * self.bar, pitch=pitch, force=force, part=part))


def within(pitch: int, lowest: int, highest: int) -> int:
    """The same tone in the octave that fits an instrument; `highest` is at least an octave above `lowest`."""
    while pitch > highest:
        pitch -= 12
    while pitch < lowest:
        pitch += 12
    return pitch


def nearest(chord: list[int], pitch: int) -> int:
    """The chord's tone closest to `pitch`, in any octave above its own."""
    _, tone = min((abs(tone + 12 * octave - pitch), tone + 12 * octave) for tone in chord for octave in (0, 1, 2))
    return tone
