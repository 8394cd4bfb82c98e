"""What is wrong, where, by which text, and what to do (差错).

A problem in somebody's data is a *value*, never an exception: a function that reads foreign data
returns what it could read and every fault it found. Only five exceptions exist, for the cases in
which there is no result at all or the caller must try again.

>>> catalog = {"CEB-DEMO-001": {"severity": "error", "source": "our own rule",
...     "message": {"zh": "{path} 是 {found}", "en": "{path} is {found}"},
...     "remedy": {"zh": "改为 {expected}", "en": "make it {expected}"}}}
>>> fault = fault_of(catalog, "CEB-DEMO-001", path="Order[1]/currency", found="502", expected="142")
>>> fault.message.en
'Order[1]/currency is 502'
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

ERROR = "error"
WARNING = "warning"
INFO = "info"
SEVERITIES = (ERROR, WARNING, INFO)

_BIRTH = r"(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_IDENTITY = re.compile(rf"(?<!\d)(\d{{4}})\d{{2}}{_BIRTH}\d{{2}}(\d[\dXx])(?!\d)")
FOUND_CHARS_MAX = 200
"""A found value longer than this is cut in the fault: a fault is read by people."""


class Words(NamedTuple):
    """One sentence in the two languages of the port."""

    zh: str
    en: str

    def at(self, lang: str) -> str:
        """The sentence in ``lang`` ("zh" or "en")."""
        return self.zh if lang == "zh" else self.en


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    code: the official code where one exists (``-301010``), else ours (``CEB-<PART>-<nnn>``).
    severity: ``error`` (refused), ``warning`` (accepted, said), ``info``.
    document: number of the document in its message, from 1; None = the message as a whole.
    path: where, as a path of official field names with indexes, e.g. ``Order[3]/OrderHead/freight``.
    found, expected: the values, personal data masked.
    source: the text that says so (announcement, schema, section of the specification).
    message, remedy: what is wrong and how to mend it, in Chinese and English.
    """

    code: str
    severity: str
    document: int | None
    path: str
    found: str
    expected: str
    source: str
    message: Words
    remedy: Words

    def as_dict(self) -> dict[str, Any]:
        """The JSON form; its schema is docs/reference/schemas/fault.json."""
        return {
            "code": self.code,
            "severity": self.severity,
            "document": self.document,
            "path": self.path,
            "found": self.found,
            "expected": self.expected,
            "source": self.source,
            "message": {"zh": self.message.zh, "en": self.message.en},
            "remedy": {"zh": self.remedy.zh, "en": self.remedy.en},
        }

    def with_severity(self, severity: str) -> Fault:
        """The same fault as another practice weighs it."""
        return replace(self, severity=severity)


def without_identity(text: str) -> str:
    """The text with anything that reads as an identity card number masked, whatever field it strayed into.

    >>> without_identity("currency 110101199003074514")
    'currency 1101************14'
    """
    return _IDENTITY.sub(r"\1************\2", text)


Catalog = Mapping[str, Mapping[str, Any]]
"""code -> {severity, source, message: {zh, en}, remedy: {zh, en}}: made from a tables/faults.yaml."""


def fault_of(
    catalog: Catalog,
    code: str,
    *,
    document: int | None = None,
    path: str = "",
    found: object = "",
    expected: object = "",
    severity: str | None = None,
    source: str | None = None,
    **values: object,
) -> Fault:
    """A fault with the catalog's words; ``{path} {found} {expected}`` and ``values`` are filled in.

    expected: a text, or words of both languages, each said in its own.

    Raises KeyError when the catalog has no such code: that is our own mistake, not the user's.
    """
    entry = catalog[code]
    found_text = without_identity(str(found))
    if len(found_text) > FOUND_CHARS_MAX:
        found_text = found_text[:FOUND_CHARS_MAX] + "…"
    wanted = expected if isinstance(expected, Words) else Words(str(expected), str(expected))
    wanted = Words(without_identity(wanted.zh), without_identity(wanted.en))
    fill = {"path": path, "found": found_text, "document": document, **values}
    zh, en = fill | {"expected": wanted.zh}, fill | {"expected": wanted.en}
    message, remedy = entry["message"], entry["remedy"]
    return Fault(
        code=code,
        severity=severity or entry["severity"],
        document=document,
        path=path,
        found=found_text,
        expected=wanted.zh if wanted.zh == wanted.en else f"{wanted.zh} / {wanted.en}",
        source=source or entry["source"],
        message=Words(message["zh"].format(**zh), message["en"].format(**en)),
        remedy=Words(remedy["zh"].format(**zh), remedy["en"].format(**en)),
    )


def is_valid(faults: Iterable[Fault]) -> bool:
    """Valid = no fault of severity error."""
    return all(fault.severity != ERROR for fault in faults)


class CebportError(Exception):
    """The root of the five exceptions. Carries the faults that explain it."""

    def __init__(self, *faults: Fault, note: str = "") -> None:
        self.faults = faults
        super().__init__(note or "; ".join(f"{f.code} {f.path}: {f.message.en}" for f in faults))


class Malformed(CebportError):
    """There is no document at all in these bytes: they get a CEB900."""


class PolicyError(CebportError):
    """The tables of the law are wrong (gap, overlap, unknown key, no source): nothing starts."""


class SettingsError(CebportError):
    """The settings are wrong or incomplete: nothing starts."""


class StoreConflict(CebportError):
    """Another writer was first: read again, decide again."""


class ChannelDown(CebportError):
    """A store or a channel does not answer now: what was accepted waits, try again later.

    is_final: waiting alone does not mend it (a damaged store, a folder that cannot be), somebody must act first.
    """

    def __init__(self, *faults: Fault, note: str = "", is_final: bool = False) -> None:
        super().__init__(*faults, note=note)
        self.is_final = is_final
