"""Certificates and revocation lists (数字证书, 证书吊销列表), RSA and SM2.

The package cryptography reads X.509, but it has no SM2: the point of an SM2 key is taken from the
bytes of the SubjectPublicKeyInfo, and signatures by SM2 (1.2.156.10197.1.501) are checked by
``sm2.py``. Names are decoded leniently (issuers of the field put UTF-8 and GB18030 into any string
type), the private extensions of the E-Port cards are read where they are present. A certificate is
read once: the cache goes by its bytes, and by its base64 text for the hot path.

Reading raises ValueError with a plain reason: a certificate in a message becomes a fault of that
message, one in a trust store stops the start.
"""

from __future__ import annotations

import hashlib
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cebport.faults import Catalog, Fault, fault_of
from cebport.messages import sm2

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

EPORT_ARC = "1.3.6.1.4.1.5315.100"
"""The private extensions of China E-Port cards: company, person, card number, credit code."""

CERTIFICATES_CACHED_MAX = 1024
CERTIFICATE_BYTES_MAX = 16 * 1024
"""Ten times what cards have: strangers' certificates may not fill the memory."""
OID_RSA = "1.2.840.113549.1.1.1"

_NAMES = {
    "2.5.4.3": "CN",
    "2.5.4.4": "SN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "street",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.12": "title",
    "2.5.4.42": "GN",
    "1.2.840.113549.1.9.1": "emailAddress",
    "0.9.2342.19200300.100.1.25": "DC",
    "0.9.2342.19200300.100.1.1": "UID",
}
_SEQUENCE, _OID, _BMP, _UNIVERSAL = 0x30, 0x06, 0x1E, 0x1C
_TEXTS = {0x0C, 0x12, 0x13, 0x14, 0x16, 0x1A, _BMP, _UNIVERSAL}
_EXTENSIONS = 0xA3


@lru_cache(1)
def catalog() -> Catalog:
    """The fault words of signatures, keys and trust: tables/faults_sign.yaml."""
    import yaml

    text = (Path(__file__).parent / "tables" / "faults_sign.yaml").read_text(encoding="utf-8")
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def sign_fault(code: str, **values: Any) -> Fault:
    """A fault of this part; ``code`` is CEB-SIGN-nnn."""
    return fault_of(catalog(), code, **values)


# ── a reader for the few DER shapes that cryptography does not open for SM2 ─────────────────────────


class Der(NamedTuple):
    """One DER value: its tag, its content, and all its bytes."""

    tag: int
    content: bytes
    whole: bytes


def der_values(data: bytes) -> Iterator[Der]:
    """The DER values that stand one after another in ``data``. Raises ValueError when they are cut off."""
    at = 0
    while at < len(data):
        start, tag = at, data[at]
        if tag & 0x1F == 0x1F or at + 2 > len(data):
            raise ValueError("DER with a long tag or cut off")
        length, at = data[at + 1], at + 2
        if length & 0x80:
            octets = length & 0x7F
            if not 0 < octets < 5 or at + octets > len(data):
                raise ValueError("DER with a length that cannot be read")
            length, at = int.from_bytes(data[at : at + octets], "big"), at + octets
        if at + length > len(data):
            raise ValueError("DER value cut off")
        yield Der(tag, data[at : at + length], data[start : at + length])
        at += length


def oid_text(content: bytes) -> str:
    """The dotted form of an OBJECT IDENTIFIER's content. Raises ValueError for an empty or open one."""
    if not content or content[-1] & 0x80:
        raise ValueError("object identifier cut off")
    arcs, value = [], 0
    for octet in content:
        value = value << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


def _string(value: Der) -> str:
    """A text as the issuers of the field write it, whatever the tag says."""
    if value.tag == _BMP:
        return value.content.decode("utf-16-be", "replace")
    if value.tag == _UNIVERSAL:
        return value.content.decode("utf-32-be", "replace")
    for encoding in ("utf-8", "gb18030"):
        try:
            return value.content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return value.content.hex()


def _name_parts(name: bytes) -> list[tuple[str, str]]:
    """The (short attribute name, text) pairs of a Name, in the order of the certificate."""
    parts = []
    for sequence in der_values(name):
        for relative in der_values(sequence.content):
            for pair in der_values(relative.content):
                kind, value = der_values(pair.content)
                oid = oid_text(kind.content)
                parts.append((_NAMES.get(oid, oid), _string(value)))
    return parts


def _name_text(parts: list[tuple[str, str]]) -> str:
    """``CN=…, O=…, C=CN``: the most special first, as people read it."""
    return ", ".join(f"{kind}={text}" for kind, text in reversed(parts))


def _content_text(content: bytes) -> str:
    """What a private extension holds: a DER string, else plain text, else hex."""
    try:
        values = list(der_values(content))
    except ValueError:
        values = []
    if len(values) == 1 and values[0].tag in _TEXTS:
        return _string(values[0])
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return content.hex()
    return text if text.isprintable() else content.hex()


# ── certificates ────────────────────────────────────────────────────────────────────────────────────


class Certificate:
    """A certificate as read: who, whose key, from when to when. Make it with ``read_certificate``.

    algorithm is "rsa", "sm2", or the OID of another key. Times are UTC. ``extensions`` holds the
    E-Port card's own fields by OID: personal data, to be shown masked only.
    """

    def __init__(self, der: bytes) -> None:
        from cryptography import x509

        if len(der) > CERTIFICATE_BYTES_MAX:
            raise ValueError(f"certificate longer than {CERTIFICATE_BYTES_MAX} bytes")
        self.der = der
        self.x509 = x509.load_der_x509_certificate(der)
        self.serial = self.x509.serial_number
        self.not_before: datetime = self.x509.not_valid_before_utc
        self.not_after: datetime = self.x509.not_valid_after_utc
        tbs = next(der_values(self.x509.tbs_certificate_bytes))
        fields = [value for value in der_values(tbs.content) if value.tag != 0xA0]
        self.serial_hex = fields[0].content.lstrip(b"\0").hex() or "00"
        self.issuer_der, self.subject_der = fields[2].whole, fields[4].whole
        self.spki = fields[5].whole
        self._extension_fields = [value for value in fields[6:] if value.tag == _EXTENSIONS]
        self.algorithm, self.sm2_key = self._key_kind(fields[5].content)
        parts = _name_parts(self.subject_der)
        self.subject = _name_text(parts)
        self.common_name = next((text for kind, text in parts if kind == "CN"), "")
        self.issuer = _name_text(_name_parts(self.issuer_der))

    @staticmethod
    def _key_kind(spki: bytes) -> tuple[str, bytes]:
        """("rsa" | "sm2" | OID, the SM2 point or nothing) of a SubjectPublicKeyInfo's content."""
        algorithm, bits = der_values(spki)
        oids = [oid_text(value.content) for value in der_values(algorithm.content) if value.tag == _OID]
        if oids[0] == OID_RSA:
            return "rsa", b""
        if oids == [sm2.OID_PUBLIC_KEY, sm2.OID_CURVE]:
            if len(bits.content) != 66 or bits.content[:2] != b"\0\4":
                raise ValueError("the SM2 key of the certificate is not an uncompressed point")
            if not sm2.is_on_curve(bits.content[2:]):
                raise ValueError("the SM2 key of the certificate is no point of the curve")
            return "sm2", bits.content[2:]
        return oids[-1], b""

    @cached_property
    def rsa_key(self) -> RSAPublicKey:
        """The RSA key; only where algorithm is "rsa". Raises ValueError for an unusable key."""
        from cryptography.exceptions import UnsupportedAlgorithm

        assert self.algorithm == "rsa"
        try:
            return self.x509.public_key()  # type: ignore[return-value]
        except UnsupportedAlgorithm as problem:
            raise ValueError(str(problem)) from problem

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the DER, in hex."""
        return hashlib.sha256(self.der).hexdigest()

    @cached_property
    def extensions(self) -> Mapping[str, str]:
        """The E-Port private extensions: OID -> text."""
        found = {}
        for field in self._extension_fields:
            for extension in der_values(next(der_values(field.content)).content):
                values = list(der_values(extension.content))
                oid = oid_text(values[0].content)
                if oid == EPORT_ARC or oid.startswith(EPORT_ARC + "."):
                    found[oid] = _content_text(values[-1].content)
        return found

    @property
    def masked_extensions(self) -> dict[str, str]:
        """The same to be shown: each value down to its first two characters; nothing when they are unreadable."""
        try:
            return {oid: text[:2] + "*" * max(0, len(text) - 2) for oid, text in self.extensions.items()}
        except (ValueError, StopIteration, IndexError):
            return {}

    @cached_property
    def is_ca(self) -> bool:
        """Whether it may issue certificates: basicConstraints says CA, keyUsage does not forbid it."""
        from cryptography import x509

        try:
            if not self.x509.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
                return False
            usage = self.x509.extensions.get_extension_for_class(x509.KeyUsage).value
        except x509.ExtensionNotFound as missing:
            return missing.oid == x509.KeyUsage.oid
        except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
            return False
        return usage.key_cert_sign

    def issued(self, other: Certificate) -> bool:
        """Whether this certificate's key signed ``other`` and the names meet (validity apart)."""
        if other.issuer_der != self.subject_der or not self.is_ca:
            return False
        return _is_signed_by(
            self,
            other.x509.signature_algorithm_oid.dotted_string,
            other.x509.tbs_certificate_bytes,
            other.x509.signature,
            other.x509,
        )

    def is_valid_at(self, moment: datetime) -> bool:
        """Whether the moment lies in its validity."""
        return self.not_before <= moment <= self.not_after

    def __repr__(self) -> str:
        return f"<Certificate {self.serial_hex} {self.subject}>"


def _is_signed_by(issuer: Certificate, oid: str, signed: bytes, signature: bytes, thing: Any) -> bool:
    """Whether the issuer's key made ``signature`` over ``signed`` (a certificate's or a list's body)."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    if oid == sm2.OID_SIGNATURE or issuer.algorithm == "sm2":
        raw = sm2.from_der(signature)
        if oid != sm2.OID_SIGNATURE or issuer.algorithm != "sm2" or raw is None:
            return False
        return sm2.PublicKey.of(issuer.sm2_key).verify(signed, raw)
    try:
        if hasattr(thing, "verify_directly_issued_by"):
            thing.verify_directly_issued_by(issuer.x509)
            return True
        return thing.is_signature_valid(issuer.x509.public_key())
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False


@lru_cache(CERTIFICATES_CACHED_MAX)
def read_certificate(der: bytes) -> Certificate:
    """The certificate of these DER bytes, cached. Raises ValueError when they are none."""
    from cryptography.x509 import InvalidVersion

    try:
        return Certificate(der)
    except (StopIteration, IndexError, InvalidVersion) as problem:
        raise ValueError("not the structure of a certificate") from problem


@lru_cache(CERTIFICATES_CACHED_MAX)
def read_certificate_text(text: str) -> Certificate:
    """The certificate of an X509Certificate element's text (base64, white space anywhere), cached.

    Raises ValueError when it is none.
    """
    return read_certificate(decode_base64(text))


def decode_base64(text: str) -> bytes:
    """Bytes of a base64 text in which only XML white space is extra. Raises ValueError for the rest."""
    try:
        return a2b_base64("".join(text.split()), strict_mode=True)
    except (Base64Error, UnicodeEncodeError) as problem:
        raise ValueError(f"not base64: {problem}") from problem


# ── PEM and files ───────────────────────────────────────────────────────────────────────────────────


class Block(NamedTuple):
    """One PEM block: its label (``CERTIFICATE``) and its DER."""

    label: str
    der: bytes


def read_pem(data: bytes) -> list[Block]:
    """The PEM blocks of a text, in order. Raises ValueError for a block that does not end or decode."""
    blocks = []
    lines = iter(data.decode("latin-1").splitlines())
    for line in lines:
        line = line.strip()
        if not (line.startswith("-----BEGIN ") and line.endswith("-----")):
            continue
        label = line[11:-5]
        body = []
        for inner in lines:
            if inner.strip() == f"-----END {label}-----":
                break
            body.append(inner)
        else:
            raise ValueError(f"PEM block {label} has no end")
        blocks.append(Block(label, decode_base64("".join(body)) if ":" not in "".join(body) else b""))
    return blocks


def pem_of(label: str, der: bytes) -> bytes:
    """DER as a PEM block."""
    from base64 import b64encode

    text = b64encode(der).decode()
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n".encode()


# ── revocation lists ────────────────────────────────────────────────────────────────────────────────


class RevocationList:
    """A CRL as read: serials and since when, who says so, until when it is fresh.

    ``next_update`` is None where the list does not say. Raises ValueError for anything else.
    """

    def __init__(self, der: bytes) -> None:
        from cryptography import x509

        self.x509 = x509.load_der_x509_crl(der)
        tbs = next(der_values(self.x509.tbs_certlist_bytes))
        sequences = [value for value in der_values(tbs.content) if value.tag == _SEQUENCE]
        self.issuer_der = sequences[1].whole
        self.issuer = _name_text(_name_parts(self.issuer_der))
        self.this_update: datetime = self.x509.last_update_utc
        self.next_update: datetime | None = self.x509.next_update_utc
        self.revoked: dict[int, datetime] = {
            entry.serial_number: entry.revocation_date_utc for entry in self.x509 if not _is_removed(entry)
        }

    def is_signed_by(self, issuer: Certificate) -> bool:
        """Whether that CA's key signed this list and the names meet."""
        return self.issuer_der == issuer.subject_der and _is_signed_by(
            issuer,
            self.x509.signature_algorithm_oid.dotted_string,
            self.x509.tbs_certlist_bytes,
            self.x509.signature,
            self.x509,
        )


def _is_removed(entry: Any) -> bool:
    """Whether the entry takes an earlier hold back (removeFromCRL)."""
    from cryptography import x509

    try:
        reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except (x509.ExtensionNotFound, ValueError):
        return False
    return reason is x509.ReasonFlags.remove_from_crl


def read_crl(der: bytes) -> RevocationList:
    """The revocation list of these DER bytes. Raises ValueError when they are none."""
    from cryptography.x509 import InvalidVersion

    try:
        return RevocationList(der)
    except (StopIteration, IndexError, InvalidVersion) as problem:
        raise ValueError("not the structure of a revocation list") from problem
