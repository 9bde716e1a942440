"""Notifications as the App Store sends them: fixtures signed on the spot, and an App Store of one's own."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from billing.simulators import apple
from config.chains import ISSUES, LIFE, SIGNS, certificate

FIXTURES = Path(__file__).parent / "fixtures" / "apple"
PATH = "/webhooks/billing/apple"
APP_ID = 1234567890


class Sign(Protocol):
    def __call__(self, payload: dict[str, Any], /) -> str: ...


def notification(fixture: str, **changes: Any) -> dict[str, Any]:
    """A fixture, not signed yet. `head`, `data`, `transaction` and `renewal` change members; ... removes one."""
    head: dict[str, Any] = json.loads((FIXTURES / f"{fixture}.json").read_text())
    data = head.get("data", {})
    parts = {
        "head": head,
        "data": data,
        "transaction": data.get("signedTransactionInfo", {}),
        "renewal": data.get("signedRenewalInfo", {}),
    }
    for part, members in changes.items():
        for member, value in members.items():
            parts[part].pop(member, None) if value is ... else parts[part].__setitem__(member, value)
    return head


def sealed(head: dict[str, Any], *, sign: Sign = apple.sign, inside: Mapping[str, Sign] | None = None) -> bytes:
    """The body of a notification; `inside` names who signs what is inside, where that is somebody else."""
    data = head.get("data")
    if isinstance(data, dict):
        for member in ("signedTransactionInfo", "signedRenewalInfo"):
            if isinstance(data.get(member), dict):
                data[member] = (inside or {}).get(member, sign)(data[member])
    return json.dumps({"signedPayload": sign(head)}).encode()


def body_of(fixture: str, **changes: Any) -> bytes:
    return sealed(notification(fixture, **changes))


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass
class Authority:
    """Three certificates like Apple's, with something wrong where a test says so."""

    signs: str = SIGNS
    issues: str = ISSUES
    life: tuple[datetime, datetime] = LIFE
    issuer_may: bool = True
    root_key: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    issuer_key: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    key: ec.EllipticCurvePrivateKey = field(default_factory=new_key)

    @cached_property
    def root(self) -> x509.Certificate:
        return certificate("root", self.root_key, by=None, authority=True)

    @cached_property
    def chain(self) -> list[x509.Certificate]:
        by = (self.root, self.root_key)
        issuer = certificate("issuer", self.issuer_key, by=by, authority=self.issuer_may, mark=self.issues)
        by = (issuer, self.issuer_key)
        return [
            certificate("signer", self.key, by=by, authority=False, mark=self.signs, life=self.life),
            issuer,
            self.root,
        ]

    @property
    def x5c(self) -> list[str]:
        return [base64.b64encode(one.public_bytes(Encoding.DER)).decode() for one in self.chain]

    def sign(self, payload: dict[str, Any], /) -> str:
        token: str = jwt.encode(payload, self.key, algorithm="ES256", headers={"x5c": self.x5c})
        return token

    def trusted(self, folder: Path) -> list[str]:
        """The files that make us trust this root."""
        (folder / "root.cer").write_bytes(self.root.public_bytes(Encoding.DER))
        return [str(folder / "root.cer")]
