"""Taking a document in (接收申报): does its business key let it in, and what is answered first.

Shared by every kind of document: the official codes for a key that exists, is missing, is in use or is
newer than what comes; the first receipts (2 and 3, or the stash's); fresh pre-entry numbers.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from msgspec.structs import replace

from cebport.clearance import states
from cebport.clearance.draft import Draft, Timer, day8
from cebport.clearance.parts import Reason
from cebport.clearance.receipts import explained, words
from cebport.faults import ERROR
from cebport.messages.codes import receipt_codes

MESSAGE_OF = {
    "order": "CEB311Message",
    "payment": "CEB411Message",
    "waybill": "CEB511Message",
    "waybill_state": "CEB513Message",
    "inventory": "CEB621Message",
    "cancel": "CEB623Message",
    "return": "CEB625Message",
    "tally": "CEB711Message",
}
FREE = frozenset({states.DELETED, states.REFUSED_100, states.STASHED, states.GONE_BACK})
"""States in which a business key may be declared anew."""


def admission(kind: str, part: Any, held: Any, in_use: bool) -> Reason | None:
    """Whether the business key lets the document in: None, or why not (已存在、不存在、状态不允许、过期).

    held: the document now stored under the key. An appType 1 may replace a stash, a deleted, refused or
    cancelled document; 2 and 3 need one that is alive, not in use, and not newer. The very same document once
    more (same guid and appTime) does nothing again, whatever became of it.
    """
    if part.appType == "1":
        if held is not None and held.status not in FREE:
            return Reason("KEY-EXISTS", ERROR, kind, part.guid, held.guid)
    elif held is None or held.status in (states.DELETED, states.REFUSED_100):
        return Reason("KEY-MISSING", ERROR, kind, f"appType {part.appType}", "1")
    elif in_use:
        return Reason("KEY-STATE", ERROR, kind, f"appType {part.appType}", "")
    if held is not None and part.guid == held.guid and is_repeated(part, held):
        return Reason("KEY-REPEATED", ERROR, kind, part.guid, part.appTime)
    if held is not None and part.appTime < held.appTime:
        return Reason("KEY-STALE", ERROR, kind, part.appTime, held.appTime)
    return None


def is_repeated(part: Any, held: Any) -> bool:
    """Whether a document of the same guid is the stored one again and not a step further with it."""
    return (part.appTime, part.appType, part.appStatus) == (held.appTime, held.appType, held.appStatus)


CODE_OF_REASON = {"KEY-OTHER-OWNER": "declarant",
                  "KEY-EXISTS": "exists", "KEY-REPEATED": "exists", "KEY-WAYBILL-CHANGED": "content",
                  "KEY-MISSING": "missing", "KEY-STATE": "state", "KEY-STALE": "stale",
                  "KEY-WAYBILL-USED": "content", "KEY-ORDER-DECLARED": "exists",
                  "REQUEST-NO-INVENTORY": "inventory", "REQUEST-OTHER-PARTY": "declarant", "REQUEST-STATE": "state",
                  "RETURN-WINDOW": "state", "RETURN-LINE": "line", "RETURN-QUANTITY": "line"}


def refuse(draft: Draft, kind: str, part: Any, reason: Reason) -> None:
    """The document is not taken: its receipt carries the official code, the parcel stays as it is."""
    draft.names.append(f"{kind} refused")
    draft.why.append(reason)
    status = receipt_codes()[MESSAGE_OF[kind]][CODE_OF_REASON[reason.rule]]
    if kind in ("inventory", "return") and not part.preNo:
        part = draft.said(part, preNo=pre_number(draft, PRE_LETTERS[kind]))
    draft.not_taken = (getattr(part, "preNo", ""), own_number(part))
    info = explained(reason).message.zh
    draft.tell(part, status, int(status), draft.now, info)


def own_number(part: Any) -> str:
    """A document's number in its sender's books, as it can be looked up; "" when it has none."""
    cop_no = getattr(part, "copNo", "")
    return f"{cop_no}|{getattr(part, 'agentCode', '') or part.operatorCode}" if cop_no else ""


PRE_LETTERS = {"inventory": "B", "cancel": "C", "return": "T", "tally": "R"}


def pre_number(draft: Draft, letter: str) -> str:
    """A fresh pre-entry number (预录入编号): letter, day, nine digits."""
    day = day8(draft.view.day)
    return f"{letter}{day}{draft.facts.numbers.next(f'pre/{letter}/{day}'):09d}"


@cache
def _announcements(kind: str) -> tuple[dict[str, tuple[str, bool]], str]:
    """Texts of status 2 by appType, each with whether it has fields to fill in; text of status 3."""
    texts = words()[kind]
    return {app_type: (text, "{" in text) for app_type, text in texts["2"].items()}, texts["3"]


def announce(draft: Draft, kind: str, part: Any, last: int = 0) -> Any:
    """The taken document with its first state, after its first receipts (2 and 3, or the stash's)."""
    now = draft.now
    if now <= last:
        now = last + 1
    if part.appStatus == "1":
        return _stash(draft, kind, part, now)
    texts, sent = _announcements(kind)
    info, has_fields = texts[part.appType]
    if has_fields and not draft.facts.mute:
        info = info.format(guid=part.guid.upper(), ebcCode=getattr(part, "ebcCode", ""),
                           orderNo=getattr(part, "orderNo", ""))
    draft.tell(part, "2", 2, now, info)
    if draft.view.practice.get("emit_status_3", True):
        now += 1
        draft.tell(part, "3", 3, now, sent)
    if part.appType == "3":
        draft.names.append(f"{kind} deleted")
        return replace(part, status=states.DELETED, said=now)
    draft.names.append(f"{kind} taken")
    return replace(part, status=states.SENT, said=now)


def _stash(draft: Draft, kind: str, part: Any, now: int) -> Any:
    """A draft that the company keeps at the port (暂存): answered 2, or 1 where the receipt has that state."""
    texts = words()[kind]
    status = "1" if "1" in texts else "2"
    info = texts["1"] if status == "1" else texts["2"]["stash"].format(guid=part.guid.upper())
    draft.tell(part, status, int(status), now, info)
    draft.names.append(f"{kind} stashed")
    return draft.said(part, status=states.STASHED, said=now)


def timer_in(kind: str, draft: Draft, days: int) -> Timer:
    """A timer for this case so many days from now."""
    return Timer(kind, draft.now + days * 86_400_000, draft.key)
