"""Keys that sign (签名密钥): software keys and the PKCS#11 door, RSA and SM2, behind one interface.

``load_signer`` takes PEM, DER, PKCS#8 (encrypted too) and PKCS#12 files. cryptography reads RSA keys;
libcrypto reads SM2 keys, because cryptography does not know the curve. ``Pkcs11Signer`` keeps the key in
a card or HSM and asks it for each signature (RSA; makers of SM2 cards number their mechanisms each in
their own way, so SM2 is signed in software). A key whose certificate is another one's is refused when it
is loaded: that is the mistake that nobody finds later.

Every loading problem raises SettingsError.
"""

from __future__ import annotations

import ctypes
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cebport.faults import SettingsError
from cebport.messages import sm2
from cebport.messages.certificates import Certificate, der_values, read_certificate, read_pem, sign_fault
from cebport.messages.xmldsig import METHOD_BY_NAME

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

DEFAULT_ALGORITHM = {"rsa": "rsa-sha1", "sm2": "sm2-sm3"}
"""What a card signs with when nobody says: the two rows that the message text names."""
NO_CERTIFICATE = "里面没有证书 / no certificate in it"


class Signer(Protocol):
    """Something that signs with one card's key.

    algorithm: the default, a name of xmldsig.METHODS. key_name: the certificate's serial in hex.
    certificate: its DER. ``sign`` gives the signature of the data (RSA: PKCS#1 v1.5; SM2: raw r || s).
    """

    @property
    def algorithm(self) -> str:
        """The method it signs with unless told otherwise."""
        ...

    @property
    def key_name(self) -> str:
        """The serial of its certificate, in hex."""
        ...

    @property
    def certificate(self) -> bytes:
        """The DER of its certificate."""
        ...

    def sign(self, data: bytes, algorithm: str | None = None) -> bytes:
        """The signature of the data, by another method of the same key where one is named."""
        ...


class _Card:
    """What every signer knows of its certificate."""

    def __init__(self, certificate: Certificate, algorithm: str | None) -> None:
        kind = certificate.algorithm
        chosen = algorithm or DEFAULT_ALGORITHM.get(kind, "")
        if chosen not in METHOD_BY_NAME or METHOD_BY_NAME[chosen].key != kind:
            raise SettingsError(sign_fault("CEB-SIGN-062", found=kind, expected=chosen or "-"))
        self.algorithm = chosen
        self.certificate = certificate.der
        self.key_name = certificate.serial_hex
        self.subject = certificate.subject

    def _hash_of(self, algorithm: str | None) -> str:
        """The hash to sign with. Raises SettingsError for a method of another kind of key."""
        name = algorithm or self.algorithm
        method = METHOD_BY_NAME.get(name)
        if method is None or method.key != METHOD_BY_NAME[self.algorithm].key:
            raise SettingsError(sign_fault("CEB-SIGN-062", found=self.algorithm, expected=name))
        return method.signature_hash


class RsaSigner(_Card):
    """An RSA key in memory."""

    def __init__(self, key: RSAPrivateKey, certificate: Certificate, algorithm: str | None = None) -> None:
        if not _belongs(key, certificate):
            raise SettingsError(sign_fault("CEB-SIGN-067", found=certificate.subject))
        super().__init__(certificate, algorithm)
        self._key = key

    def sign(self, data: bytes, algorithm: str | None = None) -> bytes:
        """PKCS#1 v1.5 over the data."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        chosen = hashes.SHA1() if self._hash_of(algorithm) == "sha1" else hashes.SHA256()
        return self._key.sign(data, padding.PKCS1v15(), chosen)


class Sm2Signer(_Card):
    """An SM2 key in memory."""

    def __init__(self, key: sm2.PrivateKey, certificate: Certificate, algorithm: str | None = None) -> None:
        if not _belongs(key, certificate):
            raise SettingsError(sign_fault("CEB-SIGN-067", found=certificate.subject))
        super().__init__(certificate, algorithm)
        self._key = key

    def sign(self, data: bytes, algorithm: str | None = None) -> bytes:
        """Raw r || s over SM3(Z || data)."""
        self._hash_of(algorithm)
        return self._key.sign(data)


class Pkcs11Signer(_Card):
    """An RSA key that stays in a token (智能卡、加密机): each signature is asked of it.

    Open it with ``open``. One session, one signature at a time: tokens are no faster otherwise.
    """

    def __init__(self, session: Any, key: Any, certificate: Certificate, algorithm: str | None) -> None:
        super().__init__(certificate, algorithm)
        self._session = session
        self._key = key
        self._lock = threading.Lock()

    @classmethod
    def open(
        cls,
        library: str | Path,
        *,
        token: str,
        pin: str,
        label: str | None = None,
        key_id: bytes | None = None,
        certificate: bytes | None = None,
        algorithm: str | None = None,
    ) -> Pkcs11Signer:
        """The key named ``label`` or ``key_id`` in a token; its certificate from the token if not given.

        library: the maker's PKCS#11 module. certificate: DER or PEM. Raises SettingsError.
        """
        import pkcs11

        where = f"pkcs11:token={token};object={label or (key_id or b'').hex()}"
        names = {
            name: value
            for name, value in ((pkcs11.Attribute.LABEL, label), (pkcs11.Attribute.ID, key_id))
            if value is not None
        }
        try:
            module = pkcs11.lib(str(library))
        except (pkcs11.PKCS11Error, OSError, RuntimeError) as problem:
            raise SettingsError(sign_fault("CEB-SIGN-075", path=str(library), detail=_told(problem))) from problem
        try:
            session = module.get_token(token_label=token).open(user_pin=pin)
        except (pkcs11.PKCS11Error, OSError, RuntimeError) as problem:
            raise _token_fault(problem, token, where) from problem
        try:
            key = _only(
                session,
                {pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PRIVATE_KEY, **names},
                where,
                "私钥 / private key",
            )
            if certificate is None:
                stored = {pkcs11.Attribute.CLASS: pkcs11.ObjectClass.CERTIFICATE, **names}
                certificate = _only(session, stored, where, "证书 / certificate")[pkcs11.Attribute.VALUE]
            card = cls(session, key, _one_certificate(certificate, where), algorithm)
            card._prove()
        except pkcs11.PKCS11Error as problem:
            session.close()
            raise _unreadable(where, _told(problem)) from problem
        except SettingsError:
            session.close()
            raise
        return card

    def _prove(self) -> None:
        """Sign a line and verify it: the certificate must be this key's."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        line = b"cebport: is this the certificate of this key?"
        key, value = read_certificate(self.certificate).rsa_key, self.sign(line, "rsa-sha256")
        try:
            key.verify(value, line, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            raise SettingsError(sign_fault("CEB-SIGN-067", found=self.subject)) from None

    def sign(self, data: bytes, algorithm: str | None = None) -> bytes:
        """PKCS#1 v1.5 over the data, made in the token."""
        import pkcs11

        sha1 = self._hash_of(algorithm) == "sha1"
        mechanism = pkcs11.Mechanism.SHA1_RSA_PKCS if sha1 else pkcs11.Mechanism.SHA256_RSA_PKCS
        with self._lock:
            return bytes(self._key.sign(data, mechanism=mechanism))

    def close(self) -> None:
        """End the session with the token."""
        self._session.close()

    def __enter__(self) -> Pkcs11Signer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _only(session: Any, attributes: dict[Any, Any], where: str, what: str) -> Any:
    found = list(session.get_objects(attributes))
    if len(found) != 1:
        raise SettingsError(sign_fault("CEB-SIGN-074", path=where, found=len(found), expected=1, what=what))
    return found[0]


def _told(problem: Exception) -> str:
    """What an exception says, else its name: those of PKCS#11 say nothing."""
    return str(problem) or type(problem).__name__


def _token_fault(problem: Exception, token: str, where: str) -> SettingsError:
    """Why a token did not open: its PIN, or its name."""
    import pkcs11

    wrong_pin = (pkcs11.exceptions.PinIncorrect, pkcs11.exceptions.PinInvalid, pkcs11.exceptions.PinLenRange)
    locked = (pkcs11.exceptions.PinLocked, pkcs11.exceptions.PinExpired)
    if isinstance(problem, (*wrong_pin, *locked)):
        code = "CEB-SIGN-072" if isinstance(problem, locked) else "CEB-SIGN-071"
        return SettingsError(sign_fault(code, path=where, detail=_told(problem)))
    if isinstance(problem, pkcs11.NoSuchToken | pkcs11.MultipleTokensReturned):
        return SettingsError(sign_fault("CEB-SIGN-073", path=where, found=token))
    return _unreadable(where, _told(problem))


# ── software keys from files ────────────────────────────────────────────────────────────────────────


def load_signer(
    key: bytes | str | Path,
    certificate: bytes | str | Path | None = None,
    *,
    password: str | None = None,
    algorithm: str | None = None,
) -> RsaSigner | Sm2Signer:
    """The signer of a key file (PEM, DER, PKCS#8, PKCS#12) or its bytes, and its certificate.

    The certificate may stand in the same PEM or PKCS#12; of several, the key's own is taken. Raises
    SettingsError: unreadable, wrong password, no certificate, or not the key's certificate.
    """
    where = "(bytes)" if isinstance(key, bytes) else str(key)
    data = _content(key, where)
    secret = None if password is None else password.encode()
    private, certificates = _read_key(data, secret, where)
    if certificate is not None:
        beside = "(bytes)" if isinstance(certificate, bytes) else str(certificate)
        certificates = _certificates_in(_content(certificate, beside), beside)
        if not certificates:
            raise _unreadable(beside, NO_CERTIFICATE)
    if not certificates:
        raise SettingsError(sign_fault("CEB-SIGN-069", path=where))
    own = next((found for found in certificates if _belongs(private, found)), certificates[0])
    if isinstance(private, sm2.PrivateKey):
        return Sm2Signer(private, own, algorithm)
    return RsaSigner(private, own, algorithm)


def _belongs(private: Any, certificate: Certificate) -> bool:
    if isinstance(private, sm2.PrivateKey):
        return private.public == certificate.sm2_key
    return (
        certificate.algorithm == "rsa" and certificate.rsa_key.public_numbers() == private.public_key().public_numbers()
    )


def _unreadable(where: str, reason: object) -> SettingsError:
    return SettingsError(sign_fault("CEB-SIGN-066", path=where, found=reason))


def _content(source: bytes | str | Path, where: str) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        return Path(source).read_bytes()
    except OSError as problem:
        raise _unreadable(where, f"打不开 / cannot be opened ({problem.strerror or problem})") from problem


def _certificates_in(data: bytes, where: str) -> list[Certificate]:
    try:
        if b"-----BEGIN" not in data:
            return [read_certificate(data)]
        return [read_certificate(block.der) for block in read_pem(data) if "CERTIFICATE" in block.label]
    except ValueError as problem:
        raise _unreadable(where, f"证书读不出来 / the certificate cannot be read: {problem}") from problem


def _one_certificate(data: bytes, where: str) -> Certificate:
    certificates = _certificates_in(data, where)
    if not certificates:
        raise _unreadable(where, NO_CERTIFICATE)
    return certificates[0]


def _read_key(data: bytes, secret: bytes | None, where: str) -> tuple[Any, list[Certificate]]:
    """(the private key, the certificates beside it)."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    pem = b"-----BEGIN" in data
    beside = _certificates_in(data, where) if pem else []
    reader = serialization.load_pem_private_key if pem else serialization.load_der_private_key
    sealed = _is_sealed(data, pem=pem)
    plain = None if not sealed else secret  # cryptography refuses a password for a key that has none
    problem: Exception
    try:
        private = reader(data, plain)
        if isinstance(private, RSAPrivateKey):
            return private, beside
        problem = ValueError(f"种类不对 / of another kind ({type(private).__name__})")
    except (ValueError, TypeError, UnsupportedAlgorithm) as other:
        problem = other
    try:
        return _sm2_key(data, secret, pem=pem), beside
    except (ValueError, OSError):
        pass
    if not pem:
        try:
            return _read_pkcs12(data, secret)
        except (ValueError, OSError):
            pass
    if pem and b"PRIVATE KEY" not in data:
        raise _unreadable(where, "里面没有私钥 / no private key in it") from problem
    if sealed:
        raise SettingsError(sign_fault("CEB-SIGN-068", path=where)) from problem
    raise _unreadable(where, problem) from problem


_SEALED_PEM = re.compile(rb"-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED", re.MULTILINE)


def _is_sealed(data: bytes, *, pem: bool) -> bool:
    """Whether the key is under a password: PEM says so, in DER an encrypted PKCS#8 or a PKCS#12 is known by its form.

    A PKCS#12 may do without a password; only when it does not open is it held to have one.
    """
    if pem:
        return _SEALED_PEM.search(data) is not None
    try:
        (outer,) = der_values(data)
        inner = list(der_values(outer.content))
    except ValueError:
        return False
    kinds = [value.tag for value in inner]
    is_pkcs12 = kinds[:2] == [0x02, 0x30] and inner[0].content == b"\3"
    return kinds == [0x30, 0x04] or is_pkcs12


def _read_pkcs12(data: bytes, secret: bytes | None) -> tuple[Any, list[Certificate]]:
    """An RSA PKCS#12 by cryptography, an SM2 one by libcrypto. Raises ValueError or OSError."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

    try:
        private, own, others = pkcs12.load_key_and_certificates(data, secret)
    except (ValueError, UnsupportedAlgorithm):
        scalar, der = _Reader().pkcs12(data, secret)
        return sm2.PrivateKey(scalar), [read_certificate(der)] if der else []
    if private is None:
        raise ValueError("no private key")
    found = [item for item in (own, *others) if item is not None]
    return private, [read_certificate(item.public_bytes(Encoding.DER)) for item in found]


def _sm2_key(data: bytes, secret: bytes | None, *, pem: bool) -> sm2.PrivateKey:
    """An SM2 key in PEM or DER, encrypted or not. Raises ValueError or OSError."""
    reader = _Reader()
    return sm2.PrivateKey(reader.pem(data, secret) if pem else reader.der(data, secret))


class _Reader:
    """libcrypto's readers of private keys. Raises OSError where there is no libcrypto with SM2."""

    def __init__(self) -> None:
        backend = sm2.backend()
        if not isinstance(backend, sm2.Libcrypto):
            raise OSError("SM2 key files need OpenSSL 3 with SM2")
        pointer, text = ctypes.c_void_p, ctypes.c_char_p
        by_reference = ctypes.POINTER(pointer)
        self.lib = backend.lib
        signatures: dict[str, tuple[Any, list[Any]]] = {
            "BIO_new_mem_buf": (pointer, [text, ctypes.c_int]),
            "BIO_free": (ctypes.c_int, [pointer]),
            "PEM_read_bio_PrivateKey": (pointer, [pointer, pointer, pointer, text]),
            "d2i_PrivateKey_bio": (pointer, [pointer, pointer]),
            "d2i_PKCS8PrivateKey_bio": (pointer, [pointer, pointer, pointer, text]),
            "d2i_PKCS12_bio": (pointer, [pointer, pointer]),
            "PKCS12_parse": (ctypes.c_int, [pointer, text, by_reference, by_reference, pointer]),
            "PKCS12_free": (None, [pointer]),
            "EVP_PKEY_get_bn_param": (ctypes.c_int, [pointer, text, by_reference]),
            "EVP_PKEY_get_group_name": (ctypes.c_int, [pointer, text, ctypes.c_size_t, pointer]),
            "BN_bn2binpad": (ctypes.c_int, [pointer, text, ctypes.c_int]),
            "X509_free": (None, [pointer]),
            "i2d_X509": (ctypes.c_int, [pointer, pointer]),
        }
        for function, (result, arguments) in signatures.items():
            entry = getattr(self.lib, function)
            entry.restype, entry.argtypes = result, arguments

    def pem(self, data: bytes, secret: bytes | None) -> int:
        """The scalar of a PEM key. An empty password stands in for none: libcrypto would ask the terminal."""
        return self._scalar(
            self._read(lambda bio: self.lib.PEM_read_bio_PrivateKey(bio, None, None, secret or b""), data)
        )

    def der(self, data: bytes, secret: bytes | None) -> int:
        """The scalar of a DER key, PKCS#8 encrypted or not."""
        key = self._read(lambda bio: self.lib.d2i_PrivateKey_bio(bio, None), data)
        if not key:
            key = self._read(lambda bio: self.lib.d2i_PKCS8PrivateKey_bio(bio, None, None, secret or b""), data)
        return self._scalar(key)

    def pkcs12(self, data: bytes, secret: bytes | None) -> tuple[int, bytes]:
        """(the scalar, the certificate's DER) of a PKCS#12."""
        lib = self.lib
        box = self._read(lambda bio: lib.d2i_PKCS12_bio(bio, None), data)
        if not box:
            raise ValueError("not a PKCS#12")
        key, certificate = ctypes.c_void_p(), ctypes.c_void_p()
        parsed = lib.PKCS12_parse(box, secret or b"", ctypes.byref(key), ctypes.byref(certificate), None)
        lib.PKCS12_free(box)
        lib.ERR_clear_error()
        if parsed != 1:
            raise ValueError("wrong password, or not a PKCS#12")
        der = b""
        if certificate:
            size = lib.i2d_X509(certificate, None)
            room = ctypes.create_string_buffer(size)
            cursor = ctypes.c_void_p(ctypes.addressof(room))
            lib.i2d_X509(certificate, ctypes.byref(cursor))
            lib.X509_free(certificate)
            der = room.raw
        return self._scalar(key.value), der

    def _read(self, read: Any, data: bytes) -> int | None:
        bio = self.lib.BIO_new_mem_buf(data, len(data))
        try:
            return read(bio)
        finally:
            self.lib.BIO_free(bio)
            self.lib.ERR_clear_error()

    def _scalar(self, key: int | None) -> int:
        """The private number of an EVP_PKEY on the SM2 curve; the key is given back."""
        if not key:
            raise ValueError("not a private key, or the wrong password")
        lib = self.lib
        try:
            group = ctypes.create_string_buffer(32)
            if lib.EVP_PKEY_get_group_name(key, group, 32, None) != 1 or group.value != b"SM2":
                raise ValueError("a key, but not an SM2 key")
            number = ctypes.c_void_p()
            if lib.EVP_PKEY_get_bn_param(key, b"priv", ctypes.byref(number)) != 1:
                raise ValueError("a public key only")
            room = ctypes.create_string_buffer(32)
            lib.BN_bn2binpad(number, room, 32)
            lib.BN_clear_free(number)
            return int.from_bytes(room.raw, "big")
        finally:
            lib.EVP_PKEY_free(key)
            lib.ERR_clear_error()
