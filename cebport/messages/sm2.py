"""SM2 signatures and the SM3 digest (国密签名): a small door to libcrypto 3, gmssl where it lacks SM2.

The package cryptography has no SM2, so this module binds the few functions of libcrypto that are
needed; they release the GIL. A signature is raw ``r || s`` (64 bytes), a public key raw ``x || y``
(64 bytes, no leading 04), the user id is the one that the whole field uses. What is signed is
``e = SM3(Z_A || M)``: Z binds the user id, the curve and the public key.

No randomness is taken here: a key is made from entropy that the caller hands in, and libcrypto draws
its own nonce when it signs. ``sign_derived`` computes the nonce from key and text instead (as RFC 6979
does), so that test traffic is the same from the same seed; gmssl signs only that way.

>>> key = PrivateKey.from_entropy(b"the same entropy gives the same key")
>>> PublicKey.of(key.public).verify(b"text", key.sign(b"text"))
True
"""

from __future__ import annotations

import ctypes
import hashlib
import hmac
import warnings
from functools import lru_cache
from typing import Any

USER_ID = b"1234567812345678"
"""默认用户标识: every client of the field signs with it."""

P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
G = bytes.fromhex(
    "32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7"
    "bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0"
)
SIGNATURE_BYTES = 64
PUBLIC_BYTES = 64
KEYS_CACHED_MAX = 4096

OID_PUBLIC_KEY = "1.2.840.10045.2.1"
OID_CURVE = "1.2.156.10197.1.301"
OID_SIGNATURE = "1.2.156.10197.1.501"

SPKI_PREFIX = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d03420004")
"""The DER of a SubjectPublicKeyInfo on this curve up to and with the 04 of the uncompressed point."""
_PKCS8_HEAD = bytes.fromhex("308187020100301306072a8648ce3d020106082a811ccf5501822d046d306b0201010420")
_PKCS8_MIDDLE = bytes.fromhex("a14403420004")
_NID_SM2 = 1172
_UNCOMPRESSED = 4
_LIBRARIES = ("libcrypto.so.3", "libcrypto.3.dylib", "libcrypto-3-x64.dll")


# ── SM3 ─────────────────────────────────────────────────────────────────────────────────────────────

HAS_SM3 = "sm3" in hashlib.algorithms_available


def sm3(*parts: bytes) -> bytes:
    """The SM3 digest (32 bytes) of the parts one after another."""
    if HAS_SM3:
        state = hashlib.new("sm3")
        for part in parts:
            state.update(part)
        return state.digest()
    from gmssl import sm3 as pure

    return bytes.fromhex(pure.sm3_hash(list(b"".join(parts))))


@lru_cache(KEYS_CACHED_MAX)
def z_value(public: bytes, user_id: bytes = USER_ID) -> bytes:
    """Z_A = SM3(ENTL || ID || a || b || G || public key): what every signature of this key binds."""
    return sm3(
        (len(user_id) * 8).to_bytes(2, "big"),
        user_id,
        A.to_bytes(32, "big") + B.to_bytes(32, "big") + G,
        public,
    )


def is_on_curve(public: bytes) -> bool:
    """Whether 64 bytes are a point of the curve: y² = x³ + ax + b mod p."""
    if len(public) != PUBLIC_BYTES:
        return False
    x, y = int.from_bytes(public[:32], "big"), int.from_bytes(public[32:], "big")
    return x < P and y < P and (y * y - (x * x * x + A * x + B)) % P == 0


# ── raw r || s and its DER form ─────────────────────────────────────────────────────────────────────


def _der_integer(raw: bytes) -> bytes:
    body = raw.lstrip(b"\0") or b"\0"
    if body[0] & 0x80:
        body = b"\0" + body
    return bytes((2, len(body))) + body


def to_der(signature: bytes) -> bytes:
    """Raw r || s as the DER SEQUENCE of two INTEGERs that libcrypto and certificates use."""
    body = _der_integer(signature[:32]) + _der_integer(signature[32:])
    return bytes((0x30, len(body))) + body


def from_der(der: bytes) -> bytes | None:
    """The raw r || s of a DER signature; None when the bytes are no such thing."""
    if len(der) < 8 or der[0] != 0x30 or der[1] != len(der) - 2:
        return None
    numbers, at = [], 2
    for _ in range(2):
        if at + 2 > len(der) or der[at] != 2:
            return None
        end = at + 2 + der[at + 1]
        number = int.from_bytes(der[at + 2 : end], "big")
        if end > len(der) or number >> 256:
            return None
        numbers.append(number)
        at = end
    return None if at != len(der) else b"".join(number.to_bytes(32, "big") for number in numbers)


def _in_range(signature: bytes) -> bool:
    if len(signature) != SIGNATURE_BYTES:
        return False
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    return 0 < r < N and 0 < s < N and (r + s) % N != 0


# ── the two backends ────────────────────────────────────────────────────────────────────────────────


class Libcrypto:
    """The functions of libcrypto 3 that SM2 needs. Raises OSError when the library is not there."""

    name = "libcrypto"

    def __init__(self) -> None:
        lib = self._open()
        pointer, size, integer = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
        text = ctypes.c_char_p
        signatures: dict[str, tuple[Any, list[Any]]] = {
            "d2i_PUBKEY": (pointer, [pointer, ctypes.POINTER(pointer), ctypes.c_long]),
            "d2i_AutoPrivateKey": (pointer, [pointer, ctypes.POINTER(pointer), ctypes.c_long]),
            "EVP_PKEY_free": (None, [pointer]),
            "EVP_PKEY_CTX_new": (pointer, [pointer, pointer]),
            "EVP_PKEY_CTX_free": (None, [pointer]),
            "EVP_PKEY_verify_init": (integer, [pointer]),
            "EVP_PKEY_verify": (integer, [pointer, text, size, text, size]),
            "EVP_PKEY_sign_init": (integer, [pointer]),
            "EVP_PKEY_sign": (integer, [pointer, pointer, ctypes.POINTER(size), text, size]),
            "EC_GROUP_new_by_curve_name": (pointer, [integer]),
            "EC_POINT_new": (pointer, [pointer]),
            "EC_POINT_clear_free": (None, [pointer]),
            "EC_POINT_mul": (integer, [pointer] * 6),
            "EC_POINT_point2oct": (size, [pointer, pointer, integer, pointer, size, pointer]),
            "BN_bin2bn": (pointer, [text, integer, pointer]),
            "BN_clear_free": (None, [pointer]),
            "BN_check_prime": (integer, [pointer, pointer, pointer]),
            "ERR_clear_error": (None, []),
        }
        for function, (result, arguments) in signatures.items():
            entry = getattr(lib, function)
            entry.restype, entry.argtypes = result, arguments
        self.lib = lib
        self.group = lib.EC_GROUP_new_by_curve_name(_NID_SM2)
        if not self.group:
            raise OSError("this libcrypto was built without SM2")

    @staticmethod
    def _open() -> ctypes.CDLL:
        for name in _LIBRARIES:
            try:
                return ctypes.CDLL(name)
            except OSError:
                continue
        from ctypes.util import find_library

        found = find_library("crypto")
        if not found:
            raise OSError("libcrypto 3 is not installed")
        return ctypes.CDLL(found)

    def _key(self, der: bytes, *, private: bool) -> int:
        buffer = ctypes.create_string_buffer(der, len(der))
        cursor = ctypes.c_void_p(ctypes.addressof(buffer))
        reader = self.lib.d2i_AutoPrivateKey if private else self.lib.d2i_PUBKEY
        key = reader(None, ctypes.byref(cursor), len(der))
        self.lib.ERR_clear_error()
        if not key:
            raise ValueError("libcrypto does not take this SM2 key")
        return key

    def public_key(self, public: bytes) -> int:
        """An EVP_PKEY of 64 bytes x || y."""
        return self._key(SPKI_PREFIX + public, private=False)

    def private_key(self, scalar: int, public: bytes) -> int:
        """An EVP_PKEY of the private scalar and its public point."""
        return self._key(pkcs8_of(scalar, public), private=True)

    def free(self, key: int) -> None:
        """Give an EVP_PKEY back."""
        self.lib.EVP_PKEY_free(key)

    def verify(self, key: int, _public: bytes, e: bytes, signature: bytes) -> bool:
        """Whether ``signature`` (raw) is right for the 32 bytes ``e``."""
        lib = self.lib
        context = lib.EVP_PKEY_CTX_new(key, None)
        try:
            if lib.EVP_PKEY_verify_init(context) != 1:
                raise OSError("libcrypto refuses to verify with SM2")
            der = to_der(signature)
            good = lib.EVP_PKEY_verify(context, der, len(der), e, len(e)) == 1
        finally:
            lib.EVP_PKEY_CTX_free(context)
        if not good:
            lib.ERR_clear_error()
        return good

    def sign(self, key: int, e: bytes) -> bytes:
        """The raw signature of the 32 bytes ``e``, nonce drawn by libcrypto."""
        lib = self.lib
        context = lib.EVP_PKEY_CTX_new(key, None)
        out, length = ctypes.create_string_buffer(128), ctypes.c_size_t(128)
        try:
            if (
                lib.EVP_PKEY_sign_init(context) != 1
                or lib.EVP_PKEY_sign(context, out, ctypes.byref(length), e, len(e)) != 1
            ):
                raise OSError("libcrypto refuses to sign with SM2")
        finally:
            lib.EVP_PKEY_CTX_free(context)
        raw = from_der(out.raw[: length.value])
        assert raw is not None, "libcrypto writes DER signatures"
        return raw

    def multiply_g(self, scalar: int) -> bytes:
        """scalar x G as 64 bytes x || y."""
        lib, out = self.lib, ctypes.create_string_buffer(65)
        number = lib.BN_bin2bn(scalar.to_bytes(32, "big"), 32, None)
        point = lib.EC_POINT_new(self.group)
        try:
            if lib.EC_POINT_mul(self.group, point, number, None, None, None) != 1:
                raise ValueError("libcrypto cannot multiply on the curve")
            size = lib.EC_POINT_point2oct(self.group, point, _UNCOMPRESSED, out, 65, None)
        finally:
            lib.EC_POINT_clear_free(point)
            lib.BN_clear_free(number)
        if size != 65:
            raise ValueError("the scalar gives the point at infinity")
        return out.raw[1:]

    def is_prime(self, number: int) -> bool:
        """Miller-Rabin by libcrypto, which is ten times as quick as Python's own pow."""
        body = number.to_bytes((number.bit_length() + 7) // 8, "big")
        big = self.lib.BN_bin2bn(body, len(body), None)
        try:
            return self.lib.BN_check_prime(big, None, None) == 1
        finally:
            self.lib.BN_clear_free(big)


class Gmssl:
    """The same by the pure Python package gmssl: right, but some forty times slower."""

    name = "gmssl"

    def __init__(self) -> None:
        from gmssl import sm2 as pure

        self._curve = pure.CryptSM2("", "")

    def public_key(self, public: bytes) -> Any:
        """gmssl's object for a public key. Set afterwards: its constructor strips digits 0 and 4."""
        from gmssl import sm2 as pure

        key = pure.CryptSM2("", "")
        key.public_key = public.hex()
        return key

    def private_key(self, scalar: int, public: bytes) -> Any:
        """gmssl's object for a key pair."""
        key = self.public_key(public)
        key.private_key = f"{scalar:064x}"
        return key

    def free(self, key: Any) -> None:
        """Nothing to give back."""

    def verify(self, key: Any, _public: bytes, e: bytes, signature: bytes) -> bool:
        """Whether ``signature`` (raw) is right for the 32 bytes ``e``."""
        try:
            return bool(key.verify(signature.hex(), e))
        except (TypeError, ValueError):  # its arithmetic has no point at infinity
            return False

    def sign(self, key: Any, e: bytes) -> bytes:
        """The raw signature of ``e`` with the derived nonce: gmssl's own nonces are not secret."""
        return _sign_with_nonces(self, int(key.private_key, 16), e)

    def multiply_g(self, scalar: int) -> bytes:
        """scalar x G as 64 bytes x || y."""
        return bytes.fromhex(self._curve._kg(scalar, G.hex()))


@lru_cache(1)
def backend() -> Libcrypto | Gmssl:
    """libcrypto when it has SM2 and passes a trial, else gmssl with a warning."""
    try:
        found = Libcrypto()
        if found.multiply_g(1) != G:
            raise OSError("this libcrypto multiplies wrongly on the SM2 curve")
        return found
    except (OSError, AttributeError) as problem:
        warnings.warn(
            f"SM2 runs in pure Python, some forty times slower ({problem}); install OpenSSL 3 with SM2",
            RuntimeWarning,
            stacklevel=2,
        )
        return Gmssl()


# ── keys ────────────────────────────────────────────────────────────────────────────────────────────


class PublicKey:
    """An SM2 public key; make it with ``PublicKey.of``, which keeps it for the next message."""

    __slots__ = ("_backend", "_key", "raw")

    def __init__(self, raw: bytes) -> None:
        if not is_on_curve(raw):
            raise ValueError("these 64 bytes are no point of the SM2 curve")
        self._backend = backend()
        self._key = self._backend.public_key(raw)
        self.raw = raw

    def __del__(self) -> None:
        if hasattr(self, "raw"):
            self._backend.free(self._key)

    @staticmethod
    @lru_cache(KEYS_CACHED_MAX)
    def of(raw: bytes) -> PublicKey:
        """The key of 64 bytes x || y, cached. Raises ValueError when they are no point of the curve."""
        return PublicKey(raw)

    def verify_hash(self, e: bytes, signature: bytes) -> bool:
        """Whether raw r || s is right for the 32 bytes e, whatever e was made of."""
        return _in_range(signature) and self._backend.verify(self._key, self.raw, e, signature)

    def verify(self, data: bytes, signature: bytes, user_id: bytes = USER_ID) -> bool:
        """Whether raw r || s (64 bytes) is this key's signature of the data."""
        return self.verify_hash(sm3(z_value(self.raw, user_id), data), signature)


class PrivateKey:
    """An SM2 private key: a scalar 1..n-2 with its public point. Raises ValueError for another scalar."""

    __slots__ = ("_backend", "_key", "public", "scalar")

    def __init__(self, scalar: int) -> None:
        if not 0 < scalar < N - 1:
            raise ValueError("an SM2 private key is a number from 1 to n-2")
        self._backend = backend()
        self.scalar = scalar
        self.public = self._backend.multiply_g(scalar)
        self._key = self._backend.private_key(scalar, self.public)

    def __del__(self) -> None:
        if hasattr(self, "_key"):
            self._backend.free(self._key)

    @classmethod
    def from_entropy(cls, entropy: bytes) -> PrivateKey:
        """A key made from the caller's entropy (for a real key at least 32 random bytes)."""
        wide = hashlib.sha512(b"cebport sm2 key\0" + entropy).digest()
        return cls(int.from_bytes(wide, "big") % (N - 2) + 1)

    def sign(self, data: bytes, user_id: bytes = USER_ID) -> bytes:
        """Raw r || s over SM3(Z_A || data)."""
        return self._backend.sign(self._key, sm3(z_value(self.public, user_id), data))

    def sign_derived(self, data: bytes, user_id: bytes = USER_ID) -> bytes:
        """As ``sign``, the nonce derived from key and data: the same text gives the same signature."""
        return _sign_with_nonces(self._backend, self.scalar, sm3(z_value(self.public, user_id), data))

    def pkcs8(self) -> bytes:
        """The unencrypted PKCS#8 DER of the key."""
        return pkcs8_of(self.scalar, self.public)


def spki_of(public: bytes) -> bytes:
    """The SubjectPublicKeyInfo DER of 64 bytes x || y."""
    return SPKI_PREFIX + public


def pkcs8_of(scalar: int, public: bytes) -> bytes:
    """The PKCS#8 DER of a key pair."""
    return _PKCS8_HEAD + scalar.to_bytes(32, "big") + _PKCS8_MIDDLE + public


def _nonces(scalar: int, e: bytes) -> Any:
    """Nonces 1..n-1 that nobody without the key can foresee: RFC 6979 with HMAC-SHA-256."""
    secret = scalar.to_bytes(32, "big") + (int.from_bytes(e, "big") % N).to_bytes(32, "big")
    key, value = b"\0" * 32, b"\1" * 32
    for separator in (b"\0", b"\1"):
        key = hmac.digest(key, value + separator + secret, "sha256")
        value = hmac.digest(key, value, "sha256")
    while True:
        value = hmac.digest(key, value, "sha256")
        nonce = int.from_bytes(value, "big")
        if 0 < nonce < N:
            yield nonce
        key = hmac.digest(key, value + b"\0", "sha256")
        value = hmac.digest(key, value, "sha256")


def _sign_with_nonces(curve: Libcrypto | Gmssl, scalar: int, e: bytes) -> bytes:
    """r = e + x1, s = (k - r d) / (1 + d), with the first derived nonce that gives a valid pair."""
    number = int.from_bytes(e, "big")
    inverse = pow(1 + scalar, -1, N)
    for nonce in _nonces(scalar, e):
        r = (number + int.from_bytes(curve.multiply_g(nonce)[:32], "big")) % N
        s = inverse * (nonce - r * scalar) % N
        if r and s and r + nonce != N:
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    raise AssertionError("the nonces never end")
