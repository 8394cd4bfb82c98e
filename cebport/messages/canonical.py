"""The canonical bytes of a signed document (规范化): inclusive C14N 1.0 without comments.

Two ways lead there. libxml2 serialises the tree: always right, and half the cost of a message. Most
messages are canonical as they arrive, though, apart from the start tag of the root: ``_verbatim``
proves that by a few searches over the bytes and takes them as they are. What it cannot prove goes the
first way. Neither changes the tree: the Signature is cut out of the text, not out of the tree.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from lxml import etree

XML_NAMESPACE = "{http://www.w3.org/XML/1998/namespace}"
WHITE = b" \t\n"


class Read(Protocol):
    """A document that was read safely: wire.Tree, or an envelope's own. ``data`` is what root was made from:
    the text in UTF-8 without byte order mark.
    """

    @property
    def root(self) -> Any:
        """The lxml root."""
        ...

    @property
    def raw(self) -> bytes:
        """The bytes as they came."""
        ...

    @property
    def data(self) -> bytes:
        """The text in UTF-8."""
        ...


class Canonical(NamedTuple):
    """The canonical document on both sides of its Signature: what was hashed is the three in a row."""

    head: bytes
    body: bytes
    after: bytes

    @property
    def before(self) -> bytes:
        """Everything in front of the Signature."""
        return self.head + self.body

    @property
    def text(self) -> bytes:
        """The whole canonical document without its Signature."""
        return b"".join(self)


_DECLARATION = re.compile(
    rb"(?:<\?xml\s+version\s*=\s*[\"']1\.0[\"'](?:\s+encoding\s*=\s*[\"'](?i:utf-8)[\"'])?"
    rb"(?:\s+standalone\s*=\s*[\"'](?:yes|no)[\"'])?\s*\?>)?\s*(?=<[^!?])"
)
_ROOT_TAG = re.compile(rb"<[^\s<>/=\"']+(?:\s+[^\s<>/=\"']+\s*=\s*(?:\"[^\"]*\"|'[^']*'))*\s*>")
_OTHER_REFERENCE = re.compile(rb"&(?!(?:amp|lt|gt);)")
_FLESH = bytes(set(range(256)) - set(b"<>/ \t\n"))
_WHITE_TO_SPACE = bytes.maketrans(b"\t\n", b"  ")
_TAIL_BYTES = 16 * 1024
"""How far from the end the Signature is looked for; a longer one goes the other way."""
_ATTRIBUTE_ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", '"': "&quot;", "\t": "&#x9;", "\n": "&#xA;", "\r": "&#xD;"}
)


def start_tag(name: str, namespaces: Mapping[str | None, str], attributes: Mapping[str, str]) -> bytes | None:
    """The canonical start tag: namespaces by prefix, attributes by (namespace, name).

    None when an attribute's prefix cannot be told from its namespace.
    """
    prefixes: dict[str, list[str]] = {}
    written = [f"<{name}"]
    for prefix, uri in sorted(namespaces.items(), key=lambda item: item[0] or ""):
        if prefix:
            prefixes.setdefault(uri, []).append(prefix)
        if uri and prefix != "xml":
            label = f"xmlns:{prefix}" if prefix else "xmlns"
            written.append(f'{label}="{uri.translate(_ATTRIBUTE_ESCAPES)}"')
    prefixes[XML_NAMESPACE[1:-1]] = ["xml"]
    parted = sorted(
        (*key[1:].split("}"), value) if key[0] == "{" else ("", key, value) for key, value in attributes.items()
    )
    for uri, local, value in parted:
        if uri and len(prefixes.get(uri, ())) != 1:
            return None
        label = f"{prefixes[uri][0]}:{local}" if uri else local
        written.append(f'{label}="{value.translate(_ATTRIBUTE_ESCAPES)}"')
    return (" ".join(written) + ">").encode()


def qualified(element: Any) -> str:
    """``ceb:Order`` as the source writes it."""
    local = etree.QName(element).localname
    return f"{element.prefix}:{local}" if element.prefix else local


def _is_plain(body: bytes) -> bool:
    """Whether the inside of the root is canonical as it stands: elements and text in UTF-8, nothing else.

    The text is well-formed, so without ``<!`` and ``<?`` every ``<`` opens a tag. Of the body only
    ``< > /`` and white space are kept. Then (1) ``<`` and ``>`` alternate: no ``>`` stands in text. (2)
    Every tag is ``<>`` or ``</>``: no white space in it, hence no attributes. (3) There are as many of
    the one as of the other: none closes itself. References are the three that C14N writes in text.
    """
    if b"\r" in body or (b"!" in body and b"<!" in body) or (b"?" in body and b"<?" in body):
        return False
    if _OTHER_REFERENCE.search(body):
        return False
    bones = body.translate(_WHITE_TO_SPACE, _FLESH)
    brackets = bones.translate(None, b"/ ")
    tags = len(brackets) // 2
    if brackets != b"<>" * tags:
        return False
    opened, closed = bones.count(b"<>"), bones.count(b"</>")
    return opened == closed and opened + closed == tags


def _verbatim(tree: Read, signature: Any) -> Canonical | None:
    """The canonical text taken from the bytes themselves; None when they are not provably canonical.

    ``signature`` is the last child of the root and its form was checked, so that it holds no second
    one; None for no signature.
    """
    raw, root = tree.data, tree.root
    if not all(":" in uri for uri in root.nsmap.values()):
        return None
    declaration = _DECLARATION.match(raw)
    opened = _ROOT_TAG.match(raw, declaration.end()) if declaration else None
    head = start_tag(qualified(root), root.nsmap, root.attrib) if opened else None
    if opened is None or head is None:
        return None
    closing = f"</{qualified(root)}>".encode()
    base = max(opened.end(), len(raw) - _TAIL_BYTES)
    tail = raw[base:]
    if b"<!" in tail or b"<?" in tail:
        return None
    if signature is None:
        at = resume = tail.rfind(closing)
    else:
        name = re.escape(qualified(signature).encode())
        begins = [found.start() for found in re.finditer(rb"<" + name + rb"[\s>]", tail)]
        ends = [found.end() for found in re.finditer(rb"</" + name + rb"\s*>", tail)]
        if not begins or not ends:
            return None
        at, resume = begins[-1], ends[-1]
    after = tail[resume:].rstrip(b" \t\r\n")
    if at < 0 or not after.endswith(closing) or after[: -len(closing)].strip(WHITE):
        return None
    body = raw[opened.end() : base + at]
    return Canonical(head, body, after) if _is_plain(body) else None


def serialised(root: Any, signature: Any, *, comments: bool = False) -> Canonical:
    """The canonical text as libxml2 writes it, parted where the last Signature stands.

    comments: leave them in (the signature rules leave them out). Raises etree.C14NError (relative
    namespace names have no canonical form).
    """
    text = etree.tostring(root.getroottree(), method="c14n", with_comments=comments)
    if signature is None:
        return Canonical(b"", text, b"")
    name = qualified(signature).encode()
    token = re.compile(
        rb"<!--.*?-->|<\?.*?\?>|<" + re.escape(name) + rb"(?=[ >])|</" + re.escape(name) + rb">", re.DOTALL
    )
    opened: list[int] = []
    start = end = -1
    for found in token.finditer(text):
        if found[0].startswith(b"</"):
            start, end = opened.pop(), found.end()
        elif not found[0].startswith((b"<?", b"<!")):
            opened.append(found.start())
    assert start >= 0, "libxml2 writes the element that the tree has"
    return Canonical(b"", text[:start], text[end:])


def canonical_of(tree: Read, signature: Any) -> Canonical:
    """The canonical document without ``signature`` (None: there is none). The tree stays as it is."""
    return _verbatim(tree, signature) or serialised(tree.root, signature)


def canonical_element(element: Any) -> bytes:
    """C14N of one element of a document, with every namespace in scope.

    lxml writes ``xmlns=""`` into the grandchildren of an element whose default namespace is declared above it; such an
    element is canonicalised as a document of its own, which says what is in scope at its root.
    """
    if element.prefix is None and element.nsmap.get(None):
        alone = etree.tostring(element, encoding="utf-8", with_tail=False)
        element = etree.fromstring(alone, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True))
    return etree.tostring(element, method="c14n", with_comments=False)


def canonical_signed_info(root: Any, signed_info: Any) -> bytes:
    """C14N(SignedInfo) in its document: every namespace in scope, and the root's xml:* attributes."""
    text = canonical_element(signed_info)
    inherited = {key: value for key, value in root.attrib.items() if key.startswith(XML_NAMESPACE)}
    if not inherited:
        return text
    plain = start_tag(qualified(signed_info), signed_info.nsmap, {})
    full = start_tag(qualified(signed_info), signed_info.nsmap, inherited)
    assert plain is not None and full is not None and text.startswith(plain)
    return full + text[len(plain) :]


_WHITE_TEXT = re.compile(rb">(?:[ \t\n]|&#xD;)+<")


def compact(canonical: bytes) -> bytes:
    """Canonical bytes without their white-space-only text nodes."""
    return _WHITE_TEXT.sub(b"><", canonical)


_CANONICAL_TAG = re.compile(rb'<[^\s<>]+(?: [^\s=<>]+="[^"]*")*>')


def with_namespaces(canonical: bytes, name: str, namespaces: Mapping[str | None, str]) -> bytes:
    """Canonical bytes of an element ``name`` without attributes, with other namespaces declared."""
    tag, own = start_tag(name, namespaces, {}), _CANONICAL_TAG.match(canonical)
    assert tag is not None and own is not None, "an element begins with its start tag"
    return tag + canonical[own.end() :]
