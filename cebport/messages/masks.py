"""How a fault, a log line or a screen may show a personal value (个人信息遮蔽).

>>> mask("buyerName", "张三丰"), mask("buyerIdNumber", "110101199003078515"), mask("orderNo", "A1")
('张**', '1101************15', 'A1')
"""

from __future__ import annotations

from cebport.messages.shape import PERSONAL

HIDDEN = "*"
ID_HEAD, ID_TAIL = 4, 2
PHONE_HEAD, PHONE_TAIL = 3, 2
ADDRESS_HEAD = 6


def mask(field: str, value: str) -> str:
    """``value`` as it may be shown for the official field name ``field``; other fields stay as they are.

    Names keep the first character, ids the first 4 and last 2, phones the first 3 and last 2, addresses the
    first 6; a value too short for that keeps at most its first character.
    """
    return masked(PERSONAL.get(field, ""), value)


def masked(kind: str, value: str) -> str:
    """``value`` as a personal value of that kind (name, id, phone, address, whole) may be shown; "" = as it is."""
    if not kind or not value:
        return value
    if kind == "whole":
        return f"({len(value)} characters)"
    if kind == "name":
        return value[:1] + HIDDEN * max(1, len(value) - 1) if len(value) > 1 else HIDDEN
    if kind == "address":
        return _ends(value, ADDRESS_HEAD, 0)
    head, tail = (ID_HEAD, ID_TAIL) if kind == "id" else (PHONE_HEAD, PHONE_TAIL)
    return _ends(value, head, tail)


def _ends(value: str, head: int, tail: int) -> str:
    hidden = len(value) - head - tail
    if hidden <= tail:
        return value[:1] + HIDDEN * (len(value) - 1) if len(value) > 1 else HIDDEN
    return value[:head] + HIDDEN * hidden + (value[-tail:] if tail else "")
