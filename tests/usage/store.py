"""A bucket on this machine, and a door before it that misbehaves on demand."""

from __future__ import annotations

import functools
import io
import socket
import struct
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any, Final

import boto3.session
import requests
from pyarrow import parquet

from tests.sandbox.platform import eventually, free_port

REGION: Final = "eu-west-1"
PREFIX: Final = "partner-7"
OWNER: Final = {"aws_access_key_id": "owner", "aws_secret_access_key": "owners-secret", "region_name": REGION}
_numbers = count(1)

# What the door says instead of passing a request on: status, S3's code, headers.
ANSWERS: Final[dict[str, tuple[int, str, dict[str, str]]]] = {
    "forbidden": (403, "AccessDenied", {}),
    "unknown_key": (403, "InvalidAccessKeyId", {}),
    "conflict": (409, "ConditionalRequestConflict", {}),
    "failure": (500, "InternalError", {}),
    "slow_down": (503, "SlowDown", {"Retry-After": "7"}),
    "no_bucket": (404, "NoSuchBucket", {}),
    "wrong_region": (400, "AuthorizationHeaderMalformed", {"x-amz-bucket-region": "us-west-2"}),
    "redirect": (301, "PermanentRedirect", {"x-amz-bucket-region": "us-west-2"}),
    "temporary_redirect": (307, "TemporaryRedirect", {"Location": "http://127.0.0.1:9/elsewhere"}),
}


def error(code: str) -> bytes:
    region = "<Region>us-west-2</Region>" if code == "AuthorizationHeaderMalformed" else ""
    return f"<Error><Code>{code}</Code><Message>no</Message>{region}</Error>".encode()


class Door(BaseHTTPRequestHandler):
    """Passes requests on to the store, or does what was ordered."""

    protocol_version = "HTTP/1.1"
    server: DoorServer

    def do_PUT(self) -> None:
        order = self.server.next_order()
        if order:
            self.server.seen.append((self.command, order))
        if order == "reset_unread":
            return self.reset()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if order == "hang":
            self.server.over.wait(20)
            return self.reset()
        if order in ANSWERS:
            status, code, headers = ANSWERS[order]
            return self.say(status, error(code), headers)
        if order == "captive":
            return self.say(200, b"<html>sign in to our network</html>", {"Content-Type": "text/html"})
        if order == "nonsense":
            return self.say(400, b"<<<", {})
        if order == "reset_before":
            return self.reset()
        if "If-None-Match" in self.headers and self.server.simple:
            return self.say(501, error("NotImplemented"), {})
        answer = requests.request(
            self.command, self.server.store + self.path, data=body, headers=dict(self.headers), timeout=20
        )
        if order == "reset_after":
            return self.reset()
        if order == "slow":
            self.server.over.wait(1)
        if not order:
            self.server.seen.append((self.command, str(answer.status_code)))
        return self.say(answer.status_code, answer.content, dict(answer.headers))

    do_GET = do_HEAD = do_POST = do_DELETE = do_PUT  # noqa: N815

    def say(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in {"content-length", "connection", "transfer-encoding", "date", "server"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


class DoorServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, store: str) -> None:
        super().__init__(("127.0.0.1", 0), Door)
        self.store = store
        self.orders: list[str] = []
        self.seen: list[tuple[str, str]] = []
        """Each request's method, and what became of it: the order, or the store's status."""
        self.simple = False
        """Whether the store knows no conditional writes."""
        self.over = threading.Event()

    def next_order(self) -> str:
        return self.orders.pop(0) if self.orders else ""

    def handle_error(self, *_: object) -> None:
        """A client that went away is what these tests are about."""


@functools.cache
def owner_of(url: str) -> Any:
    """Whoever owns a store's buckets. One for all tests: it takes a quarter of a second to make one."""
    return boto3.session.Session().client("s3", endpoint_url=url, **OWNER)


@dataclass
class Store:
    """A running store, one bucket in it, and the door."""

    url: str
    door: DoorServer
    name: str = field(default_factory=lambda: f"plays-{next(_numbers)}")

    def __post_init__(self) -> None:
        self.owner = owner_of(self.url)
        self.owner.create_bucket(Bucket=self.name, CreateBucketConfiguration={"LocationConstraint": REGION})

    def settings(self, *, through_door: bool = True) -> dict[str, Any]:
        endpoint = f"http://127.0.0.1:{self.door.server_port}" if through_door else self.url
        keys = {"key_id": OWNER["aws_access_key_id"], "secret": OWNER["aws_secret_access_key"]}
        return {"name": self.name, "endpoint": endpoint, "region": REGION, **keys}

    def order(self, *behaviours: str) -> None:
        self.door.orders += behaviours

    def names(self) -> list[str]:
        pages = self.owner.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        return [each["Key"] for page in pages for each in page.get("Contents", [])]

    def content(self, name: str) -> bytes:
        content: bytes = self.owner.get_object(Bucket=self.name, Key=name)["Body"].read()
        return content

    def rows(self) -> list[dict[str, Any]]:
        """What a reader of the whole bucket has, each row as often as it is there."""
        return [row for name in self.names() for row in rows_of(self.content(name))]

    def times(self) -> Counter[str]:
        """How often each id is in the bucket."""
        return Counter(row["id"] for row in self.rows())


def rows_of(content: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = parquet.read_table(io.BytesIO(content)).to_pylist()
    return rows


@contextmanager
def running_store() -> Iterator[str]:
    """A store as a process of its own; its URL."""
    port = free_port()
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        assert process.poll() is None
        try:
            return requests.get(f"{url}/moto-api/data.json", timeout=2).ok
        except requests.ConnectionError:
            return False

    try:
        eventually(answers, seconds=30)
        yield url
    finally:
        process.kill()
        process.wait()


@contextmanager
def open_door(store: str) -> Iterator[DoorServer]:
    with DoorServer(store) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.over.set()
        server.shutdown()
