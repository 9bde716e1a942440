"""The client under test, pointed at servers of our own; certificates made on the spot."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from massivemusic.client import Client, Platform
from massivemusic.wire import trust
from tests.massivemusic.behaviours import OK
from tests.massivemusic.stage import Stage, answer, says

KEY, SECRET = "tonearm-key", "canary/secret+of the platform"
PUBLIC = trust()  # what a client takes by itself; reading it for each test would cost 20 ms
POLITE = says(answer("200 OK", OK), keep=True)


def a_platform(origin: str, **settings: object) -> Platform:
    """All five hosts at one origin, http allowed; limits that a busy machine of ours keeps."""
    values: dict[str, object] = {
        **dict.fromkeys(("api_url", "stream_url", "media_url", "previews_url", "image_url"), origin),
        "consumer_key": KEY,
        "consumer_secret": SECRET,
        "allow_http": True,
        "connect_seconds": 5,
        "total_seconds": 5,
    }
    return Platform(**(values | settings))  # type: ignore[arg-type]


def ask(client: Client) -> int:
    """The plainest of calls; its status."""
    return client.call("GET", "/status").status


ClientTo = Callable[..., Client]


@pytest.fixture
def client_to() -> Iterator[ClientTo]:
    """A maker of clients for an origin; their connections are closed at the end."""
    made: list[Client] = []

    def make(origin: str, *, tls: ssl.SSLContext = PUBLIC, **settings: object) -> Client:
        made.append(Client(a_platform(origin, **settings), tls=tls))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture(scope="session")
def trap() -> Iterator[Stage]:
    """Where no call may ever arrive."""
    with Stage(POLITE) as stage:
        yield stage


@pytest.fixture(scope="session")
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A server's side of TLS, with a certificate for 127.0.0.1 that only `tls_client` trusts."""
    pem = tmp_path_factory.mktemp("tls") / "server.pem"
    pem.write_bytes(_self_signed())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.__dict__["pem"] = pem
    return context


@pytest.fixture(scope="session")
def tls_client(tls_server: ssl.SSLContext) -> ssl.SSLContext:
    """Trust in `tls_server`, and in nobody else."""
    pem: Path = tls_server.__dict__["pem"]
    return ssl.create_default_context(cafile=pem)


def _self_signed() -> bytes:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "stage")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + certificate.public_bytes(serialization.Encoding.PEM)
