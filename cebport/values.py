"""Words that everybody uses: money, Beijing time, 36-character ids. Standard library only.

>>> fen(Decimal("18.2945"))
Decimal('18.29')
>>> spread(Decimal("10.00"), [Decimal(1), Decimal(1), Decimal(1)])
[Decimal('3.34'), Decimal('3.33'), Decimal('3.33')]
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from datetime import date, datetime, timedelta, timezone
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

BEIJING = timezone(timedelta(hours=8), "Asia/Shanghai")
"""China has one zone and no summer time in the years that concern us (since 2013)."""

ZERO = Decimal(0)
FEN = Decimal("0.01")
CNY = "142"


def fen(amount: Decimal) -> Decimal:
    """Round a CNY amount to the fen, half up."""
    return amount.quantize(FEN, ROUND_HALF_UP)


def spread(total: Decimal, weights: Sequence[Decimal], remainder: str = "largest") -> list[Decimal]:
    """Split ``total`` (CNY) by ``weights``, each share to the fen, their sum exactly ``total``.

    Shares are rounded half up (运费、保费按总价分摊); what remains, over or under, goes to the largest weight, ties to
    the first, or (``remainder`` "last") to the last one. Where that would take a share below zero, shares are cut
    instead of rounded. Weights of zero everywhere: all of it to the first.
    """
    whole = sum(weights, ZERO)
    if not weights:
        return []
    if not whole:
        return [total, *([ZERO] * (len(weights) - 1))]
    taker = len(weights) - 1 if remainder == "last" else max(range(len(weights)), key=weights.__getitem__)
    for rounding in (ROUND_HALF_UP, ROUND_DOWN):
        shares = [(total * weight / whole).quantize(FEN, rounding) for weight in weights]
        shares[taker] += total - sum(shares, ZERO)
        if shares[taker] >= 0:
            break
    return shares


def plain(number: Decimal) -> str:
    """A decimal as customs writes it: no exponent, no trailing zeros after the point."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def parse_time(text: str) -> datetime:
    """``2026-11-24T09:00:00`` (Beijing when no zone), ``2026-11-24``, or ``YYYYMMDDhhmmss``.

    Raises ValueError for anything else.
    """
    if len(text) == 14 and text.isdigit():
        return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=BEIJING)
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=BEIJING) if moment.tzinfo is None else moment.astimezone(BEIJING)


def time14(moment: datetime) -> str:
    """appTime and its like: YYYYMMDDhhmmss in Beijing."""
    return moment.astimezone(BEIJING).strftime("%Y%m%d%H%M%S")


def time17(moment: datetime) -> str:
    """returnTime: YYYYMMDDhhmmssSSS in Beijing."""
    local = moment.astimezone(BEIJING)
    return local.strftime("%Y%m%d%H%M%S") + f"{local.microsecond // 1000:03d}"


def is_time14(text: str) -> bool:
    """Whether the text is a moment that exists, written YYYYMMDDhhmmss."""
    if len(text) != 14 or not text.isascii() or not text.isdigit():
        return False
    try:
        datetime(int(text[:4]), int(text[4:6]), int(text[6:8]), int(text[8:10]), int(text[10:12]), int(text[12:]))
    except ValueError:
        return False
    return True


def is_day8(text: str) -> bool:
    """Whether the text is a day that exists, written YYYYMMDD."""
    if len(text) != 8 or not text.isascii() or not text.isdigit():
        return False
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return True


def beijing_day(moment: datetime) -> date:
    """The calendar day in China at that moment."""
    return moment.astimezone(BEIJING).date()


def guid_from(*parts: object) -> str:
    """A 36-character id derived from its parts: the same parts give the same id, so replays agree."""
    digest = hashlib.blake2b("\x1f".join(map(str, parts)).encode(), digest_size=16).digest()
    return str(uuid.UUID(bytes=digest, version=5)).upper()
