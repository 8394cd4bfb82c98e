"""The one accepted form of ds:Signature (数字签名格式): its methods, its elements, its parts.

An enveloped signature: one Reference to the whole document (``URI=""``), the enveloped transform
alone, inclusive C14N, an accepted pair of methods, one certificate. Whatever differs is a fault; what
the signature is worth is decided in ``signature.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from cebport.faults import Fault
from cebport.messages.certificates import sign_fault

DS = "http://www.w3.org/2000/09/xmldsig#"
CHINAPORT = "http://www.chinaport.gov.cn/2022/04/xmldsig#"
C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
ENVELOPED = DS + "enveloped-signature"
SIGNATURE = f"{{{DS}}}Signature"


class Method(NamedTuple):
    """An accepted pair of methods: our name, the two URIs, the kind of key, the two hashes."""

    name: str
    signature_uri: str
    digest_uri: str
    key: str
    signature_hash: str
    digest_hash: str


METHODS = (
    Method("sm2-sm3", CHINAPORT + "sm2-sm3", CHINAPORT + "sm3", "sm2", "sm3", "sm3"),
    Method("rsa-sha1", DS + "rsa-sha1", DS + "sha1", "rsa", "sha1", "sha1"),
    Method("sm2-sm3-sha1", DS + "sm2-sm3", DS + "sha1", "sm2", "sm3", "sha1"),
    Method(
        "rsa-sha256",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        "http://www.w3.org/2001/04/xmlenc#sha256",
        "rsa",
        "sha256",
        "sha256",
    ),
)
METHOD_BY_NAME = {method.name: method for method in METHODS}
_METHOD_BY_URIS = {(method.signature_uri, method.digest_uri): method for method in METHODS}
DIGEST_BYTES = {"sha1": 20, "sha256": 32, "sm3": 32}


class Parts(NamedTuple):
    """The texts of a signature as they stand in the message; None where it has none."""

    signed_info: Any = None
    signature_uri: str | None = None
    digest_uri: str | None = None
    digest_text: str = ""
    value_text: str = ""
    key_name: str | None = None
    certificate_text: str | None = None

    @property
    def method(self) -> Method | None:
        """The accepted pair of methods, None for any other pair."""
        return _METHOD_BY_URIS.get((self.signature_uri or "", self.digest_uri or ""))


_SIGNED_INFO = ("CanonicalizationMethod", "SignatureMethod", "Reference")
_REFERENCE = ("Transforms", "DigestMethod", "DigestValue")
_IGNORED = {"X509IssuerSerial", "X509SKI", "X509SubjectName", "X509CRL"}
_IGNORED_INSIDE = {"X509IssuerName", "X509SerialNumber", "RSAKeyValue", "Modulus", "Exponent"}
_ATTRIBUTES: Mapping[str, frozenset[str]] = {
    "Signature": frozenset({"Id"}),
    "Reference": frozenset({"URI", "Id"}),
    "CanonicalizationMethod": frozenset({"Algorithm"}),
    "SignatureMethod": frozenset({"Algorithm"}),
    "DigestMethod": frozenset({"Algorithm"}),
    "Transform": frozenset({"Algorithm"}),
}
_NO_ATTRIBUTES: frozenset[str] = frozenset()
_TEXT_HOLDERS = {"DigestValue", "SignatureValue", "KeyName", "X509Certificate"}


def last_element(root: Any) -> Any:
    """The last child element of the root (comments and processing instructions apart), or None."""
    for child in reversed(root):
        if isinstance(child.tag, str):
            return child
    return None


def _local(element: Any) -> str:
    """The local name of an element in the signature's namespace, else its whole name."""
    return element.tag.removeprefix(f"{{{DS}}}")


def _children(element: Any, faults: list[Fault]) -> list[Any]:
    """The child elements, after a look at what else the element holds."""
    name = _local(element)
    attributes = element.attrib
    if attributes and not set(attributes) <= _ATTRIBUTES.get(name, _NO_ATTRIBUTES):
        extra = sorted(set(attributes) - _ATTRIBUTES.get(name, _NO_ATTRIBUTES))
        faults.append(sign_fault("CEB-SIGN-011", path=name, found=", ".join(extra)))
    text = element.text
    if text and name not in _TEXT_HOLDERS and text.strip(" \t\r\n"):
        faults.append(sign_fault("CEB-SIGN-017", path=name, found=text.strip()))
    children = []
    for child in element:
        if not isinstance(child.tag, str):
            faults.append(sign_fault("CEB-SIGN-017", path=name, found=str(child)))
        else:
            children.append(child)
        if child.tail and child.tail.strip(" \t\r\n"):
            faults.append(sign_fault("CEB-SIGN-017", path=name, found=child.tail.strip()))
    return children


def _expect(element: Any, names: tuple[str, ...], faults: list[Fault]) -> list[Any] | None:
    """The children when they are exactly these, else None with a fault."""
    children = _children(element, faults)
    found = tuple(_local(child) for child in children)
    if found == names:
        return children
    faults.append(
        sign_fault("CEB-SIGN-005", path=_local(element), found=", ".join(found) or "-", expected=", ".join(names))
    )
    return None


def _leaf(element: Any, faults: list[Fault]) -> str:
    """The text of an element that has no child."""
    children = _children(element, faults)
    if children:
        found = ", ".join(map(_local, children))
        faults.append(sign_fault("CEB-SIGN-005", path=_local(element), found=found, expected="-"))
    return element.text or ""


def read_signature(signature: Any, faults: list[Fault]) -> Parts:
    """The parts of a ds:Signature; every deviation from the one accepted form is added to ``faults``."""
    children = _children(signature, faults)
    found = [_local(child) for child in children]
    if found == ["SignedInfo", "SignatureValue"]:
        faults.append(sign_fault("CEB-SIGN-013", path="Signature"))
    elif found != ["SignedInfo", "SignatureValue", "KeyInfo"]:
        expected = "SignedInfo, SignatureValue, KeyInfo"
        faults.append(sign_fault("CEB-SIGN-005", path="Signature", found=", ".join(found) or "-", expected=expected))
    named = dict(zip(reversed(found), reversed(children), strict=True))
    parts = Parts()
    if "SignedInfo" in named:
        parts = _read_signed_info(named["SignedInfo"], faults)
    if "SignatureValue" in named:
        parts = parts._replace(value_text=_leaf(named["SignatureValue"], faults))
    if "KeyInfo" in named:
        key_name, certificate = _read_key_info(named["KeyInfo"], faults)
        parts = parts._replace(key_name=key_name, certificate_text=certificate)
    return parts


def _read_signed_info(signed_info: Any, faults: list[Fault]) -> Parts:
    references = signed_info.findall(f"{{{DS}}}Reference")
    if len(references) > 1:
        faults.append(sign_fault("CEB-SIGN-006", path="SignedInfo", found=len(references)))
        return Parts(signed_info)
    children = _expect(signed_info, _SIGNED_INFO, faults)
    if children is None:
        return Parts(signed_info)
    canonicalization, method, reference = children
    for leaf in (canonicalization, method):
        _leaf(leaf, faults)
    found = canonicalization.get("Algorithm")
    if found != C14N:
        faults.append(sign_fault("CEB-SIGN-009", path="CanonicalizationMethod", found=found, expected=C14N))
    uri = reference.get("URI")
    if uri != "":
        faults.append(sign_fault("CEB-SIGN-007", path="Reference", found="-" if uri is None else uri))
    parts = Parts(signed_info, method.get("Algorithm"))
    inner = _expect(reference, _REFERENCE, faults)
    if inner is None:
        return parts
    transforms, digest_method, value = inner
    algorithms = [child.get("Algorithm") for child in _children(transforms, faults)]
    bare = not any(_children(child, faults) for child in transforms if isinstance(child.tag, str))
    if algorithms != [ENVELOPED] or not bare or transforms[0].tag != f"{{{DS}}}Transform":
        listed = ", ".join(map(str, algorithms)) or "-"
        faults.append(sign_fault("CEB-SIGN-008", path="Transforms", found=listed, expected=ENVELOPED))
    _leaf(digest_method, faults)
    parts = parts._replace(digest_uri=digest_method.get("Algorithm"), digest_text=_leaf(value, faults))
    if parts.method is None:
        accepted = "; ".join(f"{pair.signature_uri} + {pair.digest_uri}" for pair in METHODS)
        pair = f"{parts.signature_uri} + {parts.digest_uri}"
        faults.append(sign_fault("CEB-SIGN-010", path="SignedInfo", found=pair, expected=accepted))
    return parts


def _read_key_info(key_info: Any, faults: list[Fault]) -> tuple[str | None, str | None]:
    """(KeyName, X509Certificate); a key value beside a certificate is not looked at."""
    names: list[str] = []
    certificates: list[str] = []
    values = 0
    for child in _children(key_info, faults):
        kind = _local(child)
        if kind == "KeyName":
            names.append(_leaf(child, faults).strip())
        elif kind == "KeyValue":
            values += 1
            _look_inside(child, faults)
        elif kind == "X509Data":
            for inner in _children(child, faults):
                if _local(inner) == "X509Certificate":
                    certificates.append(_leaf(inner, faults))
                elif _local(inner) in _IGNORED:
                    _look_inside(inner, faults)
                else:
                    faults.append(sign_fault("CEB-SIGN-012", path="X509Data", found=_local(inner)))
        else:
            faults.append(sign_fault("CEB-SIGN-012", path="KeyInfo", found=kind))
    if len(names) > 1:
        found = ", ".join(["KeyName"] * len(names))
        faults.append(sign_fault("CEB-SIGN-005", path="KeyInfo", found=found, expected="KeyName"))
    if len(certificates) > 1:
        faults.append(sign_fault("CEB-SIGN-014", path="KeyInfo", found=len(certificates)))
    if not certificates:
        code, found = ("CEB-SIGN-012", "KeyValue") if values else ("CEB-SIGN-013", "")
        faults.append(sign_fault(code, path="KeyInfo", found=found))
    return (names[0] if names else None), (certificates[0] if certificates else None)


def _look_inside(ignored: Any, faults: list[Fault]) -> None:
    """A part that is not looked at may hold its own elements only: nothing hides in it."""
    for inner in ignored.iter():
        if inner is not ignored and (not isinstance(inner.tag, str) or _local(inner) not in _IGNORED_INSIDE):
            faults.append(sign_fault("CEB-SIGN-012", path=_local(ignored), found=str(inner.tag)))
