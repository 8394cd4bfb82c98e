"""Why a signature fails and which bytes differ (验签诊断): ``doctor`` says it as data and as plain text.

It looks three ways: what ``verify`` says; what each known habit of clients would have produced
(``habits.py``: a habit that reproduces the claimed value is certain, and its text shows the first byte that
differs); and what stands in the file itself (``source.py``), with byte offsets. A second file may be given:
the message before it was sent, or the very text that the client hashed or signed. What it finds is a
``Diagnosis`` (diagnosis.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from lxml import etree

from cebport.faults import Malformed, Words
from cebport.messages.canonical import Canonical, Read, canonical_signed_info, serialised, start_tag
from cebport.messages.certificates import Certificate, decode_base64, read_certificate_text
from cebport.messages.diagnosis import Diagnosis, Difference, Excerpt, Finding, Trial, tables, words_of
from cebport.messages.habits import Case, Match, explain_digest, explain_value, recover
from cebport.messages.signature import (
    Verdict,
    digest,
    digest_variants,
    fits,
    read_tree,
    signed_variants,
    to_base64,
    verify,
)
from cebport.messages.source import Source, hexed, place_of, read_source, visible
from cebport.messages.trust import TrustStore, declarant_fields
from cebport.messages.xmldsig import (
    METHOD_BY_NAME,
    METHODS,
    SIGNATURE,
    Method,
    Parts,
    last_element,
    read_signature,
)

CONTEXT_BYTES = 40
DECLARANTS_MAX = 10
VALUE_BYTES_MAX = 60
"""So much of a changed value is shown on each side."""
TRUST_CODES = frozenset(f"CEB-SIGN-{number:03}" for number in (51, 52, 53, 54, 55, 56, 58))
"""What the trust store holds against a certificate."""
TRIED_HASHES = ("sha1", "sha256", "sm3")
_SIGNED_INFO = re.compile(rb"\s*<(?:[^\s<>:]+:)?SignedInfo[\s>]")
_EMPTY_BRACKETS = re.compile(r"（）| \(\)|，(?=）)|, (?=\))")


# ── the examination ─────────────────────────────────────────────────────────────────────────────────


def doctor(
    raw: bytes,
    trust: TrustStore | None = None,
    on: datetime | None = None,
    lang: str = "zh",
    *,
    reference: bytes | None = None,
) -> Diagnosis:
    """Why the signature of a message fails, which bytes differ, and what to change.

    trust: whose certificates count; its other cards are tried as the true signer. on: the moment for
    validity. reference: the message as its sender has it, or the text that was hashed or signed. Never
    raises for what a file may hold.
    """
    source = read_source(raw)
    try:
        tree = read_tree(raw)
    except Malformed as malformed:
        remarks = tuple(_remarks(source, None, None))
        return Diagnosis(Verdict("refused", faults=malformed.faults), source, lang, remarks=remarks)
    verdict = verify(tree, trust, on)
    signature = _signature_in(tree.root)
    parts = read_signature(signature, []) if signature is not None else Parts()
    certificate = _certificate_in(parts)
    remarks = tuple(_remarks(source, tree, parts.signed_info))
    judged = trust.judge(certificate, on) if trust is not None and certificate is not None else None
    known = Diagnosis(
        verdict,
        source,
        lang,
        remarks=remarks,
        certificate=certificate,
        owners=judged.owners if judged is not None and judged.status == "trusted" else None,
        declarants=_declarants(tree),
    )
    try:
        canonical = serialised(tree.root, signature)
        signed_info = b"" if parts.signed_info is None else canonical_signed_info(tree.root, parts.signed_info)
    except etree.C14NError:
        return known
    if signature is None or not signed_info:
        return _finish(known, canonical, signed_info, reference, None)
    method = parts.method or _likely_method(parts, certificate)
    others = trust.certificates if trust is not None else ()
    case = Case(tree, signature, parts, method, canonical, source, certificate, others)
    return _finish(known, canonical, signed_info, reference, case)


def _signature_in(root: Any) -> Any:
    """The signature to look at: the root's last child, else the last one anywhere."""
    last = last_element(root)
    if last is not None and last.tag == SIGNATURE:
        return last
    return next(iter(reversed(list(root.iter(SIGNATURE)))), None)


def _certificate_in(parts: Parts) -> Certificate | None:
    try:
        return read_certificate_text(parts.certificate_text) if parts.certificate_text else None
    except ValueError:
        return None


def _likely_method(parts: Parts, certificate: Certificate | None) -> Method:
    """The method to compute by where the message names none that is accepted."""
    for method in METHODS:
        if parts.digest_uri == method.digest_uri and (certificate is None or certificate.algorithm == method.key):
            return method
    return METHOD_BY_NAME["sm2-sm3" if certificate is not None and certificate.algorithm == "sm2" else "rsa-sha1"]


def _declarants(tree: Read) -> tuple[str, ...]:
    """The declarant codes that the message names."""
    name = etree.QName(tree.root).localname
    fields = declarant_fields().get(name, ())
    namespace = etree.QName(tree.root).namespace
    codes: dict[str, None] = {}
    for column in fields:
        for element in tree.root.iter(f"{{{namespace}}}{column}"):
            if element.text and len(codes) < DECLARANTS_MAX:
                codes.setdefault(element.text.strip())
    return tuple(codes)


def _finish(
    known: Diagnosis, canonical: Canonical, signed_info: bytes, reference: bytes | None, case: Case | None
) -> Diagnosis:
    """The diagnosis with habits, differences and the reference looked into."""
    trials: list[Trial] = []
    causes: list[Finding] = []
    remarks: list[Finding] = []
    differences: list[Difference] = []
    tried: dict[str, int] = {}
    recovered = ""
    causes += _trust_causes(known.verdict)
    changed = _changed_since(reference, canonical.text, case)
    if case is not None:
        trials = [*_digest_trials(case), *_value_trials(case)]
        for part, explain, ours in (
            ("digest", explain_digest, canonical.text),
            ("value", explain_value, signed_info),
        ):
            if any(trial.part == part and trial.fits and trial.reading == "" for trial in trials):
                continue
            match, tried[part] = explain(case)
            causes += _causes(part, match)
            if match is None and part == "digest" and changed is not None:
                causes.append(changed)
            elif match is None:
                causes.append(_unexplained(part, case, tried[part]))
            elif match.text:
                differences += _difference(f"habit_{part}", ours, match.text)
        recovered = _recovered(case)
    causes += _owner_causes(known)
    if reference is not None:
        found, more = _compare_reference(reference, canonical.text, signed_info, case)
        remarks += [remark for remark in found if changed is None or remark.id != "reference_differs"]
        differences += more
    return replace(
        known,
        causes=tuple(causes),
        remarks=(*remarks, *known.remarks),
        trials=tuple(trials),
        differences=tuple(differences),
        claimed_digest="".join(case.parts.digest_text.split()) if case else "",
        recovered=recovered,
        canonical=canonical.text,
        signed_info=signed_info,
        tried=tried,
    )


def _digest_trials(case: Case) -> Iterator[Trial]:
    """Each hash over each reading that the rules or a repair allow."""
    try:
        claimed = decode_base64(case.parts.digest_text)
    except ValueError:
        claimed = b""
    for reading, text in digest_variants(case.canonical):
        for name in TRIED_HASHES:
            made = digest(name, *text)
            right = made == claimed and name == case.method.digest_hash
            yield Trial("digest", reading, name, to_base64(made), right)


def _value_trials(case: Case) -> Iterator[Trial]:
    """The signature value over each reading of SignedInfo that the rules or a repair allow."""
    certificate = case.certificate
    if certificate is None or certificate.algorithm != case.method.key:
        return
    try:
        value = decode_base64(case.parts.value_text)
        for repairs, data in signed_variants(case.tree.root, case.parts.signed_info):
            right = fits(case.method, certificate, data, value)
            made = to_base64(digest(case.method.signature_hash, data))
            yield Trial("value", ", ".join(repairs), case.method.name, made, right)
    except ValueError:
        return


def _causes(part: str, match: Match | None) -> Iterator[Finding]:
    table = tables()
    for cause in match.causes if match is not None else ():
        entry = table["habits"][cause.habit]
        notes = table["notes"].get(cause.note, {})
        zh, en = notes.get("zh", cause.note), notes.get("en", cause.note)
        message = Words(entry["message"]["zh"].format(note=zh), entry["message"]["en"].format(note=en))
        yield Finding(cause.habit, part, _tidy(message), words_of(entry["remedy"]))


def _tidy(words: Words) -> Words:
    """Without the brackets that an empty note leaves."""
    return Words(*(_EMPTY_BRACKETS.sub("", text).strip() for text in words))


def _remark(name: str, part: str = "file", found: object = "", expected: object = "") -> Finding:
    entry = tables()["remarks"][name]
    return Finding(
        name,
        part,
        words_of(entry["message"], found=found, expected=expected),
        words_of(entry["remedy"], found=found, expected=expected),
    )


def _unexplained(part: str, case: Case, tried: int) -> Finding:
    """What can be said when no habit fits; an RSA key that opens nothing is not the signer's."""
    certificate = case.certificate
    if part == "value" and certificate is not None and certificate.algorithm == "rsa":
        return _remark("key_not_a_pair", part, found=certificate.subject)._replace(certain=False)
    return _remark(f"{part}_unexplained", part, found=tried)._replace(certain=False)


def _recovered(case: Case) -> str:
    """``sha1 5f3a…``: the hash inside an RSA signature, for comparing with the client's own log."""
    certificate = case.certificate
    if certificate is None or certificate.algorithm != "rsa":
        return ""
    try:
        opened = recover(certificate, decode_base64(case.parts.value_text))
    except ValueError:
        return ""
    return f"{opened[0]} {opened[1].hex()}".strip() if opened else ""


def _trust_causes(verdict: Verdict) -> Iterator[Finding]:
    """Why the certificate of a signature that fits does not count: the store's own word, certain."""
    if verdict.verdict in ("untrusted", "expired", "revoked"):
        for fault in verdict.faults:
            if fault.code in TRUST_CODES:
                yield Finding(fault.code, "certificate", fault.message, fault.remedy)


def _owner_causes(known: Diagnosis) -> Iterator[Finding]:
    """A trusted certificate that signs for others; ``owners`` is None where nothing is known."""
    if known.owners and known.declarants and known.owners.isdisjoint(known.declarants):
        expected = ", ".join(sorted(known.owners))
        yield _remark("not_declarant", "certificate", found=", ".join(known.declarants), expected=expected)


def _remarks(source: Source, tree: Read | None, signed_info: Any) -> Iterator[Finding]:
    """The facts of the file that make clients stumble."""
    if source.bom:
        yield _remark("bom")
    if source.crlf:
        yield _remark("carriage_returns", found=source.crlf)
    if source.encoding and source.encoding.upper() not in ("UTF-8", "UTF8"):
        yield _remark("encoding", found=source.encoding)
    if source.before is not None and source.after is not None and (source.before.data or source.after.data):
        before, after = (visible(run.data) or "-" for run in (source.before, source.after))
        yield _remark("white_beside", found=before, expected=after)
    if source.inside:
        yield _remark("white_inside", found=len(source.inside), expected=source.inside[0].offset)
    if source.self_closed:
        yield _remark("self_closing", found=source.self_closed, expected=source.self_closed_first[0].offset)
    if source.references:
        yield _remark("references", found=source.references)
    if source.comments:
        yield _remark("comments", found=source.comments)
    if tree is not None:
        written = [name for name, _ in source.root_attributes]
        right = _canonical_order(tree.root)
        if right and right != written:
            yield _remark("root_order", found=" ".join(written), expected=" ".join(right))
    if signed_info is not None:
        names = sorted(f"xmlns:{prefix}" if prefix else "xmlns" for prefix in signed_info.nsmap)
        yield _remark("namespace_count", found=" ".join(names))
        if "xmlns:xsi" not in names:
            yield _remark("no_xsi")


def _canonical_order(root: Any) -> list[str]:
    """The names of the root's attributes in canonical order."""
    tag = start_tag("root", root.nsmap, root.attrib)
    return [name for name, _ in read_source(tag).root_attributes] if tag else []


# ── differences ─────────────────────────────────────────────────────────────────────────────────────


def first_difference(ours: bytes, theirs: bytes) -> int | None:
    """The offset of the first byte at which two texts part, None when they are equal."""
    if ours == theirs:
        return None
    low, high = 0, min(len(ours), len(theirs))
    while low < high:
        middle = (low + high + 1) // 2
        if ours[low:middle] == theirs[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _excerpt(text: bytes, offset: int) -> Excerpt:
    return Excerpt(
        place_of(text, offset),
        visible(text[max(0, offset - CONTEXT_BYTES) : offset]),
        visible(text[offset : offset + CONTEXT_BYTES]),
        hexed(text[offset : offset + 8]),
        len(text),
    )


def _difference(name: str, ours: bytes, theirs: bytes) -> list[Difference]:
    offset = first_difference(ours, theirs)
    if offset is None:
        return []
    return [Difference(name, _excerpt(ours, offset), _excerpt(theirs, offset))]


def _changed_since(reference: bytes | None, canonical: bytes, case: Case | None) -> Finding | None:
    """The certain cause where the reference gives the claimed digest and this file does not: what was changed."""
    if reference is None or case is None:
        return None
    claimed = "".join(case.parts.digest_text.split())
    for text in _texts_of(reference):
        offset = first_difference(text, canonical)
        if offset is not None and any(to_base64(digest(name, text)) == claimed for name in TRIED_HASHES):
            entry = tables()["remarks"]["changed_after_signing"]
            values = {"offset": offset, "was": _value_at(text, offset), "now": _value_at(canonical, offset)}
            return Finding("changed_after_signing", "digest", words_of(entry["message"], **values),
                           words_of(entry["remedy"]))  # fmt: skip
    return None


def _texts_of(reference: bytes) -> Iterator[bytes]:
    """The texts that a reference may stand for: its canonical form, and itself."""
    try:
        tree = read_tree(reference)
        yield serialised(tree.root, _signature_in(tree.root)).text
    except (Malformed, etree.C14NError):
        pass
    yield reference


_BOUND = re.compile(rb"[<>\"]")


def _value_at(text: bytes, offset: int) -> str:
    """The value around a byte, up to the tags or quotes beside it; a long one is cut, an empty one is \"\"."""
    start, end = offset, offset
    while start > max(0, offset - VALUE_BYTES_MAX) and text[start - 1 : start] not in (b"<", b">", b'"'):
        start -= 1
    if bound := _BOUND.search(text, offset):
        end = bound.start()
    cut = min(end, offset + VALUE_BYTES_MAX)
    while 0 < start < len(text) and text[start] & 0xC0 == 0x80:
        start -= 1
    while cut < end and text[cut] & 0xC0 == 0x80:
        cut += 1
    return (visible(text[start:cut]) or '""') + ("…" if cut < end else "")


def _compare_reference(
    reference: bytes, canonical: bytes, signed_info: bytes, case: Case | None
) -> tuple[list[Finding], list[Difference]]:
    """A second file: the original message, or the text that was hashed or signed."""
    if case is not None:
        claimed = "".join(case.parts.digest_text.split())
        for name in TRIED_HASHES:
            if to_base64(digest(name, reference)) == claimed:
                hashed = [_remark("reference_hashed", "reference", found=name)]
                return hashed, _difference("reference_text", canonical, reference)
    if _SIGNED_INFO.match(reference):
        differences = _difference("reference_signed", signed_info, reference)
        name = "reference_differs" if differences else "reference_same"
        return [_remark(name, "reference")], differences
    try:
        tree = read_tree(reference)
        theirs = serialised(tree.root, _signature_in(tree.root)).text
    except (Malformed, etree.C14NError):
        remark = _remark("reference_unreadable", "reference")
        return [remark], _difference("reference_text", canonical, reference)
    differences = _difference("reference", canonical, theirs)
    return [_remark("reference_differs" if differences else "reference_same", "reference")], differences
