"""From notes to a finished stereo recording: places in the room, echo, reverb, a level fit for headphones."""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sandbox.audio.score import Note, Piece
from sandbox.audio.voices import RATE, VOICES, Sound, clock, drum, noise

GAINS: Final = {"tune": 0.5, "chords": 0.3, "bass": 0.42, "kit": 0.5}
PLACES: Final = {"pluck": -0.25, "keys": 0.15, "flute": 0.2, "hat": 0.4, "shaker": -0.45, "ride": 0.35, "clave": -0.3}
DRY: Final = ("bass", "kick")
TARGET_RMS: Final = 0.16  # about -16 dBFS
CEILING: Final = 0.89  # about -1 dBFS
SPECTRUM: Final = 2**20  # samples: more than the longest piece and its reverb


def record(piece: Piece) -> bytes:
    """The piece as interleaved stereo, 16 bit little endian, 44.1 kHz; exactly `piece.seconds` long."""
    length = piece.seconds * RATE
    dry, wet = np.zeros((2, length), np.float32), np.zeros((2, length), np.float32)
    made: dict[tuple[str, int, float], Sound] = {}
    for note in piece.notes:
        sound = _sound(note, made)
        bus = dry if note.voice in DRY else wet
        start = int(note.at * RATE)
        sound = sound[: length - start]
        left, right = _place(note)
        bus[0, start : start + len(sound)] += sound * left
        bus[1, start : start + len(sound)] += sound * right
    wet += _echo(wet, delay=int(piece.beat * 0.75 * RATE)) * np.float32(0.22)
    return _master(dry + wet + _reverb(wet) * np.float32(0.3))


def _sound(note: Note, made: dict[tuple[str, int, float], Sound]) -> Sound:
    if note.part == "kit":
        return drum(note.voice)
    key = (note.voice, note.pitch, round(note.length, 2))
    if key not in made:
        made[key] = VOICES[note.voice](note.pitch, key[2])
    return made[key]


def _place(note: Note) -> tuple[np.float32, np.float32]:
    """Gains for left and right at equal power. Chords fan out by pitch."""
    pan = PLACES.get(note.voice, 0.0)
    if note.part == "chords":
        pan = (note.pitch - 60) / 14
    angle = (max(-0.8, min(0.8, pan)) + 1) * np.pi / 4
    gain = GAINS[note.part] * note.force
    return np.float32(np.cos(angle) * gain), np.float32(np.sin(angle) * gain)


def _echo(sound: NDArray[np.float32], *, delay: int) -> NDArray[np.float32]:
    """Three repeats that change sides and grow softer."""
    out = np.zeros_like(sound)
    for repeat in (1, 2, 3):
        shift = delay * repeat
        if shift < sound.shape[1]:
            source = sound[::-1] if repeat % 2 else sound
            out[:, shift:] += source[:, :-shift] * np.float32(0.5 ** (repeat - 1))
    return out


def _reverb(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """The sound in a middling hall."""
    spectrum = np.fft.rfft(sound, SPECTRUM) * hall()
    return np.fft.irfft(spectrum, SPECTRUM)[:, : sound.shape[1]].astype(np.float32)


@cache
def hall() -> NDArray[np.complex64]:
    """The spectrum of the hall's answer to a clap: noise dying away, duller as it goes, another one for each ear."""
    time = clock(1.5)
    ears = []
    for seed in (3, 5):
        clap = noise(len(time), seed=seed) * np.exp(-time * 4.2) * np.minimum(time / 0.012, 1)
        dull = np.convolve(clap, np.ones(9, np.float32) / 9, mode="same")
        fade = np.minimum(time / 0.5, 1)
        ears.append(clap * (1 - fade) + dull * fade * 2)
    hall = np.stack(ears).astype(np.float32)
    hall /= np.sqrt((hall**2).sum(axis=1, keepdims=True))
    return np.fft.rfft(hall, SPECTRUM).astype(np.complex64)


def _master(sound: NDArray[np.float32]) -> bytes:
    """Even level, soft limit, faded ends."""
    loudness = float(np.sqrt((sound**2).mean())) or 1.0
    sound = np.tanh(sound * np.float32(TARGET_RMS / loudness))
    sound *= np.float32(CEILING / max(float(np.abs(sound).max()), 0.5))
    attack, release = int(0.01 * RATE), int(1.4 * RATE)
    sound[:, :attack] *= np.linspace(0, 1, attack, dtype=np.float32)
    sound[:, -release:] *= np.cos(np.linspace(0, np.pi / 2, release, dtype=np.float32)) ** 2
    return (sound.T * 32767).astype("<i2").tobytes()
