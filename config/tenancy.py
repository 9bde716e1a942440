"""Who PostgreSQL runs as, and from where: it refuses root, and a closed home keeps everybody else out.

In order of liking, each with unmodified binaries:

1. an ordinary user runs it as itself;
2. root runs it as `nobody`, where `nobody` can reach the project;
3. root runs it in a user namespace in which root carries another number;
4. where the kernel forbids that too, root copies the binaries to /var/tmp and keeps the data there.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CLONE_NEWUSER = 0x10000000
SHELTER = Path("/var/tmp")  # noqa: S108  survives a reboot, and everybody may enter


@dataclass(frozen=True, kw_only=True)
class Tenancy:
    """Where PostgreSQL lives and how its processes are started.

    `home` holds data and sockets, `binaries` the programs. `options` go to `subprocess.Popen`,
    `before_exec` runs in the child, `owner` is the user id that private folders are given to
    (None: whoever we are).
    """

    home: Path
    binaries: Path
    owner: int | None = None
    options: dict[str, Any] = field(default_factory=dict)
    before_exec: Callable[[], None] = lambda: None

    def private(self, folder: Path) -> Path:
        """Make `folder`, closed to everybody but the tenant."""
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        if self.owner is not None:
            os.chown(folder, self.owner, -1)
        return folder


def settle(*, home: Path, binaries: Path) -> Tenancy:
    """Choose the tenancy for `home`. Raises PermissionError when the data there is somebody else's."""
    data = home / "postgres"
    owner = data.stat().st_uid if data.exists() else None
    if os.geteuid() != 0:
        if owner not in (None, os.geteuid()):
            raise PermissionError(f"{data} belongs to another user: remove it, or set VAR_DIR to a folder of your own")
        return Tenancy(home=home, binaries=binaries)
    uid = owner or pwd.getpwnam("nobody").pw_uid
    if owner != 0 and reachable(data, uid) and reachable(binaries, uid):
        return as_user(uid, home=home, binaries=binaries)
    enter = entering_a_namespace(pwd.getpwnam("nobody").pw_uid)
    if permitted(enter):
        return Tenancy(home=home, binaries=binaries, before_exec=enter)
    return sheltered(uid, home=home, binaries=binaries)


def as_user(uid: int, *, home: Path, binaries: Path) -> Tenancy:
    """Root's way of running it as `uid`."""
    group = pwd.getpwuid(uid).pw_gid
    options = {"user": uid, "group": group, "extra_groups": []}
    return Tenancy(home=home, binaries=binaries, owner=uid, options=options)


def reachable(path: Path, uid: int) -> bool:
    """Whether `uid` may walk down to `path`: every folder above it is theirs or open to others."""
    for folder in path.parents:
        if folder.exists():
            status = folder.stat()
            if status.st_uid != uid and not status.st_mode & stat.S_IXOTH:
                return False
    return True


def entering_a_namespace(uid: int) -> Callable[[], None]:
    """A `preexec_fn` after which root is called `uid` inside, while files stay root's outside."""
    libc = ctypes.CDLL(None, use_errno=True)

    def enter() -> None:
        if libc.unshare(CLONE_NEWUSER) != 0:
            raise OSError(ctypes.get_errno(), "user namespaces are not allowed here")
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} 0 1"), ("gid_map", f"{uid} 0 1")):
            with open(f"/proc/self/{name}", "w") as handle:
                handle.write(text)

    return enter


def permitted(enter: Callable[[], None]) -> bool:
    """Whether the kernel lets us enter a namespace: tried once on a process that does nothing."""
    try:
        return subprocess.run(["true"], preexec_fn=enter, check=False).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


def sheltered(uid: int, *, home: Path, binaries: Path) -> Tenancy:
    """Binaries copied to, and data kept in, a folder of ours that everybody may enter."""
    mark = hashlib.sha256(os.fsencode(str(home))).hexdigest()[:12]
    shelter = SHELTER / f"tonearm-{mark}"
    shelter.mkdir(mode=0o711, exist_ok=True)
    if shelter.stat().st_uid != 0:
        raise PermissionError(f"{shelter} exists and is not root's")
    if not (shelter / "pginstall" / "bin").exists():
        draft = shelter / "pginstall.draft"
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(binaries.parent, draft, symlinks=True)
        draft.rename(shelter / "pginstall")
    return as_user(uid, home=shelter, binaries=shelter / "pginstall" / "bin")
