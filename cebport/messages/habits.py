"""The known mistakes of signing clients (常见加签错误), tried one by one on a message that does not verify.

A digest or a signature value that fits none of the accepted readings is compared with what each habit
would have produced: another text hashed, another hash, another wrapping of the bytes, another key. A habit
that reproduces the value is the proof of what went wrong, and the text it hashed shows which bytes differ.
Names of habits are rows of tables/habits.yaml, which says in two languages what is wrong and how to mend it.

Reading order: ``Case``, ``explain_digest`` over ``_digest_texts``, ``explain_value`` over ``_signed_texts``.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from lxml import etree

from cebport.messages import sm2
from cebport.messages.canonical import (
    WHITE,
    Canonical,
    Read,
    canonical_signed_info,
    compact,
    qualified,
    serialised,
    start_tag,
    with_namespaces,
)
from cebport.messages.certificates import Certificate, decode_base64
from cebport.messages.signature import ASSUMED_NAMESPACES, digest, to_base64
from cebport.messages.source import Source, visible
from cebport.messages.xmldsig import DS, METHODS, Method, Parts

HASHES = ("sha1", "sm3", "sha256", "md5", "sha512", "sha384", "sha224")
TEXT_BYTES_MAX = 4 * 1024 * 1024
"""Above this size only the cheap habits are tried."""
OTHER_CARDS_MAX = 200
LIKELY_TEXTS = 8
"""For so many texts every way to make e is tried: an SM2 check costs a third of a millisecond."""
PARTS_MAX = 3
TAIL_CHILDREN_MAX = 3
INDENTS = {"2 spaces": "  ", "4 spaces": "    ", "tab": "\t"}
OTHER_USER_IDS = {
    "(empty)": b"",
    "0x31323334…": b"31323334353637383132333435363738",
    "ALICE123@YAHOO.COM": b"ALICE123@YAHOO.COM",
}
_DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>'
_EMPTY_ELEMENT = re.compile(rb"<([^<>/?!][^<>]*)></[^<>]+>")
_DIGEST_INFO = {
    "sha1": bytes.fromhex("3021300906052b0e03021a05000414"),
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
    "sha224": bytes.fromhex("302d300d06096086480165030402040500041c"),
    "md5": bytes.fromhex("3020300c06082a864886f70d020505000410"),
    "sm3": bytes.fromhex("3030300c06082a811ccf5501831105000420"),
}


class Cause(NamedTuple):
    """One mistake: a row of habits.yaml and what to say beside it."""

    habit: str
    note: str = ""


Causes = tuple[Cause, ...]


class Match(NamedTuple):
    """A value reproduced: by which mistakes, over which text, and how many texts were tried."""

    causes: Causes
    text: bytes
    hash: str = ""


class Case(NamedTuple):
    """A message under the doctor's hands; canonical is its strict reading."""

    tree: Read
    signature: Any
    parts: Parts
    method: Method
    canonical: Canonical
    source: Source
    certificate: Certificate | None
    others: tuple[Certificate, ...] = ()

    @property
    def raw_without_signature(self) -> bytes:
        """The file's bytes with the Signature cut out."""
        if self.source.signature is None:
            return self.tree.raw
        start, end = self.source.signature
        return self.tree.raw[:start] + self.tree.raw[end:]


# ── the digest ──────────────────────────────────────────────────────────────────────────────────────


def claims(text: str) -> list[tuple[Causes, bytes]]:
    """What the text of a DigestValue or SignatureValue may stand for, the right reading first."""
    pressed = "".join(text.split())
    found: list[tuple[Causes, bytes]] = []
    try:
        data = decode_base64(text)
    except ValueError:
        data = b""
    if data:
        found.append(((), data))
        try:
            found.append(((Cause("base64_of_hex"),), bytes.fromhex(data.decode("ascii"))))
        except ValueError:
            pass
        try:
            found.append(((Cause("double_base64"),), a2b_base64(data, strict_mode=True)))
        except ValueError:
            pass
    readings = (
        ("hex_value", lambda: bytes.fromhex(pressed)),
        ("urlsafe_base64", lambda: decode_base64(pressed.replace("-", "+").replace("_", "/"))),
        ("plus_became_space", lambda: decode_base64(text.strip().replace(" ", "+"))),
        ("base64_without_padding", lambda: decode_base64(pressed + "=" * (-len(pressed) % 4))),
    )
    for habit, read in readings:
        try:
            value = read()
        except ValueError:
            continue
        if value and all(value != known for _, known in found):
            found.append(((Cause(habit),), value))
    return found


def explain_digest(case: Case) -> tuple[Match | None, int]:
    """(the first habit that reproduces the claimed digest, how many texts were tried)."""
    claimed = claims(case.parts.digest_text)
    names = (case.method.digest_hash, *(name for name in HASHES if name != case.method.digest_hash))
    tried = 0
    for causes, text in _digest_texts(case):
        tried += 1
        for name in names if len(text) <= TEXT_BYTES_MAX else names[:2]:
            made = digest(name, text)
            for form, value in claimed:
                if made == value:
                    other = () if name == case.method.digest_hash else (Cause("other_hash", name),)
                    return Match((*causes, *other, *form), text, name), tried
    return None, tried


def _trims(before: bytes, after: bytes, white: bytes = WHITE) -> Iterator[tuple[Causes, bytes]]:
    """The text as it is, then with other white space where the Signature stands."""
    left, right = before.rstrip(white), after.lstrip(white)
    was_left, was_right = before[len(left) :], after[: len(after) - len(right)]
    whole = was_left + was_right
    yield (), before + after
    variants: dict[bytes, str] = {}
    for space, note in ((whole, ""), (was_right, "before"), (was_left, "after"), (b"", "before, after")):
        variants.setdefault(space, note)
    for space in (b"\n", b"\r\n", whole.replace(b"\n", b"", 1), was_left.replace(b"\n", b"", 1) + was_right):
        variants.setdefault(space, visible(space))
    for space, note in variants.items():
        if space != whole:
            yield (Cause("beside_signature", note),), left + space + right


def _digest_texts(case: Case) -> Iterator[tuple[Causes, bytes]]:
    """Every text that some client hashes, the likely ones first."""
    trimmed = list(_trims(case.canonical.before, case.canonical.after))
    yield from trimmed
    for causes, text in trimmed:
        for cause, made in _rewritten(case, text):
            yield (*causes, cause), made
    yield from _raw_texts(case)
    yield (Cause("empty_text"),), b""
    strict = case.canonical.text
    for name in HASHES[:3]:
        made = digest(name, strict)
        for note, again in (("bytes", made), ("hex", made.hex().encode()), ("base64", to_base64(made).encode())):
            yield (Cause("hash_of_hash", f"{name}, {note}"),), again
    if len(strict) <= TEXT_BYTES_MAX:
        yield from _tree_texts(case)


def _rewritten(case: Case, text: bytes) -> Iterator[tuple[Cause, bytes]]:
    """The canonical text with something around it, or written in another way."""
    declaration = case.source.declaration.encode() or _DECLARATION
    for note, made in (
        ("", declaration + text),
        ("LF", declaration + b"\n" + text),
        ("CR LF", declaration + b"\r\n" + text),
    ):
        yield Cause("with_declaration", note), made
    yield Cause("line_end_added", "LF"), text + b"\n"
    yield Cause("line_end_added", "CR LF"), text + b"\r\n"
    yield Cause("crlf_text"), text.replace(b"\n", b"\r\n")
    try:
        yield Cause("gbk_text"), text.decode("utf-8").encode("gb18030")
    except UnicodeDecodeError:
        pass
    yield Cause("self_closed"), _EMPTY_ELEMENT.sub(rb"<\1/>", text)
    yield Cause("self_closed", "/> with a space"), _EMPTY_ELEMENT.sub(rb"<\1 />", text)
    yield Cause("compact_text"), compact(text)
    yield Cause("compact_text", "self-closed"), _EMPTY_ELEMENT.sub(rb"<\1/>", compact(text))
    yield from _other_roots(case, text)


def _other_roots(case: Case, text: bytes) -> Iterator[tuple[Cause, bytes]]:
    """The same text under another start tag of the root."""
    root = case.tree.root
    name = qualified(root)
    head = start_tag(name, root.nsmap, root.attrib)
    if head is None or not text.startswith(head):
        return
    rest = text[len(head) :]
    yield Cause("source_root_tag"), case.source.root_tag + rest
    xsi = {"xsi": ASSUMED_NAMESPACES["xsi"]}
    for note, namespaces in (
        ("+ xsi", {**root.nsmap, **xsi}),
        ("+ ds", {**root.nsmap, "ds": DS}),
        ("+ ds, xsi", {**root.nsmap, **xsi, "ds": DS}),
        ("- xsi", {prefix: uri for prefix, uri in root.nsmap.items() if prefix != "xsi"}),
        ("- ds", {prefix: uri for prefix, uri in root.nsmap.items() if prefix != "ds"}),
    ):
        changed = start_tag(name, namespaces, root.attrib)
        if changed is not None and namespaces != root.nsmap:
            yield Cause("root_namespaces", note), changed + rest


def _raw_texts(case: Case) -> Iterator[tuple[Causes, bytes]]:
    """The bytes of the file without the Signature, not canonicalised."""
    raw, span = case.tree.raw, case.source.signature
    before, after = (raw[: span[0]], raw[span[1] :]) if span else (raw, b"")
    for causes, text in _trims(before, after, b" \t\r\n"):
        bare = text.removeprefix(b"\xef\xbb\xbf")
        body = bare[len(case.source.declaration) :].lstrip() if case.source.declaration else bare
        for note, made in (
            ("", text),
            ("without the byte order mark", bare),
            ("without the declaration", body),
            ("without the declaration and the last line end", body.rstrip()),
            ("without the last line end", bare.rstrip()),
        ):
            yield (*causes, Cause("raw_bytes", note)), made
            if b"\r\n" in made:
                yield (*causes, Cause("raw_bytes", note), Cause("lf_text")), made.replace(b"\r\n", b"\n")
            elif b"\n" in made:
                yield (*causes, Cause("raw_bytes", note), Cause("crlf_text")), made.replace(b"\n", b"\r\n")


def _tree_texts(case: Case) -> Iterator[tuple[Causes, bytes]]:
    """Texts for which the document must be built again; the tree that came in is left alone."""
    for causes, text in _trims(case.canonical.before, case.canonical.after):
        clean = etree.fromstring(text)
        exclusive = etree.tostring(clean.getroottree(), method="c14n", exclusive=True, with_comments=False)
        yield (*causes, Cause("exclusive_c14n")), exclusive
    if case.source.comments:
        commented = serialised(case.tree.root, case.signature, comments=True)
        for causes, text in _trims(commented.before, commented.after):
            yield (*causes, Cause("with_comments")), text
    for note, space in INDENTS.items():
        indented = etree.fromstring(case.canonical.text)
        etree.indent(indented, space)
        text = etree.tostring(indented, method="c14n")
        yield (Cause("reindented", note),), text
        yield (Cause("reindented", f"{note}, CR LF"),), text.replace(b"\n", b"\r\n")
    yield from _signature_in_place(case)
    yield from _without_tail(case)
    for child in list(case.tree.root)[:PARTS_MAX]:
        for part in (child, *list(child)[:PARTS_MAX]) if isinstance(child.tag, str) else ():
            if isinstance(part.tag, str) and part is not case.signature:
                text = etree.tostring(part, method="c14n", with_comments=False)
                yield (Cause("only_part", qualified(part)),), text
                yield (Cause("only_part", qualified(part)), Cause("compact_text")), compact(text)


def _signature_in_place(case: Case) -> Iterator[tuple[Causes, bytes]]:
    """The canonical document with the Signature still in it, its values not yet filled in."""
    whole = etree.tostring(case.tree.root.getroottree(), method="c14n", with_comments=False)
    name = qualified(case.signature)
    prefix = name.removesuffix("Signature").encode()

    def emptied(text: bytes, local: bytes) -> bytes:
        tag = prefix + local
        return re.sub(b"(<" + tag + b">)[^<]*(</" + tag + b">)", rb"\1\2", text)

    def dropped(text: bytes, local: bytes) -> bytes:
        tag = prefix + local
        return re.sub(b"<" + tag + b">.*</" + tag + b">", b"", text, flags=re.DOTALL)

    no_digest = emptied(whole, b"DigestValue")
    neither = emptied(no_digest, b"SignatureValue")
    for note, text in (
        ("DigestValue, SignatureValue empty", neither),
        ("DigestValue, SignatureValue empty, no KeyInfo", dropped(neither, b"KeyInfo")),
        ("DigestValue empty, no SignatureValue", dropped(no_digest, b"SignatureValue")),
        ("SignedInfo alone", dropped(dropped(no_digest, b"SignatureValue"), b"KeyInfo")),
        ("no SignedInfo", dropped(whole, b"SignedInfo")),
    ):
        yield (Cause("signature_in_place", note),), text
        yield (Cause("signature_in_place", note), Cause("compact_text")), compact(text)


def _without_tail(case: Case) -> Iterator[tuple[Causes, bytes]]:
    """The document before its last children were added (BaseTransfer after signing)."""
    clean = etree.fromstring(case.canonical.text)
    removed: list[str] = []
    for _ in range(min(TAIL_CHILDREN_MAX, len(clean) - 1)):
        last = clean[-1]
        tail = last.tail
        removed.insert(0, etree.QName(last).localname)
        clean.remove(last)
        kept = clean[-1].tail
        for space in dict.fromkeys((kept, tail)):
            clean[-1].tail = space
            yield (Cause("added_later", ", ".join(removed)),), etree.tostring(clean, method="c14n")


# ── the signature value ─────────────────────────────────────────────────────────────────────────────


def explain_value(case: Case) -> tuple[Match | None, int]:
    """(the first habit under which the signature value fits, how many texts were tried)."""
    certificate = case.certificate
    if certificate is None or certificate.algorithm not in ("rsa", "sm2"):
        return None, 0
    texts = list(dict.fromkeys(_signed_texts(case)))
    values = claims(case.parts.value_text)
    try:
        return _explain_by_keys(case, certificate, texts, values), len(texts)
    except ValueError:  # a key that is on no curve, or of no usable size
        return None, len(texts)


def _explain_by_keys(
    case: Case, certificate: Certificate, texts: list[tuple[Causes, bytes]], values: list[tuple[Causes, bytes]]
) -> Match | None:
    """With the message's own certificate, then with every other card of the trust store."""
    explain = _explain_sm2 if certificate.algorithm == "sm2" else _explain_rsa
    unknown: Match | None = None
    for form, value in values:
        match = explain(certificate, texts, value)
        if match is not None and match.causes[:1] and match.causes[0].habit == "other_text_signed":
            unknown = unknown or match
            continue
        if match is not None:
            causes = (*match.causes, *form)
            if certificate.algorithm != case.method.key:
                causes = (*causes, Cause("method_of_other_key", certificate.algorithm))
            elif match.hash and match.hash != case.method.signature_hash:
                causes = (*causes, Cause("other_hash", match.hash))
            return match._replace(causes=causes)
    others = [card for card in case.others[:OTHER_CARDS_MAX] if card.algorithm in ("rsa", "sm2")]
    for other in others if unknown is None else ():
        explain = _explain_sm2 if other.algorithm == "sm2" else _explain_rsa
        match = explain(other, texts[:LIKELY_TEXTS], values[0][1]) if values else None
        if match is not None and other.der != certificate.der:
            wrong = Cause("wrong_key", f"{other.subject} ({other.serial_hex})")
            return match._replace(causes=(wrong, *match.causes, *values[0][0]))
    return unknown


def _signed_texts(case: Case) -> Iterator[tuple[Causes, bytes]]:
    """Every text that some client signs, the likely ones first."""
    strict = canonical_signed_info(case.tree.root, case.parts.signed_info)
    pressed = compact(strict)
    forms: list[tuple[Causes, bytes]] = [((), strict)]
    if pressed != strict:
        forms.append(((Cause("signedinfo_whitespace"),), pressed))
    forms.append(((Cause("signedinfo_line_feeds"),), _with_line_feeds(pressed)))
    forms += [((*causes, Cause("self_closed")), _EMPTY_ELEMENT.sub(rb"<\1/>", text)) for causes, text in list(forms)]
    for causes, text in forms:
        yield causes, text
        for cause, made in _namespaced(case, text):
            yield (*causes, cause), made
    if case.source.signed_info is not None:
        yield (Cause("signedinfo_verbatim"),), case.source.signed_info.data
    claimed = "".join(case.parts.digest_text.split())
    right = to_base64(digest(case.method.digest_hash, *case.canonical))
    for causes, text in forms[:2]:
        empty = text.replace(claimed.encode(), b"")
        for made in (empty, *(made for _, made in _namespaced(case, empty))):
            yield (*causes, Cause("empty_digest_signed")), made
        if right != claimed:
            fresh = text.replace(claimed.encode(), right.encode())
            for made in (fresh, *(made for _, made in _namespaced(case, fresh))):
                yield (*causes, Cause("digest_changed_later")), made
        for method in METHODS:
            if method != case.method:
                yield (*causes, Cause("methods_changed_later", method.name)), _with_method(case, text, method)
    for note, value in (("claimed", claimed), ("right", right)):
        yield from _over_digest(note, value)
    for note, made in (
        ("canonical, without the Signature", case.canonical.text),
        ("bytes without the Signature", case.raw_without_signature),
        ("bytes of the file", case.tree.raw),
    ):
        yield (Cause("document_signed", note),), made


def _with_line_feeds(pressed: bytes) -> bytes:
    """SignedInfo as some libraries print it: a line feed between tags, none inside an empty element."""
    broken = pressed.replace(b"><", b">\n<")
    return re.sub(rb"(<[^/<>][^<>]*>)\n(?=</)", rb"\1", broken)


def _namespaced(case: Case, text: bytes) -> Iterator[tuple[Cause, bytes]]:
    """The same SignedInfo with other namespaces declared at its start tag."""
    name = qualified(case.parts.signed_info)
    own = case.parts.signed_info.nsmap
    ceb, xsi = ASSUMED_NAMESPACES["ceb"], ASSUMED_NAMESPACES["xsi"]
    prefix = case.parts.signed_info.prefix
    sets: list[tuple[str, dict[str | None, str]]] = [
        ("ceb, ds, xsi", dict(ASSUMED_NAMESPACES)),
        ("ds", {prefix: DS}),
        ("ceb, ds", {"ceb": ceb, prefix: DS}),
        ("ds, xsi", {prefix: DS, "xsi": xsi}),
        ("xmlns, ds", {None: ceb, "ds": DS}),
        ("xmlns, ds, xsi", {None: ceb, "ds": DS, "xsi": xsi}),
        ("", {}),
    ]
    for note, namespaces in sets:
        if namespaces != own:
            habit = "assumed_namespaces" if note == "ceb, ds, xsi" else "signedinfo_namespaces"
            yield Cause(habit, note or "-"), with_namespaces(text, name, namespaces)


def _with_method(case: Case, text: bytes, method: Method) -> bytes:
    old, new = case.method, method
    swapped = text.replace(f'"{old.signature_uri}"'.encode(), f'"{new.signature_uri}"'.encode())
    return swapped.replace(f'"{old.digest_uri}"'.encode(), f'"{new.digest_uri}"'.encode())


def _over_digest(note: str, value: str) -> Iterator[tuple[Causes, bytes]]:
    """The digest signed instead of SignedInfo."""
    try:
        raw = decode_base64(value)
    except ValueError:
        return
    for form, made in (
        ("bytes", raw),
        ("base64", value.encode()),
        ("hex", raw.hex().encode()),
        ("HEX", raw.hex().upper().encode()),
    ):
        yield (Cause("digest_signed", f"{note}, {form}"),), made


def recover(certificate: Certificate, value: bytes) -> tuple[str, bytes] | None:
    """(hash name, hash) inside an RSA signature, "" for a hash without its name; None: not this key's."""
    key = certificate.rsa_key.public_numbers()
    size = (key.n.bit_length() + 7) // 8
    number = int.from_bytes(value, "big")
    if len(value) != size or number >= key.n:
        return None
    padded = pow(number, key.e, key.n).to_bytes(size, "big")
    found = re.match(rb"\x00\x01\xff{8,}\x00(.*)\Z", padded, re.DOTALL)
    if found is None:
        return None
    inner = found[1]
    for name, prefix in _DIGEST_INFO.items():
        if inner.startswith(prefix):
            return name, inner[len(prefix) :]
    return "", inner


def _explain_rsa(certificate: Certificate, texts: Iterable[tuple[Causes, bytes]], value: bytes) -> Match | None:
    """Open the signature with the public key: the hash in it tells what was signed."""
    for order, reading in (((), value), ((Cause("reversed_bytes"),), value[::-1])):
        opened = recover(certificate, reading)
        if opened is None:
            continue
        name, inner = opened
        texts = list(texts)
        for causes, text in texts:
            for hash_name in (name,) if name else HASHES:
                if digest(hash_name, text) == inner:
                    bare = () if name else (Cause("no_digest_info", hash_name),)
                    return Match((*causes, *bare, *order), text, hash_name)
            if not name and inner == text:
                return Match((*causes, Cause("no_hash"), *order), text)
        return Match((Cause("other_text_signed", f"{name} {inner.hex()}".strip()), *order), b"", name)
    return _explain_pss(certificate, texts, value)


def _explain_pss(certificate: Certificate, texts: Iterable[tuple[Causes, bytes]], value: bytes) -> Match | None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    for causes, text in texts:
        for name, algorithm in (("sha1", hashes.SHA1()), ("sha256", hashes.SHA256())):
            scheme = padding.PSS(padding.MGF1(algorithm), padding.PSS.AUTO)
            try:
                certificate.rsa_key.verify(value, text, scheme, algorithm)
            except InvalidSignature:
                continue
            return Match((*causes, Cause("rsa_pss", name)), text, name)
    return None


def _sm2_forms(value: bytes) -> Iterator[tuple[Causes, bytes]]:
    """What the bytes of an SM2 signature may mean."""
    if len(value) == sm2.SIGNATURE_BYTES:
        yield (), value
        yield (Cause("sm2_swapped"),), value[32:] + value[:32]
        yield (Cause("reversed_bytes"),), value[:32][::-1] + value[32:][::-1]
        yield (Cause("reversed_bytes", "r || s"),), value[::-1]
    raw = sm2.from_der(value)
    if raw is not None:
        yield (Cause("sm2_der"),), raw


def _sm2_hashes(public: bytes, text: bytes) -> Iterator[tuple[Causes, bytes]]:
    """What e may have been made of, the standard way first."""
    yield (), sm2.sm3(sm2.z_value(public), text)
    yield (Cause("sm2_without_z"),), sm2.sm3(text)
    yield (Cause("sm2_of_hash"),), sm2.sm3(sm2.z_value(public), sm2.sm3(text))
    for note, user_id in OTHER_USER_IDS.items():
        yield (Cause("sm2_user_id", note),), sm2.sm3(sm2.z_value(public, user_id), text)
    for name in ("sha256", "sha1"):
        yield (Cause("sm2_other_hash", name),), digest(name, text)


def _explain_sm2(certificate: Certificate, texts: Iterable[tuple[Causes, bytes]], value: bytes) -> Match | None:
    key = sm2.PublicKey.of(certificate.sm2_key)
    forms = list(_sm2_forms(value))
    likely = [form for form in forms if form[0] in ((), (Cause("sm2_der"),))]
    for number, (causes, text) in enumerate(texts):
        hashes = list(_sm2_hashes(certificate.sm2_key, text))
        for how, e in hashes if number < LIKELY_TEXTS else hashes[:1]:
            for form, raw in forms if number < 2 else likely:
                if key.verify_hash(e, raw):
                    return Match((*causes, *how, *form), text, "sm3")
    return None
