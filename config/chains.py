"""Certificates that stand in for Apple's on a development machine: a root, an issuer, and one that signs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID, ObjectIdentifier

# By these Apple marks which of its certificates sign for the App Store, and which issue those.
SIGNS: Final = "1.2.840.113635.100.6.11.1"
ISSUES: Final = "1.2.840.113635.100.6.2.1"
LIFE: Final = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2049, 1, 1, tzinfo=UTC))

Key = ec.EllipticCurvePrivateKey
Certificate = x509.Certificate


def make_apple_chain() -> str:
    """PEM of the signing key, its certificate, the issuer's and the root's, in this order."""
    root_key, issuer_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    root = certificate("simulated root", root_key, by=None, authority=True)
    issuer = certificate("simulated issuer", issuer_key, by=(root, root_key), authority=True, mark=ISSUES)
    signer = certificate("simulated App Store", key, by=(issuer, issuer_key), authority=False, mark=SIGNS)
    pem = [key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())]
    pem += [one.public_bytes(Encoding.PEM) for one in (signer, issuer, root)]
    return b"".join(pem).decode()


def certificate(
    name: str,
    key: Key,
    *,
    by: tuple[Certificate, Key] | None,
    authority: bool,
    mark: str = "",
    life: tuple[datetime, datetime] = LIFE,
) -> Certificate:
    """A certificate as strict verifiers want it, issued `by` another or by itself, with Apple's mark if any."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, issuer_key = by or (None, key)
    usage = dict.fromkeys(
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign "
        "encipher_only decipher_only".split(),
        False,
    )
    usage["key_cert_sign" if authority else "digital_signature"] = True
    builder = (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(life[0])
        .not_valid_after(life[1])
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if mark:
        builder = builder.add_extension(x509.UnrecognizedExtension(ObjectIdentifier(mark), b"\x05\x00"), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())
