"""Sign and verify letters of the bonded side: the Signature stands around the content (加签, 验签).

What is hashed is the inclusive canonical form of Object, what is signed that of SignedInfo. Reference names Object by
its Id, with or without #; there are no transforms. KeyInfo holds the name of a key, which is the number of a
certificate: it is looked for among those that are trusted. How the platform itself weighs such a signature is not
published; this is how XML Signature has it for a signature around its content.
"""

from __future__ import annotations

import hmac
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lxml import etree
from msgspec.structs import replace

from cebport.faults import Fault, Malformed, SettingsError
from cebport.messages import sm2
from cebport.messages.bonded.letter import Letter, Signature, fault
from cebport.messages.bonded.reading import elements, local, root_of, signature_of
from cebport.messages.bonded.writing import write_bonded
from cebport.messages.canonical import canonical_signed_info
from cebport.messages.certificates import (
    Certificate,
    decode_base64,
    read_certificate,
    read_certificate_text,
    sign_fault,
)
from cebport.messages.signature import Verdict, digest, fits, signed_variants, to_base64
from cebport.messages.trust import validity_fault
from cebport.messages.xmldsig import C14N, METHOD_BY_NAME, METHODS, Method, Parts

if TYPE_CHECKING:
    from cebport.messages.keys import Signer
    from cebport.messages.trust import TrustStore

CHILDREN = {
    "Signature": ("SignedInfo", "SignatureValue", "KeyInfo", "Object"),
    "SignedInfo": ("CanonicalizationMethod", "SignatureMethod", "Reference"),
    "Reference": ("DigestMethod", "DigestValue"),
}
"""The one accepted form."""
WHITE = "signedinfo_whitespace"


def verify_bonded(raw: bytes, trust: TrustStore | None = None, on: datetime | None = None) -> Verdict:
    """What the signature around a letter is worth. Never raises for what a letter may hold.

    unsigned: no Signature, or one without a value (the client has not signed yet); untrusted: nobody knows the
    certificate that KeyName means, or it does not count; otherwise as ``signature.verify`` says.
    """
    try:
        root = root_of(raw)
    except Malformed as malformed:
        return Verdict("refused", faults=malformed.faults)
    if local(root) != "Signature":
        return Verdict("unsigned", faults=(sign_fault("CEB-SIGN-001"),))
    written = signature_of(root)
    assert written is not None, "the root is one"
    if not written.value.strip() and not written.digest.strip():
        return Verdict("unsigned", key_name=written.key_name, faults=(sign_fault("CEB-SIGN-001"),))
    parts = Parts(
        next(elements(root, "SignedInfo"), None), written.signature_method, written.digest_method, written.digest,
        written.value, written.key_name.strip(), written.certificate,
    )  # fmt: skip
    found = _form_faults(root, written, parts)
    certificate = _certificate(parts, trust, found)
    verdict = Verdict(
        "refused",
        algorithm=parts.method.name if parts.method else "",
        key_name=parts.key_name or "",
        subject=certificate.subject if certificate else "",
        certificate=certificate.der if certificate else None,
        faults=tuple(found),
    )
    if found:
        return verdict
    if certificate is None:
        return _with(verdict, "untrusted", [fault(61, path="KeyName", found=parts.key_name or "-")])
    assert parts.method is not None, "any other pair is a fault"
    return _weigh(verdict, root, parts, parts.method, certificate, trust, on)


def _with(verdict: Verdict, status: str, found: list[Fault], **more: Any) -> Verdict:
    values = {name: getattr(verdict, name) for name in ("algorithm", "key_name", "subject", "certificate")}
    return Verdict(status, faults=tuple(found), **{**values, **more})


def _form_faults(root: Any, written: Signature, parts: Parts) -> list[Fault]:
    """Every deviation from the one accepted form."""
    found: list[Fault] = []
    for element in (root, parts.signed_info, _child(parts.signed_info, "Reference")):
        if element is None:
            continue
        name = local(element)
        inside = tuple(map(local, elements(element)))
        if inside != CHILDREN[name]:
            found.append(fault(63, path=name, found=", ".join(inside) or "-", expected=", ".join(CHILDREN[name])))
    ids = [element.get("Id") for element in root.iter("{*}*") if element.get("Id") == written.object_id]
    if not written.object_id or written.reference.removeprefix("#") != written.object_id or len(ids) != 1:
        found.append(fault(62, path="Reference", found=written.reference, expected=written.object_id or "Object@Id"))
    if written.canonicalization != C14N:
        said = written.canonicalization
        found.append(sign_fault("CEB-SIGN-009", path="CanonicalizationMethod", found=said, expected=C14N))
    if parts.method is None:
        accepted = "; ".join(f"{method.signature_uri} + {method.digest_uri}" for method in METHODS)
        pair = f"{written.signature_method or '-'} + {written.digest_method or '-'}"
        found.append(fault(64, path="SignedInfo", found=pair, expected=accepted))
    return found


def _child(parent: Any, name: str) -> Any:
    return None if parent is None else next(elements(parent, name), None)


def _certificate(parts: Parts, trust: TrustStore | None, found: list[Fault]) -> Certificate | None:
    """The certificate in KeyInfo, else the trusted one whose number is the name of the key."""
    if parts.certificate_text is not None:
        try:
            return read_certificate_text(parts.certificate_text)
        except ValueError as problem:
            found.append(sign_fault("CEB-SIGN-015", path="X509Certificate", found=problem))
            return None
    wanted = _number(parts.key_name or "")
    for certificate in trust.certificates if trust is not None and wanted else ():
        if _number(certificate.serial_hex) == wanted:
            return certificate
    return None


def _number(serial: str) -> str:
    return serial.lower().lstrip("0")


def _weigh(
    verdict: Verdict, root: Any, parts: Parts, method: Method, certificate: Certificate, trust: TrustStore | None,
    on: datetime | None,
) -> Verdict:  # fmt: skip
    """Digest, value, then the certificate."""
    found: list[Fault] = []
    content = next(elements(root, "Object"))
    try:
        made = digest(method.digest_hash, canonical_signed_info(root, content))
        variants = list(signed_variants(root, parts.signed_info))
    except etree.C14NError as problem:
        return _with(verdict, "refused", [sign_fault("CEB-SIGN-019", found=problem)])
    try:
        if not hmac.compare_digest(made, decode_base64(parts.digest_text)):
            said = parts.digest_text.strip()
            found.append(sign_fault("CEB-SIGN-021", path="DigestValue", found=said, expected=to_base64(made)))
    except ValueError as problem:
        found.append(sign_fault("CEB-SIGN-016", path="DigestValue", found=problem))
    repairs = _fitting(parts, method, certificate, variants, found)
    if found or repairs is None:
        return _with(verdict, "invalid", found)
    if _number(parts.key_name or "") != _number(certificate.serial_hex):
        found.append(sign_fault("CEB-SIGN-031", path="KeyName", found=parts.key_name, expected=certificate.serial_hex))
    if WHITE in repairs:
        found.append(sign_fault("CEB-SIGN-041"))
    status, owners = ("repaired" if repairs else "strict"), None
    if trust is not None:
        judged = trust.judge(certificate, on)
        found += judged.faults
        owners, status = judged.owners, status if judged.status == "trusted" else judged.status
    elif on is not None and not certificate.is_valid_at(on):
        found.append(validity_fault(certificate, on))
        status = "expired"
    return _with(verdict, status, found, strict=not repairs, repairs=repairs, owners=owners)


def _fitting(
    parts: Parts, method: Method, certificate: Certificate, variants: list[Any], found: list[Fault]
) -> tuple[str, ...] | None:
    """The repairs under which the value fits, None with a fault where none does."""
    if certificate.algorithm != method.key:
        found.append(sign_fault("CEB-SIGN-023", found=certificate.algorithm, expected=method.name))
        return None
    try:
        value = decode_base64(parts.value_text)
    except ValueError as problem:
        found.append(sign_fault("CEB-SIGN-016", path="SignatureValue", found=problem))
        return None
    try:
        size = sm2.SIGNATURE_BYTES if method.key == "sm2" else (certificate.rsa_key.key_size + 7) // 8
        if len(value) != size:
            found.append(sign_fault("CEB-SIGN-024", path="SignatureValue", found=len(value), expected=size))
            return None
        for repairs, data in variants:
            if fits(method, certificate, data, value):
                return repairs
    except ValueError as problem:
        found.append(sign_fault("CEB-SIGN-026", path="X509Certificate", found=problem))
        return None
    found.append(sign_fault("CEB-SIGN-022", path="SignatureValue"))
    return None


# --- sign ------------------------------------------------------------------------------------------


def sign_bonded(
    letter: Letter, signer: Signer, *, algorithm: str | None = None, with_certificate: bool = False
) -> bytes:
    """The letter written and signed: a Signature around its Package, whatever was around it before.

    with_certificate: put the certificate beside the name of its key, for readers who do not have it. Raises Malformed
    where the letter cannot be written or has no Package, SettingsError when the key cannot sign by that algorithm.
    """
    name = algorithm or signer.algorithm
    method = METHOD_BY_NAME.get(name)
    if method is None or method.key != METHOD_BY_NAME[signer.algorithm].key:
        raise SettingsError(sign_fault("CEB-SIGN-062", found=signer.algorithm, expected=name))
    if letter.shape.dialect == "answer":
        raise Malformed(fault(63, path=letter.type, found=letter.type, expected="Package"))
    certificate = to_base64(signer.certificate) if with_certificate else None
    number = signer.key_name or read_certificate(signer.certificate).serial_hex
    signature = Signature(method.signature_uri, method.digest_uri, key_name=number, certificate=certificate)
    blank = replace(letter, signature=signature)
    root = root_of(write_bonded(blank))
    made = digest(method.digest_hash, canonical_signed_info(root, next(elements(root, "Object"))))
    hashed = replace(blank, signature=replace(signature, digest=to_base64(made)))
    root = root_of(write_bonded(hashed))
    data = canonical_signed_info(root, next(elements(root, "SignedInfo")))
    value = signer.sign(data) if name == signer.algorithm else signer.sign(data, name)
    assert hashed.signature is not None, "it was just put in"
    return write_bonded(replace(hashed, signature=replace(hashed.signature, value=to_base64(value))))
