"""Signing in with somebody else's account is there where it is configured, and nowhere else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.apps import apps

from config.keys import make_signing_key
from tests.helpers import Api

ROOT = Path(__file__).resolve().parents[2]
STORY = Path(__file__).with_name("social_story.py")


@pytest.mark.django_db
def test_nothing_of_it_is_there_by_default(stranger: Api) -> None:
    assert not apps.is_installed("allauth.socialaccount")
    assert stranger.post("/_allauth/app/v1/auth/provider/token", {}).status_code == 404
    assert "socialaccount" not in json.loads(stranger.get("/_allauth/app/v1/config").content)["data"]


@pytest.fixture
def provider() -> Iterator[tuple[str, str]]:
    """An OpenID provider on loopback: where it is, and the key it signs with."""
    pem = make_signing_key()
    key = load_pem_private_key(pem.encode(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    jwk = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": "1", "alg": "RS256"}

    class Provider(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = f"http://{self.headers['Host']}"
            known = {"issuer": url, "jwks_uri": f"{url}/keys"}
            body = json.dumps({"keys": [jwk]} if self.path == "/keys" else known).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", pem
    server.shutdown()
    server.server_close()


def test_an_openid_providers_tokens_sign_in_where_it_is_configured(provider: tuple[str, str]) -> None:
    url, pem = provider
    environment = os.environ | {
        "SOCIAL_OPENID_URL": url,
        "SOCIAL_OPENID_CLIENT_IDS": "phone,tablet",
        "STORY_KEY": pem,
        "DATABASE_URL": urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/social_{os.getpid()}").geturl(),
    }
    story = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-n",
        "0",
        "-p",
        "no:cacheprovider",
        "tests/accounts/social_story.py",
    ]
    done = subprocess.run(story, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
