"""Which enterprises are filed with this window (企业备案), and what an unfiled one gets.

A document whose enterprises are not filed on the day is refused with the official code for an invalid
enterprise; the trust row of the profile may instead file an unknown one by itself (sandbox).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from cebport.faults import ERROR, Catalog, SettingsError, fault_of
from cebport.messages.documents import Message
from cebport.server.store.store import Store

INVALID_ENTERPRISE = "-10102"
ROLES = ("platform", "merchant", "payment", "logistics", "agent", "operator", "guarantor")
FIELDS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "CEB311Message": (("ebpCode", "platform", "ebpName"), ("ebcCode", "merchant", "ebcName")),
    "CEB411Message": (("payCode", "payment", "payName"), ("ebpCode", "platform", "ebpName")),
    "CEB511Message": (("logisticsCode", "logistics", "logisticsName"),),
    "CEB513Message": (("logisticsCode", "logistics", "logisticsName"),),
    "CEB621Message": (("ebpCode", "platform", "ebpName"), ("ebcCode", "merchant", "ebcName"),
                      ("logisticsCode", "logistics", "logisticsName"), ("agentCode", "agent", "agentName")),
    "CEB623Message": (("agentCode", "agent", "agentName"),),
    "CEB625Message": (("agentCode", "agent", "agentName"),),
    "CEB711Message": (("operatorCode", "operator", "operatorName"),),
}
CATALOG: Catalog = {
    "CEB-FILING-001": {
        "severity": ERROR,
        "source": "企业备案；官方差错表 -10102 / enterprise filing; official error table -10102",
        "message": {"zh": "企业代码 {found}（{path}）未在本口岸备案或备案已失效",
                    "en": "enterprise {found} ({path}) is not filed here, or its filing has ended"},
        "remedy": {"zh": "先办理企业备案（角色 {expected}），或更正企业代码",
                   "en": "file the enterprise first (role {expected}), or correct the code"},
    },
}


class Filing(NamedTuple):
    """One enterprise: code, name, roles, first and last day ("" = open), days as YYYY-MM-DD."""

    code: str
    name: str
    roles: str
    since: str
    until: str


class Filings:
    """The filed enterprises as one worker knows them; read from the store, renewed when asked."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._filed: dict[str, Filing] = {}
        self.reload()

    def reload(self) -> None:
        """Read the table again."""
        self._filed = {row[0]: Filing(*row) for row in self.store.engine.rows("filings")}

    def is_filed(self, code: str, day: str, role: str) -> bool:
        """Whether the enterprise is filed on the day (YYYY-MM-DD) for the role; an entry without roles is for all."""
        filing = self._filed.get(code)
        return (
            filing is not None
            and (not filing.since or filing.since <= day)
            and (not filing.until or day <= filing.until)
            and (not filing.roles or role in filing.roles.split(","))
        )

    def check(self, one: Any, message: Message, view: Any) -> None:
        """Refuse documents of unfiled enterprises in ``one`` (Prepared), or list those to be filed."""
        fields = FIELDS[message.type]
        day = view.day.isoformat()
        known: dict[tuple[str, str], bool] = {}
        for index, document in enumerate(message.documents):
            head = document.head
            for name, role, title in fields:
                code = getattr(head, name)
                filed = known.get((code, role))
                if filed is None:
                    filed = known[(code, role)] = self.is_filed(code, day, role)
                if filed:
                    continue
                if view.trust.get("files_unknown"):
                    one.unfiled.append((code, getattr(head, title) or code, ""))
                    self._filed[code] = Filing(code, getattr(head, title) or code, "", "", "")
                    known[(code, role)] = True
                elif index not in one.refused:
                    fault = fault_of(CATALOG, "CEB-FILING-001", document=index + 1, path=name, found=code,
                                     expected=role)
                    one.refused[index] = (INVALID_ENTERPRISE, [fault])


def read_filings(path: Path) -> list[Filing]:
    """The enterprises of a filings.yaml. Raises SettingsError with the file and the entry that is wrong."""
    import yaml

    try:
        fast = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        held = yaml.load(path.read_text(encoding="utf-8"), Loader=fast)
        rows = held["enterprises"] if isinstance(held, dict) else held
        made = []
        for number, row in enumerate(rows, 1):
            roles = row.get("roles") or []
            unknown = [role for role in roles if role not in ROLES]
            if unknown or not row.get("code"):
                raise ValueError(f"entry {number}: code and roles of {', '.join(ROLES)} are needed, found {row}")
            made.append(Filing(str(row["code"]), str(row.get("name", row["code"])), ",".join(roles),
                               str(row.get("since") or ""), str(row.get("until") or "")))
        return made
    except (OSError, KeyError, TypeError, AttributeError, ValueError, yaml.YAMLError) as wrong:
        raise SettingsError(note=f"filings {path}: {wrong}") from wrong


def file_enterprises(store: Store, filings: Iterable[Filing]) -> None:
    """Put enterprises into the store; a code that is there gets the new entry."""
    with store.transaction():
        store.engine.many("put_filings", [tuple(filing) for filing in {each.code: each for each in filings}.values()])
