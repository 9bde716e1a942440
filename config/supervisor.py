"""Keeps the programs of one machine running: starts, shows, restarts aloud, stops, leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from config.embedded import Engine, EngineError
from config.processes import dies_with_parent

GRACE_SECONDS: Final = 7.0  # to finish what is in hand; all is over within ten seconds
LOOK_SECONDS: Final = 0.5
RESTARTS: Final = 5  # within a minute; more is no accident
COLOURS: Final = ("36", "33", "32", "35", "34")


@dataclass(frozen=True, kw_only=True)
class Program:
    """A child process: what to run, and the environment it gets on top of ours."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


class GaveUp(RuntimeError):
    """A program keeps dying; the message names it."""


class Child:
    """A running program and its log."""

    def __init__(self, program: Program, *, logs: Path, colour: str) -> None:
        self.program, self.colour = program, colour
        self.log = (logs / f"{program.name}.log").open("ab", buffering=0)
        self.starts: list[float] = []
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        self.starts = [at for at in self.starts if at > time.monotonic() - 60] + [time.monotonic()]
        return subprocess.Popen(
            self.program.command,
            env=os.environ | dict(self.program.environment) | {"PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=dies_with_parent(signal.SIGTERM),
        )

    @property
    def output(self) -> IO[bytes]:
        assert self.process.stdout is not None  # noqa: S101  it is a pipe
        return self.process.stdout

    def restart(self) -> None:
        """Start it again. Raises GaveUp when that has been tried too often."""
        if len(self.starts) > RESTARTS:
            raise GaveUp(f"{self.program.name} keeps dying; see {self.log.name}")
        self.process = self._start()

    def kill(self) -> None:
        """Kill its whole process group, whatever of it is left."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)


class Supervisor:
    """The engines and programs of one machine, in the order they need each other."""

    def __init__(self, engines: Sequence[Engine], *, logs: Path) -> None:
        self.engines = [engine for engine in engines if not engine.alive()]
        self.logs = logs
        self.children: list[Child] = []
        self.quiet = False
        self._selector = selectors.DefaultSelector()
        self._width = 8
        self._coloured = sys.stdout.isatty() or bool(os.environ.get("FORCE_COLOR"))

    def say(self, text: str, *, name: str = "up", colour: str = "1") -> None:
        """One line on the screen under a name."""
        label = f"{name:<{self._width}}"
        sys.stdout.write(f"\033[{colour}m{label} │\033[0m {text}\n" if self._coloured else f"{label} │ {text}\n")
        sys.stdout.flush()

    def start_engines(self) -> None:
        """Start the servers that are not running yet; only those are ours to stop. Raises EngineError."""
        for engine in self.engines:
            engine.start()

    def start(self, program: Program) -> None:
        """Start a program and show what it says from now on."""
        self.logs.mkdir(parents=True, exist_ok=True)
        child = Child(program, logs=self.logs, colour=COLOURS[len(self.children) % len(COLOURS)])
        self.children.append(child)
        self._listen(child)

    def run(self, until: Callable[[], bool]) -> bool:
        """Show and watch until `until()` holds. Raises GaveUp or EngineError."""
        while not until():
            self._show(timeout=LOOK_SECONDS)
            self._watch()
        return True

    def stop(self) -> None:
        """Ask everybody to finish, insist after GRACE_SECONDS, and stop the engines last."""
        for child in self.children:
            child.process.terminate()
        end = time.monotonic() + GRACE_SECONDS
        while time.monotonic() < end and any(child.process.poll() is None for child in self.children):
            self._show(timeout=0.05)
        for child in self.children:
            child.kill()
            child.process.wait()
        self._show(timeout=0)
        for engine in reversed(self.engines):
            engine.stop()

    def _listen(self, child: Child) -> None:
        os.set_blocking(child.output.fileno(), False)
        self._selector.register(child.output, selectors.EVENT_READ, child)

    def _show(self, *, timeout: float) -> None:
        """Pass on what the programs have said, to their logs and, unless quiet, to the screen."""
        for key, _ in self._selector.select(timeout):
            child: Child = key.data
            try:
                text = os.read(key.fd, 65536)
            except BlockingIOError:
                continue
            if not text:
                self._selector.unregister(key.fileobj)
                continue
            child.log.write(text)
            if not self.quiet:
                for line in text.decode(errors="replace").splitlines():
                    self.say(line, name=child.program.name, colour=child.colour)

    def _watch(self) -> None:
        """Start again, and say so, what has died."""
        for engine in self.engines:
            if not engine.alive():
                self.say(f"{engine.name} is gone; starting it again", colour="31")
                engine.start()
        for child in self.children:
            if (status := child.process.poll()) is not None:
                self.say(f"{child.program.name} ended with {status}; starting it again", colour="31")
                child.kill()
                child.restart()
                self._listen(child)


__all__ = ["EngineError", "GaveUp", "Program", "Supervisor"]
