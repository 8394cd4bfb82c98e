"""Sign and verify (加签, 验签): enveloped XML signatures by RSA or SM2 on CEB and DXP messages.

What is hashed is the inclusive canonical form of the whole document without its ds:Signature; what is
signed is the canonical form of SignedInfo. ``verify`` tries the strict reading first, then three named
repairs, and says which were needed: a verdict is data, whether it is accepted is a row of policy.

The form of a signature is in ``xmldsig.py``, its bytes in ``canonical.py``, whose certificate counts
in ``trust.py``, the keys that sign in ``keys.py``; why one fails is told by ``doctor.py``.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from binascii import b2a_base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from lxml import etree

from cebport.faults import Fault, Malformed, SettingsError
from cebport.messages import sm2
from cebport.messages.canonical import (
    WHITE,
    XML_NAMESPACE,
    Canonical,
    Read,
    canonical_of,
    canonical_signed_info,
    compact,
    qualified,
    serialised,
    start_tag,
    with_namespaces,
)
from cebport.messages.certificates import Certificate, decode_base64, read_certificate_text, sign_fault
from cebport.messages.xmldsig import (
    C14N,
    DIGEST_BYTES,
    DS,
    ENVELOPED,
    METHOD_BY_NAME,
    SIGNATURE,
    Method,
    Parts,
    last_element,
    read_signature,
)

if TYPE_CHECKING:
    from cebport.messages.keys import Signer
    from cebport.messages.trust import TrustStore

REPAIRS = ("signedinfo_whitespace", "beside_signature", "assumed_namespaces")
DXP = "http://www.chinaport.gov.cn/dxp"
NO_MESSAGE = "CEB-XML-020"
_REPAIR_FAULTS = dict(zip(REPAIRS, ("CEB-SIGN-041", "CEB-SIGN-042", "CEB-SIGN-043"), strict=True))
ASSUMED_NAMESPACES: Mapping[str | None, str] = {
    "ceb": "http://www.chinaport.gov.cn/ceb",
    "ds": DS,
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
}
"""What some signers take for declared, whatever the document says."""


def digest(name: str, *parts: bytes) -> bytes:
    """The hash ("sha1", "sha256", "sm3" or another of hashlib's) of the parts one after another."""
    if name == "sm3":
        return sm2.sm3(*parts)
    state = hashlib.new(name)
    for part in parts:
        state.update(part)
    return state.digest()


def to_base64(data: bytes) -> str:
    """Base64 on one line."""
    return b2a_base64(data, newline=False).decode()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a signature is worth.

    verdict: strict | repaired (fits after ``repairs``) | unsigned | invalid (does not fit) | refused
    (forbidden form) | untrusted | expired (or not yet valid) | revoked.
    strict: digest and value fit without any repair, whatever trust says.
    algorithm: our name of the pair of methods. certificate: its DER, None when there was none to read.
    owners: declarants that the certificate may sign for by the entries of trust that hold on the day; None = any.
    """

    verdict: str
    strict: bool = False
    repairs: tuple[str, ...] = ()
    algorithm: str = ""
    key_name: str = ""
    subject: str = ""
    certificate: bytes | None = None
    faults: tuple[Fault, ...] = ()
    owners: frozenset[str] | None = None

    def as_dict(self) -> dict[str, Any]:
        """The JSON form, without the certificate's bytes."""
        return {
            "verdict": self.verdict,
            "strict": self.strict,
            "repairs": list(self.repairs),
            "algorithm": self.algorithm,
            "key_name": self.key_name,
            "subject": self.subject,
            "faults": [fault.as_dict() for fault in self.faults],
        }


# ── verify ──────────────────────────────────────────────────────────────────────────────────────────


@lru_cache(1)
def _rsa() -> tuple[Any, dict[str, Any]]:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    return padding.PKCS1v15(), {"sha1": hashes.SHA1(), "sha256": hashes.SHA256()}


def fits(method: Method, certificate: Certificate, data: bytes, value: bytes) -> bool:
    """Whether ``value`` is the certificate's signature of ``data`` by that method (of its kind of key)."""
    if method.key == "sm2":
        return sm2.PublicKey.of(certificate.sm2_key).verify(data, value)
    from cryptography.exceptions import InvalidSignature

    scheme, hashes = _rsa()
    try:
        certificate.rsa_key.verify(value, data, scheme, hashes[method.signature_hash])
    except InvalidSignature:
        return False
    return True


def digest_variants(canonical: Canonical) -> Iterator[tuple[str, tuple[bytes, ...]]]:
    """The document as hashed, strict first, then each white space run beside the Signature dropped."""
    yield "", canonical
    before, after = canonical.before, canonical.after
    for left, right in ((True, False), (False, True), (True, True)):
        trimmed = (before.rstrip(WHITE) if left else before, after.lstrip(WHITE) if right else after)
        if trimmed != (before, after):
            yield "beside_signature", trimmed


def signed_variants(root: Any, signed_info: Any) -> Iterator[tuple[tuple[str, ...], bytes]]:
    """SignedInfo as signed, strict first, then compact, then with the assumed namespaces."""
    strict = canonical_signed_info(root, signed_info)
    yield (), strict
    pressed = compact(strict)
    needed: tuple[str, ...] = ()
    if pressed != strict:
        needed = ("signedinfo_whitespace",)
        yield needed, pressed
    if signed_info.prefix == "ds":
        assumed = with_namespaces(pressed, "ds:SignedInfo", ASSUMED_NAMESPACES)
        if assumed != pressed:
            yield (*needed, "assumed_namespaces"), assumed


class _Letter(NamedTuple):
    """A DXP envelope, read as safely as a message."""

    root: Any
    raw: bytes
    data: bytes


def read_tree(xml: bytes | Read) -> Read:
    """The tree of a message or of a DXP envelope. Raises Malformed."""
    if not isinstance(xml, bytes | bytearray | memoryview):
        return xml
    from cebport.messages.wire import parse_tree

    raw = bytes(xml)
    try:
        return parse_tree(raw)
    except Malformed as malformed:
        # parse_tree looks at the root's name last: size, DTD, entities and depth were weighed before.
        if not any(fault.code == NO_MESSAGE for fault in malformed.faults):
            raise
        try:
            root = etree.fromstring(raw, etree.XMLParser(resolve_entities=False, no_network=True))
        except etree.XMLSyntaxError:
            raise malformed from None
        if etree.QName(root).namespace != DXP:
            raise
        return _Letter(root, raw, raw.removeprefix(b"\xef\xbb\xbf"))


def _stray_signatures(root: Any, own: Any) -> list[Fault]:
    """Faults for every ds:Signature that is not ``own``, the last child of the root."""
    faults = []
    others = [found for found in root.iter(SIGNATURE) if found is not own]
    if others and (own is not None or len(others) > 1):
        faults.append(sign_fault("CEB-SIGN-002", found=len(others) + (own is not None)))
    for other in others:
        if other.getparent() is not root:
            path = other.getroottree().getelementpath(other.getparent()) if other is not root else ""
            faults.append(sign_fault("CEB-SIGN-004", path=_plain_path(path)))
        elif own is None and other is others[-1]:
            following = next(child for child in other.itersiblings() if isinstance(child.tag, str))
            faults.append(sign_fault("CEB-SIGN-003", found=etree.QName(following).localname))
    return faults


def _plain_path(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "", path)


def _has_foreign_signature(canonical: Canonical, root: Any, signature: Any) -> bool:
    """Whether another ds:Signature can stand in front of ours; the canonical text shows its namespace."""
    if DS not in root.nsmap.values() and DS.encode() not in canonical.body:
        return False
    return next(root.iter(SIGNATURE)) is not signature


def verify(xml: bytes | Read, trust: TrustStore | None = None, on: datetime | None = None) -> Verdict:
    """The verdict on a message's signature. Never raises for what a message may hold.

    xml: the message's bytes or its tree (which stays as it is). trust: whose certificates count, None =
    anybody's. on: the moment of arrival; without it no validity is looked at.
    """
    try:
        tree = read_tree(xml)
    except Malformed as malformed:
        return Verdict("refused", faults=malformed.faults)
    root = tree.root
    signature = last_element(root)
    if signature is None or signature.tag != SIGNATURE:
        strays = tuple(_stray_signatures(root, None))
        return (
            Verdict("refused", faults=strays) if strays else Verdict("unsigned", faults=(sign_fault("CEB-SIGN-001"),))
        )
    faults: list[Fault] = []
    parts = read_signature(signature, faults)
    if root.getroottree().docinfo.internalDTD is not None:
        faults.append(sign_fault("CEB-SIGN-018"))
    canonical = None
    try:
        canonical = serialised(root, signature) if faults else canonical_of(tree, signature)
        if _has_foreign_signature(canonical, root, signature):
            faults += _stray_signatures(root, signature)
    except etree.C14NError as problem:
        faults.append(sign_fault("CEB-SIGN-019", found=problem))
    certificate = _certificate_of(parts, faults)
    verdict = Verdict(
        "refused",
        algorithm=parts.method.name if parts.method else "",
        key_name=parts.key_name or "",
        subject=certificate.subject if certificate else "",
        certificate=certificate.der if certificate else None,
        faults=tuple(faults),
    )
    if faults or canonical is None or certificate is None:
        return verdict
    return _weigh(verdict, root, parts, canonical, certificate, trust, on)


def _certificate_of(parts: Parts, faults: list[Fault]) -> Certificate | None:
    if parts.certificate_text is None:
        return None
    try:
        return read_certificate_text(parts.certificate_text)
    except ValueError as problem:
        faults.append(sign_fault("CEB-SIGN-015", path="X509Certificate", found=problem))
        return None


def _weigh(
    verdict: Verdict,
    root: Any,
    parts: Parts,
    canonical: Canonical,
    certificate: Certificate,
    trust: TrustStore | None,
    on: datetime | None,
) -> Verdict:
    """The verdict on a well-formed signature: digest, value, then the certificate."""
    method = parts.method
    assert method is not None, "read_signature refuses any other pair"
    faults: list[Fault] = []
    digest_repairs = _match_digest(parts, method, canonical, faults)
    value_repairs = _match_value(parts, method, root, certificate, faults)
    status = "invalid"
    repairs: tuple[str, ...] = ()
    strict = False
    if digest_repairs is not None and value_repairs is not None:
        repairs = tuple(name for name in REPAIRS if name in digest_repairs or name in value_repairs)
        strict = not repairs
        status = "repaired" if repairs else "strict"
        faults += [sign_fault(_REPAIR_FAULTS[name]) for name in repairs]
    faults += _key_name_faults(parts.key_name, certificate)
    owners: frozenset[str] | None = None
    if status != "invalid":
        judged, reasons, owners = _judge(certificate, trust, on)
        faults += reasons
        status = status if judged == "trusted" else judged
    return Verdict(
        status,
        strict,
        repairs,
        verdict.algorithm,
        verdict.key_name,
        verdict.subject,
        verdict.certificate,
        tuple(faults),
        owners,
    )


def _judge(
    certificate: Certificate, trust: TrustStore | None, on: datetime | None
) -> tuple[str, tuple[Fault, ...], frozenset[str] | None]:
    """(status, why, whose declarations it may sign: None = anybody's)."""
    if trust is not None:
        judgement = trust.judge(certificate, on)
        return judgement.status, judgement.faults, judgement.owners
    if on is not None and not certificate.is_valid_at(on):
        from cebport.messages.trust import validity_fault

        return "expired", (validity_fault(certificate, on),), None
    return "trusted", (), None


def _key_name_faults(key_name: str | None, certificate: Certificate) -> list[Fault]:
    serial = certificate.serial_hex
    if not key_name:
        return [sign_fault("CEB-SIGN-032", path="KeyName", expected=serial)]
    if key_name == serial or key_name.lower().lstrip("0") == serial.lstrip("0"):
        return []
    return [sign_fault("CEB-SIGN-031", path="KeyName", found=key_name, expected=serial)]


def _match_digest(parts: Parts, method: Method, canonical: Canonical, faults: list[Fault]) -> tuple[str, ...] | None:
    """The repairs under which the claimed digest fits (empty = strictly), None with a fault if none does."""
    try:
        claimed = decode_base64(parts.digest_text)
    except ValueError as problem:
        faults.append(sign_fault("CEB-SIGN-016", path="DigestValue", found=problem))
        return None
    size = DIGEST_BYTES[method.digest_hash]
    if len(claimed) != size:
        faults.append(sign_fault("CEB-SIGN-025", path=method.digest_hash, found=len(claimed), expected=size))
        return None
    computed = b""
    for repair, text in digest_variants(canonical):
        made = digest(method.digest_hash, *text)
        if hmac.compare_digest(made, claimed):
            return (repair,) if repair else ()
        computed = computed or made
    faults.append(
        sign_fault(
            "CEB-SIGN-021",
            path="DigestValue",
            found="".join(parts.digest_text.split()),
            expected=to_base64(computed),
        )
    )
    return None


def _match_value(
    parts: Parts, method: Method, root: Any, certificate: Certificate, faults: list[Fault]
) -> tuple[str, ...] | None:
    """The repairs under which the signature value fits, None with a fault if none does."""
    try:
        value = decode_base64(parts.value_text)
    except ValueError as problem:
        faults.append(sign_fault("CEB-SIGN-016", path="SignatureValue", found=problem))
        return None
    if certificate.algorithm != method.key:
        faults.append(sign_fault("CEB-SIGN-023", found=certificate.algorithm, expected=method.name))
        return None
    try:
        size = sm2.SIGNATURE_BYTES if method.key == "sm2" else (certificate.rsa_key.key_size + 7) // 8
        if len(value) != size:
            faults.append(sign_fault("CEB-SIGN-024", path="SignatureValue", found=len(value), expected=size))
            return None
        for repairs, data in signed_variants(root, parts.signed_info):
            if fits(method, certificate, data, value):
                return repairs
    except ValueError as problem:
        faults.append(sign_fault("CEB-SIGN-026", path="X509Certificate", found=problem))
        return None
    except etree.C14NError as problem:
        faults.append(sign_fault("CEB-SIGN-019", path="SignedInfo", found=problem))
        return None
    faults.append(sign_fault("CEB-SIGN-022", path="SignatureValue"))
    return None


def declarant_fault(
    declarants: Iterable[str | None],
    owners: Iterable[str],
    subject: str,
    *,
    path: str = "",
    document: int | None = None,
) -> Fault:
    """The fault of a document whose declarant is none of those that the certificate signs for."""
    return sign_fault(
        "CEB-SIGN-059",
        document=document,
        path=path,
        found=", ".join(code for code in declarants if code) or "-",
        expected=", ".join(sorted(owners)) or "-",
        subject=subject,
    )


# ── sign ────────────────────────────────────────────────────────────────────────────────────────────

_ROOT_END = re.compile(rb"(?:</[^\s<>]+\s*>|/>)(?=(?:\s|<!--(?:[^-]|-(?!->))*-->|<\?(?:[^?]|\?(?!>))*\?>)*\Z)")


def _signed_info(method: Method, digest_value: str) -> str:
    """The children of SignedInfo, compact, as every card client writes them."""
    return (
        f'<ds:CanonicalizationMethod Algorithm="{C14N}"></ds:CanonicalizationMethod>'
        f'<ds:SignatureMethod Algorithm="{method.signature_uri}"></ds:SignatureMethod>'
        f'<ds:Reference URI=""><ds:Transforms><ds:Transform Algorithm="{ENVELOPED}"></ds:Transform>'
        f'</ds:Transforms><ds:DigestMethod Algorithm="{method.digest_uri}"></ds:DigestMethod>'
        f"<ds:DigestValue>{digest_value}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
    )


def sign(xml: bytes | Read, signer: Signer, *, algorithm: str | None = None) -> bytes:
    """The message with a ds:Signature as last child of its root; every other byte stays as it is.

    algorithm: a name of METHODS, default the signer's own. Raises Malformed for bytes that are no
    message or are signed already, SettingsError when the key cannot sign by that algorithm.
    """
    tree = read_tree(xml)
    root, raw = tree.root, bytes(tree.raw)
    name = algorithm or signer.algorithm
    method = METHOD_BY_NAME.get(name)
    if method is None or method.key != METHOD_BY_NAME[signer.algorithm].key:
        raise SettingsError(sign_fault("CEB-SIGN-062", found=signer.algorithm, expected=name))
    if next(root.iter(SIGNATURE), None) is not None:
        raise Malformed(sign_fault("CEB-SIGN-061"))
    try:
        canonical = canonical_of(tree, None)
    except etree.C14NError as problem:
        raise Malformed(sign_fault("CEB-SIGN-019", found=problem)) from problem
    inner = _signed_info(method, to_base64(digest(method.digest_hash, *canonical)))
    inherited = {key: value for key, value in root.attrib.items() if key.startswith(XML_NAMESPACE)}
    opening = start_tag("ds:SignedInfo", {**root.nsmap, "ds": DS}, inherited)
    assert opening is not None, "the xml prefix is always known"
    data = opening + inner.encode()
    value = signer.sign(data) if name == signer.algorithm else signer.sign(data, name)
    block = (
        f'<ds:Signature xmlns:ds="{DS}"><ds:SignedInfo>{inner}'
        f"<ds:SignatureValue>{to_base64(value)}</ds:SignatureValue>"
        f"<ds:KeyInfo><ds:KeyName>{signer.key_name}</ds:KeyName><ds:X509Data><ds:X509Certificate>"
        f"{to_base64(signer.certificate)}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>"
    ).encode()
    end = _ROOT_END.search(raw, max(0, len(raw) - 1024)) or _ROOT_END.search(raw)
    if end is None:
        raise Malformed(sign_fault("CEB-SIGN-019", found="no end tag of the root"))
    if end[0] == b"/>":
        block = b">" + block + f"</{qualified(root)}>".encode()
        return raw[: end.start()] + block + raw[end.end() :]
    return raw[: end.start()] + block + raw[end.start() :]
