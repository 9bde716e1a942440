"""The instruments: a pitch and a length in, mono sound out, peaking near 1.

Harmonics are stacked by the Chebyshev recurrence (sin of k times x from its two predecessors):
two sines per note, whatever the number of harmonics.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float32]

RATE: Final = 44100


def clock(seconds: float) -> Sound:
    return np.arange(int(seconds * RATE), dtype=np.float32) / np.float32(RATE)


def hertz(pitch: float) -> float:
    return float(440 * 2 ** ((pitch - 69) / 12))


def fade(time: Sound, speed: float) -> Sound:
    """Dying away; `speed` in e-folds a second."""
    return sound_of(np.exp(time * np.float32(-speed)))


def swell(time: Sound, *, attack: float, release: float) -> Sound:
    """Opening and closing softly, in so many seconds."""
    if not len(time):
        return time
    opening = np.minimum(time / attack, 1)
    closing = np.minimum((time[-1] - time) / release, 1)
    return sound_of(np.sin(opening * np.pi / 2) * np.sin(closing * np.pi / 2))


def tone(time: Sound, frequency: float) -> Sound:
    """A plain sine wave."""
    return sound_of(np.sin(time * np.float32(2 * np.pi * frequency)))


def noise(length: int, *, seed: int) -> Sound:
    return np.random.default_rng(seed).uniform(-1, 1, length).astype(np.float32)


def bright(sound: Sound) -> Sound:
    """The upper half of the spectrum: what changes from sample to sample."""
    return np.diff(sound, prepend=np.float32(0)) * np.float32(0.7)


def harmonics(frequency: float, time: Sound, gains: Sequence[float | Sound]) -> Sound:
    """Sine waves at 1, 2, 3 … times the frequency; a gain may change over time. None beyond 16 kHz."""
    phase = np.mod(np.arange(len(time)) * (frequency / RATE), 1.0) * (2 * np.pi)
    before, wave = np.zeros(len(time), np.float32), sound_of(np.sin(phase))
    twice_cos = sound_of(2 * np.cos(phase))
    total = np.zeros(len(time), np.float32)
    for number, gain in enumerate(gains, start=1):
        if number * frequency > 16_000:
            break
        total += wave * gain
        before, wave = wave, twice_cos * wave - before
    return total


def sound_of(values: Any) -> Sound:
    return np.asarray(values, dtype=np.float32)


# --- Pitched ----------------------------------------------------------------------------------


def pluck(pitch: int, length: float) -> Sound:
    """A string plucked a fifth from its end: high harmonics die first."""
    time = clock(max(1.1, min(length * 1.6, 2.4)))
    speed = 2.2 * (hertz(pitch) / 220) ** 0.45
    gains = [
        fade(time, speed * (0.7 + 0.45 * number)) * np.float32(abs(np.sin(np.pi * number * 0.19)) / number**1.1 * 1.25)
        for number in range(1, 11)
    ]
    return harmonics(hertz(pitch), time, gains) * swell(time, attack=0.003, release=0.25)


def keys(pitch: int, length: float) -> Sound:
    """An electric piano: a sine bent by another, with a short tine on top."""
    time = clock(length + 0.45)
    turn = 2 * np.pi * hertz(pitch) * time
    tine = np.sin(turn * 14) * fade(time, 16) * 0.16
    sound = np.sin(turn + 1.1 * fade(time, 3.2) * np.sin(turn) + tine) * fade(time, 1.3)
    return sound_of(sound * swell(time, attack=0.004, release=0.35))


def pad(pitch: int, length: float) -> Sound:
    """Two slightly detuned strings that breathe in and out."""
    time = clock(length + 0.9)
    gains = [1 / number**1.7 for number in range(1, 7)]
    spread = [harmonics(hertz(pitch + cents / 100), time, gains) for cents in (-5, 4)]
    return sound_of(sum(spread) * swell(time, attack=0.5, release=0.9) * np.float32(0.55))


def flute(pitch: int, length: float) -> Sound:
    """A breathy whistle with a slow vibrato that comes late."""
    time = clock(max(length, 0.18) + 0.12)
    turn = 2 * np.pi * hertz(pitch) * time + 0.35 * np.minimum(time * 2, 1) * tone(time, 5.1)
    breath = noise(len(time), seed=pitch) * fade(time, 5) * 0.025
    sound = np.sin(turn) * 0.8 + np.sin(2 * turn) * 0.16 + np.sin(3 * turn) * 0.06 + breath
    return sound_of(sound * swell(time, attack=0.05, release=0.12))


def bell(pitch: int, length: float) -> Sound:
    """Glass: partials that are no harmonics, ringing long."""
    time = clock(3.2)
    partials = ((1, 0.7, 1.2), (2.76, 0.22, 2.4), (5.4, 0.1, 4.5), (2, 0.16, 1.8))
    sound = sum(tone(time, hertz(pitch) * ratio) * fade(time, speed) * gain for ratio, gain, speed in partials)
    return sound_of(sound * swell(time, attack=0.004, release=0.4))


def bass(pitch: int, length: float) -> Sound:
    """A round bass: mostly its fundamental, with enough above it for small loudspeakers."""
    time = clock(length + 0.08)
    sound = harmonics(hertz(pitch), time, [1.0, fade(time, 4) * 0.5, fade(time, 7) * 0.3, 0.06])
    return sound_of(np.tanh(sound * 1.2) * fade(time, 0.9) * swell(time, attack=0.008, release=0.08))


# --- Drums: their pitch and length are their own ----------------------------------------------


def kick(pitch: int, length: float) -> Sound:
    time = clock(0.3)
    turn = 2 * np.pi * (46 * time + 90 / 28 * (1 - fade(time, 28)))  # it falls from 136 to 46 Hz
    return sound_of(np.sin(turn) * fade(time, 11) * swell(time, attack=0.002, release=0.1))


def snare(pitch: int, length: float) -> Sound:
    """A brush rather than a stick."""
    time = clock(0.22)
    return sound_of(bright(noise(len(time), seed=7)) * fade(time, 22) * 0.6 + tone(time, 185) * fade(time, 30) * 0.5)


def hat(pitch: int, length: float) -> Sound:
    time = clock(0.06)
    return sound_of(bright(bright(noise(len(time), seed=11))) * fade(time, 70) * 0.4)


def shaker(pitch: int, length: float) -> Sound:
    time = clock(0.09)
    return sound_of(bright(noise(len(time), seed=13)) * np.minimum(time / 0.02, 1) * fade(time, 45) * 0.6)


def ride(pitch: int, length: float) -> Sound:
    time = clock(0.7)
    metal = sum(tone(time, frequency) for frequency in (3371.0, 4513.0, 5791.0, 7019.0)) * 0.08
    hiss = bright(bright(noise(len(time), seed=17))) * 0.16
    return sound_of(metal * fade(time, 6) + hiss * fade(time, 9))


def clave(pitch: int, length: float) -> Sound:
    time = clock(0.08)
    return sound_of(tone(time, 2480) * fade(time, 60) * 0.7)


VOICES: Final[dict[str, Callable[[int, float], Sound]]] = {
    voice.__name__: voice for voice in (pluck, keys, pad, flute, bell, bass, kick, snare, hat, shaker, ride, clave)
}


@cache
def drum(name: str) -> Sound:
    """Drums have no pitch: one stroke serves them all."""
    return VOICES[name](0, 0)
