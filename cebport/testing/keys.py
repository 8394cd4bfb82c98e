"""Test cards from a seed (测试证书): RSA and SM2 keys, their certificates, a test CA and its lists.

The same seed gives the same keys, certificates and signatures on every machine, so generated traffic
can be compared byte by byte and no private key need be kept anywhere. FOR TESTS ONLY: whoever knows the
seed knows the keys.

>>> from datetime import datetime, UTC
>>> span = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC))
>>> card = make_card("sm2", "3302000TE5", "示例报关有限公司", seed=7, valid=span)
>>> card.algorithm, len(card.key_name), len(card.sign(b"text"))
('sm2-sm3', 16, 64)
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cebport.messages import sm2
from cebport.messages.certificates import EPORT_ARC, Certificate, pem_of, read_certificate
from cebport.messages.keys import RsaSigner, Sm2Signer

Span = tuple[datetime, datetime]
"""From when to when a certificate is valid, zones included."""

RSA_BITS = 2048
RSA_EXPONENT = 65537
_SMALL_PRIMES = [n for n in range(3, 4000) if all(n % k for k in range(2, int(n**0.5) + 1))]
_ROUNDS = 24

_OID_RSA = "1.2.840.113549.1.1.1"
_OID_RSA_SHA256 = "1.2.840.113549.1.1.11"
_OID_BASIC_CONSTRAINTS = "2.5.29.19"
_OID_KEY_USAGE = "2.5.29.15"
_OID_COMPANY = EPORT_ARC + ".5.1"
_OID_CARD = EPORT_ARC + ".5.6"
"""Company name and card number, where the cards of the field have them."""
_USAGE_SIGN = b"\x03\x02\x06\xc0"
_USAGE_ISSUE = b"\x03\x02\x01\x06"
_YEAR_OF_LONG_TIMES = 2050


# ── keys from a seed ────────────────────────────────────────────────────────────────────────────────


def _is_prime(number: int) -> bool:
    """Trial division, then Miller-Rabin: libcrypto's, else our own with bases drawn from the number."""
    if any(number % prime == 0 for prime in _SMALL_PRIMES):
        return number in _SMALL_PRIMES
    backend = sm2.backend()
    if isinstance(backend, sm2.Libcrypto):
        return backend.is_prime(number)
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    draw = random.Random(number)
    for _ in range(_ROUNDS):
        power = pow(draw.randrange(2, number - 1), odd, number)
        if power in (1, number - 1):
            continue
        for _ in range(twos - 1):
            power = power * power % number
            if power == number - 1:
                break
        else:
            return False
    return True


def _prime(draw: random.Random, bits: int) -> int:
    """The first prime at or after a drawn number with its two highest bits set."""
    number = draw.getrandbits(bits) | 3 << bits - 2 | 1
    while number % RSA_EXPONENT == 1 or not _is_prime(number):
        number += 2
    return number


def rsa_key(seed: object, bits: int = RSA_BITS) -> Any:
    """The RSA private key of a seed (some 50 ms): cryptography's RSAPrivateKey."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    draw = random.Random(f"cebport rsa {bits} {seed}")
    p, q = _prime(draw, bits // 2), _prime(draw, bits // 2)
    if p < q:
        p, q = q, p
    d = pow(RSA_EXPONENT, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(RSA_EXPONENT, p * q)
    numbers = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public)
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


def sm2_key(seed: object) -> sm2.PrivateKey:
    """The SM2 private key of a seed."""
    return sm2.PrivateKey.from_entropy(f"cebport test card {seed}".encode())


# ── DER ─────────────────────────────────────────────────────────────────────────────────────────────


def _der(tag: int, *contents: bytes) -> bytes:
    body = b"".join(contents)
    if len(body) < 0x80:
        return bytes((tag, len(body))) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(size))) + size + body


def _sequence(*contents: bytes) -> bytes:
    return _der(0x30, *contents)


def _integer(number: int) -> bytes:
    return _der(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _oid(dotted: str) -> bytes:
    first, second, *arcs = map(int, dotted.split("."))
    octets: list[int] = []
    for arc in (first * 40 + second, *arcs):
        septets = [arc & 0x7F]
        while arc := arc >> 7:
            septets.append(arc & 0x7F | 0x80)
        octets += reversed(septets)
    return _der(6, bytes(octets))


def _bits(content: bytes) -> bytes:
    return _der(3, b"\0", content)


def _text(text: str) -> bytes:
    return _der(0x0C, text.encode())


def _time(moment: datetime) -> bytes:
    utc = moment.astimezone(UTC)
    if utc.year < _YEAR_OF_LONG_TIMES:
        return _der(0x17, utc.strftime("%y%m%d%H%M%SZ").encode())
    return _der(0x18, utc.strftime("%Y%m%d%H%M%SZ").encode())


def _name(company: str, unit: str) -> bytes:
    """C=CN, O=China E-Port test, OU=unit, CN=company."""
    pairs = [("2.5.4.6", _der(0x13, b"CN")), ("2.5.4.10", _text("China E-Port TEST"))]
    if unit:
        pairs.append(("2.5.4.11", _text(unit)))
    pairs.append(("2.5.4.3", _text(company)))
    return _sequence(*(_der(0x31, _sequence(_oid(kind), value)) for kind, value in pairs))


def _extension(oid: str, value: bytes, *, critical: bool = False) -> bytes:
    return _sequence(_oid(oid), b"\1\1\xff" if critical else b"", _der(4, value))


# ── cards and their issuer ──────────────────────────────────────────────────────────────────────────


class _Key:
    """An RSA or SM2 private key as certificates need it: its SPKI, its signature over a body."""

    def __init__(self, kind: str, seed: object) -> None:
        from cryptography.hazmat.primitives import serialization

        if kind not in ("rsa", "sm2"):
            raise ValueError(f"a test card is rsa or sm2, not {kind}")
        self.kind = kind
        if kind == "sm2":
            self.private: Any = sm2_key(seed)
            self.spki = sm2.spki_of(self.private.public)
            self.method = _sequence(_oid(sm2.OID_SIGNATURE))
            self.pkcs8: bytes = self.private.pkcs8()
        else:
            self.private = rsa_key(seed)
            encoding, public = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            self.spki = self.private.public_key().public_bytes(encoding, public)
            self.method = _sequence(_oid(_OID_RSA_SHA256), b"\5\0")
            self.pkcs8 = self.private.private_bytes(
                encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )

    def seal(self, body: bytes) -> bytes:
        """The DER of SEQUENCE(body, method, signature): a certificate or a list."""
        if self.kind == "sm2":
            signature = sm2.to_der(self.private.sign_derived(body))
        else:
            from cryptography.hazmat.primitives import hashes
            from cryptography.hazmat.primitives.asymmetric import padding

            signature = self.private.sign(body, padding.PKCS1v15(), hashes.SHA256())
        return _sequence(body, self.method, _bits(signature))


def _serial(kind: str, seed: object) -> int:
    """A serial as long as the real cards have: 4 bytes (RSA) or 8 bytes from 03 00 on (SM2)."""
    drawn = int.from_bytes(hashlib.sha256(f"serial {kind} {seed}".encode()).digest()[:6], "big")
    return 3 << 56 | drawn if kind == "sm2" else 1 << 24 | drawn % (1 << 24)


def _certificate(
    key: _Key,
    subject: bytes,
    issuer: bytes,
    issuer_key: _Key,
    serial: int,
    valid: Span,
    extensions: list[bytes],
) -> Certificate:
    body = _sequence(
        _der(0xA0, _integer(2)),
        _integer(serial),
        issuer_key.method,
        issuer,
        _sequence(*map(_time, valid)),
        subject,
        key.spki,
        _der(0xA3, _sequence(*extensions)),
    )
    return read_certificate(issuer_key.seal(body))


class TestCard:
    """A company's card: a Signer, with the company, its declarant code and its files."""

    __test__ = False  # it is no test case, whatever its name

    def __init__(self, key: _Key, certificate: Certificate, declarant: str, company: str) -> None:
        self.kind = key.kind
        self.declarant = declarant
        self.company = company
        self.certificate = certificate.der
        self.key_name = certificate.serial_hex
        self.serial = certificate.serial
        self._key = key
        self._rsa = RsaSigner(key.private, certificate) if key.kind == "rsa" else None
        self._sm2 = Sm2Signer(key.private, certificate) if key.kind == "sm2" else None
        self.algorithm = (self._rsa or self._sm2).algorithm  # type: ignore[union-attr]

    def sign(self, data: bytes, algorithm: str | None = None) -> bytes:
        """As a real card signs, but the same data always gets the same signature."""
        if self._rsa is not None:
            return self._rsa.sign(data, algorithm)
        return self._key.private.sign_derived(data)

    def key_pem(self) -> bytes:
        """The private key as PKCS#8 PEM, unencrypted."""
        return pem_of("PRIVATE KEY", self._key.pkcs8)

    def certificate_pem(self) -> bytes:
        """The certificate as PEM."""
        return pem_of("CERTIFICATE", self.certificate)


class TestCA:
    """A CA that issues cards of either kind and revokes them. Its own key is of ``kind``."""

    __test__ = False

    def __init__(self, kind: str, *, seed: object, valid: Span, name: str = "China E-Port TEST CA") -> None:
        self._key = _Key(kind, f"ca {seed}")
        self._name = _name(name, kind.upper())
        self._valid = valid
        constraints = _extension(_OID_BASIC_CONSTRAINTS, _sequence(b"\1\1\xff"), critical=True)
        usage = _extension(_OID_KEY_USAGE, _USAGE_ISSUE, critical=True)
        certificate = _certificate(
            self._key,
            self._name,
            self._name,
            self._key,
            _serial(kind, f"ca {seed}"),
            valid,
            [constraints, usage],
        )
        self.certificate = certificate.der

    def issue(self, kind: str, declarant: str, company: str, *, seed: object, valid: Span | None = None) -> TestCard:
        """A card signed by this CA; valid as long as the CA unless told otherwise."""
        return _card(kind, declarant, company, seed, valid or self._valid, self._name, self._key)

    def crl(self, revoked: Mapping[int, datetime], *, this_update: datetime, next_update: datetime) -> bytes:
        """The DER of a revocation list: serial -> since when."""
        rows = [_sequence(_integer(serial), _time(since)) for serial, since in sorted(revoked.items())]
        body = _sequence(
            _integer(1),
            self._key.method,
            self._name,
            _time(this_update),
            _time(next_update),
            _sequence(*rows) if rows else b"",
        )
        return self._key.seal(body)

    def certificate_pem(self) -> bytes:
        """The CA's certificate as PEM."""
        return pem_of("CERTIFICATE", self.certificate)


def _card(
    kind: str,
    declarant: str,
    company: str,
    seed: object,
    valid: Span,
    issuer: bytes | None,
    issuer_key: _Key | None,
) -> TestCard:
    key = _Key(kind, f"{seed} {declarant}")
    subject = _name(company, declarant)
    serial = _serial(kind, f"{seed} {declarant}")
    extensions = [
        _extension(_OID_BASIC_CONSTRAINTS, _sequence(), critical=True),
        _extension(_OID_KEY_USAGE, _USAGE_SIGN, critical=True),
        _extension(_OID_COMPANY, _text(company)),
        _extension(_OID_CARD, _text(f"TEST{serial % 10**8:08d}")),
    ]
    certificate = _certificate(key, subject, issuer or subject, issuer_key or key, serial, valid, extensions)
    return TestCard(key, certificate, declarant, company)


def make_card(kind: str, declarant: str, company: str, *, seed: object, valid: Span) -> TestCard:
    """A self-signed card ("rsa" or "sm2") of a company: the same arguments give the same card."""
    return _card(kind, declarant, company, seed, valid, None, None)
