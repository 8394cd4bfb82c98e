"""One letter of the bonded side (金关二期报文): its records, and what is needed to write it again as it came.

A company's letter (BWS101, INV101, SAS121) travels as Signature/Object/Package, customs' receipts as a bare Package,
the answer at once alone. ``body`` holds the records; envelope and pocket stand beside it in the Package.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from msgspec import Struct

from cebport.faults import Fault, fault_of
from cebport.messages.bonded.records import Body, EnvelopInfo, PocketInfo
from cebport.messages.bonded.shape import ENTITIES, MESSAGES, NAMESPACE, NUMBERS, Shape

FAULTS_FILE = Path(__file__).parent / "tables" / "faults.yaml"
ALL, NUMBERS_ONLY, NONE = "all", "numbers", "none"
"""What is written of an absent field: always an empty element; only of a number; nothing."""


class Signature(Struct, frozen=True):
    """What stands around a signed Package: texts as written, "" for an empty element.

    reference: URI of the Reference; object_id: Id of the Object; certificate: base64 of KeyInfo, None where only the
    name of the key is there, as in what was seen. A client file has empty digest and value: the client signs.
    """

    signature_method: str
    digest_method: str
    canonicalization: str = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
    reference: str = "String"
    digest: str = ""
    value: str = ""
    key_name: str = ""
    certificate: str | None = None
    object_id: str = "String"


class Style(Struct, frozen=True):
    """How a letter is written. ``encoding`` as declared, "" for no declaration; ``namespace`` of the Package or root.

    signature_namespace: of the Signature around it. declares: further (prefix, namespace) of the root.
    empty: what becomes of absent fields (ALL, NUMBERS_ONLY, NONE).
    """

    encoding: str = "UTF-8"
    namespace: str = ""
    signature_namespace: str = ""
    declares: tuple[tuple[str, str], ...] = ()
    indent: bool = False
    empty: str = NONE


XSI = (("xsi", "http://www.w3.org/2001/XMLSchema-instance"),)
STYLES = {
    "company": Style(declares=XSI, indent=True),
    "INV": Style(namespace=NAMESPACE, indent=True, empty=ALL),
    "SAS": Style(encoding="utf-8", indent=True, empty=ALL),
    "answer": Style(encoding="gb2312", indent=True),
}
"""How each kind is written when nobody says otherwise: as those that were seen."""


class Kept(Struct, frozen=True):
    """An element that the tables do not know, as it came: path of its parent, its text as XML."""

    path: str
    xml: str

    @property
    def name(self) -> str:
        """The local name of the element."""
        return re.split(r"[\s/>]", self.xml[1:], maxsplit=1)[0].rpartition(":")[2]


class Letter(Struct, frozen=True):
    """A letter. ``style`` None: as its kind usually is. ``kept``, ``blanks``: what came beside the records.

    blanks: paths of numbers that came as empty elements (the record holds None), where ``style`` does not say so.
    """

    body: Body
    envelope: EnvelopInfo | None = None
    pocket: PocketInfo | None = None
    signature: Signature | None = None
    style: Style | None = None
    kept: tuple[Kept, ...] = ()
    blanks: tuple[str, ...] = ()

    @property
    def type(self) -> str:
        """INV101 and its like."""
        return type(self.body).__name__

    @property
    def shape(self) -> Shape:
        """Where its entities stand."""
        return MESSAGES[self.type]

    @property
    def own_number(self) -> str:
        """The company's own number of what it asked for; "" where the letter does not say it."""
        for record in (getattr(self.body, "head", None), self.body):
            for name in ("EtpsInnerInvtNo", "EtpsPreentNo", "etpsInnerInvtNo"):
                if value := getattr(record, name, None):
                    return str(value)
        return ""


def usual_style(kind: str) -> Style:
    """How letters of this kind are usually written."""
    dialect = MESSAGES[kind].dialect
    return STYLES[kind[:3] if dialect == "customs" else dialect]


@lru_cache(maxsize=1)
def catalog() -> dict[str, dict[str, Any]]:
    """The faults of these letters: code -> severity, source, words, ``lenient``."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    sections = yaml.load(FAULTS_FILE.read_bytes(), loader)
    return {
        code: {"severity": section["severity"], "source": section["source"], **entry}
        for section in sections.values()
        for code, entry in section["codes"].items()
    }


def fault(number: int, **values: Any) -> Fault:
    """The fault CEB-BONDXML-<number>; ``values`` as in faults.fault_of."""
    return fault_of(catalog(), f"CEB-BONDXML-{number:03}", **values)


@lru_cache(maxsize=8)
def pattern(number: str) -> re.Pattern[str]:
    """What a kind of number (book, seq, invt, passport, cbec) usually looks like."""
    return re.compile(NUMBERS[number].pattern)


@lru_cache(maxsize=32)
def places(entity: str) -> dict[str, int]:
    """Field -> its place in the entity."""
    return {field.name: at for at, field in enumerate(ENTITIES[entity])}
