"""A real stand-in for the whole session: its own database, its own files, its own port, and an independent signer."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.platform import Database, Partner, Platform
from tests.sandbox.receiver import Receiver

QUICK = {
    "STREAM_BLOCK_SECONDS": "0.7",
    "SANDBOX_SLOW_SECONDS": "0.4",
    "SANDBOX_HANG_SECONDS": "1",
    "SANDBOX_EVENTS_PAUSES": "0.01,0.02,0.05",
}

CONTRARY = {
    "SANDBOX_CONSUMERS": "second:s2,third:s3",
    "SANDBOX_COUNTRIES": "GB,IE",
    "SANDBOX_STATUSES": "2003:400",
    "SANDBOX_STATUS_EVERYWHERE": "true",
    "SANDBOX_R2": "lenient",
    "SANDBOX_SINGLE_USE": "strict",
    "SANDBOX_SEGMENT_LIFETIME_SECONDS": "3",
    "SANDBOX_LOG_PARTIAL": "keep",
    "SANDBOX_LOG_REQUIRED": "trackId,releaseId,dateTimePlayed,totalTimePlayed,userAgent",
    "SANDBOX_LOG_MAX_ITEMS": "5",
    "SANDBOX_SALE_REQUIRED": "",
    "SANDBOX_POSTCODE_COUNTRIES": "US",
    "SANDBOX_DOWNLOADS": "2",
    "SANDBOX_LOCKER_URLS": "inside",
    "SANDBOX_PREVIEW_MAX_ITEMS": "5",
    "SANDBOX_EVENTS_SCHEME": "",
    "SANDBOX_WORKERS": "1",
}


@pytest.fixture(scope="session")
def var_dir() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="sandbox-test-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def database() -> Iterator[Database]:
    database = Database(server=os.environ["DATABASE_URL"], name=f"sandbox_test_{os.getpid()}")
    database.create()
    yield database
    database.drop()


@pytest.fixture(scope="session")
def platform(database: Database, var_dir: Path) -> Iterator[Platform]:
    """The stand-in with its defaults, except that it waits less."""
    platform = Platform(database=database, var_dir=var_dir, settings=QUICK)
    platform.prepare()
    platform.start()
    yield platform
    platform.stop()


@pytest.fixture(scope="session")
def contrary(platform: Platform) -> Iterator[Platform]:
    """A second server on the same shelves that makes the other choice wherever there is one."""
    other = Platform(database=platform.database, var_dir=platform.var_dir, settings=QUICK | CONTRARY)
    other.start()
    yield other
    other.stop()


@pytest.fixture
def contrarian(contrary: Platform) -> Iterator[Partner]:
    partner = Partner(contrary)
    yield partner
    partner.close()


@pytest.fixture
def differently(platform: Platform) -> Iterator[type[Platform]]:
    """`differently(SANDBOX_X="…")`: one more server on the same shelves, for a setting that disturbs other tests."""
    started: list[Platform] = []

    def start(**settings: str) -> Platform:
        other = Platform(database=platform.database, var_dir=platform.var_dir, settings=QUICK | settings)
        other.start()
        started.append(other)
        return other

    yield start
    for other in started:
        other.stop()


@pytest.fixture
def partner(platform: Platform) -> Iterator[Partner]:
    partner = Partner(platform)
    yield partner
    partner.close()
    platform.clear_faults()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A catalogue-event door that keeps what it is sent."""
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def listener(partner: Partner) -> str:
    """A user with a running subscription."""
    return partner.subscriber()


@pytest.fixture
def track(platform: Platform) -> int:
    """A track that streams in the whole world."""
    return platform.track()
