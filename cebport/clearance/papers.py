"""Files of the tax ledger (担保清单、缴款清单): cells in, records out, one fault a cell that cannot be read.

Columns are found by their heads in Chinese or English (``tables/ledger.yaml``), whatever their order. ``read_...``
looks at the file alone, ``refused_...`` at what the ledger holds; where either finds an error nothing of the file is
booked. ``differences`` compares a list of payments with the payment documents of the ledger and names each difference.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from cebport.clearance.books import TAX_KINDS
from cebport.clearance.ledger import (
    KINDS,
    LATE_FEE,
    Filed,
    Guarantee,
    Payment,
    Sum,
    TaxDocument,
    Window,
    late_fee_fen,
    table,
    yuan,
)
from cebport.faults import ERROR, Catalog, Fault, fault_of

CODE_CHARS_MAX, NUMBER_CHARS_MAX, NAME_CHARS_MAX = 30, 50, 200
HEAD_ROWS_MAX = 30
"""So many rows may stand above the heads of the columns."""
_SIGNS = re.compile(r"[\s_\-./:：*#（）()]+")
_MONEY = re.compile(r"\d{1,13}(\.\d{1,2})?\Z")
_WORD = re.compile(r"[\x21-\x7e]+\Z")
_DAY = re.compile(r"(\d{4})[-/]?(\d{2})[-/]?(\d{2})(?:[ T]00:00:00)?\Z")


@cache
def catalog() -> Catalog:
    """Code of a fault -> words."""
    import yaml

    return yaml.safe_load((Path(__file__).parent / "tables" / "faults_ledger.yaml").read_text(encoding="utf-8"))


def _fault(code: str, path: str, found: object = "", expected: object = "", **more: Any) -> Fault:
    return fault_of(catalog(), f"CEB-LEDGER-{code}", path=path, found=found, expected=expected, **more)


def trouble(code: str, path: str, found: object = "", expected: object = "") -> Fault:
    """A fault about a file as a whole: "010" booked already, "011" not readable."""
    return _fault(code, path, found, expected)


# ── cells ───────────────────────────────────────────────────────────────────────────────────────────


class _Sheet:
    """One file of a kind (guarantees, payments): its rows by column, and the faults met on the way."""

    def __init__(self, kind: str, name: str, rows: Sequence[Sequence[str]]) -> None:
        self.name, self.form, self.faults = name, table()[kind], []  # type: ignore[var-annotated]
        heads = {_plain(head): column for column, known in self.form["columns"].items() for head in known}
        self.rows: list[tuple[int, dict[str, str]]] = []
        needed = set(self.form["needed"])
        for at, row in enumerate(rows[:HEAD_ROWS_MAX]):
            named = [heads.get(_plain(cell)) for cell in row]
            if needed <= set(named):
                below = [(number, dict(zip(named, cells, strict=False)))
                         for number, cells in enumerate(rows[at + 1:], at + 2)]
                self.rows = [(number, {c: v.strip() for c, v in cells.items() if c})
                             for number, cells in below if any(v.strip() for c, v in cells.items() if c)]
                if not self.rows:
                    self.faults.append(_fault("012", name))
                return
        self.faults.append(_fault("001", name, expected=", ".join(self.form["columns"][c][-1] for c in sorted(needed))))

    def place(self, number: int, column: str = "") -> str:
        return f"{self.name} row {number}" + (f"/{column}" if column else "")

    def wrong(self, code: str, number: int, column: str, found: object = "", expected: object = "") -> None:
        self.faults.append(_fault(code, self.place(number, column), found, expected))

    def word(self, number: int, cells: Mapping[str, str], column: str, chars_max: int) -> str:
        value = cells.get(column, "")
        if not value:
            self.wrong("002", number, column)
        elif len(value) > chars_max or not _WORD.match(value):
            self.wrong("009", number, column, value, chars_max)
        return value

    def fen(self, number: int, cells: Mapping[str, str], column: str) -> int:
        value = cells.get(column, "").replace(",", "")
        if not value:
            return 0
        if not value.isascii() or not _MONEY.match(value):
            self.wrong("003", number, column, value)
            return 0
        return int(Decimal(value) * 100)

    def day(self, number: int, cells: Mapping[str, str], column: str, *, needed: bool = True) -> str:
        value = cells.get(column, "")
        if not value:
            if needed:
                self.wrong("002", number, column)
            return ""
        met = _DAY.match(value)
        try:
            return date(*map(int, met.groups())).isoformat() if met and value.isascii() else self._no_day(
                number, column, value)
        except ValueError:
            return self._no_day(number, column, value)

    def _no_day(self, number: int, column: str, value: str) -> str:
        self.wrong("004", number, column, value)
        return ""

    def choice(self, number: int, value: str, column: str, known: Mapping[str, Any], default: str) -> str:
        if not value:
            return default
        for name, held in known.items():
            if _plain(value) in {_plain(each) for each in (held["names"] if isinstance(held, Mapping) else held)}:
                return name
        self.wrong("005", number, column, value, ", ".join(known))
        return default


def _plain(text: str) -> str:
    return _SIGNS.sub("", text).lower()


# ── guarantees ──────────────────────────────────────────────────────────────────────────────────────


class Ending(NamedTuple):
    """A row that ends a guarantee: number, whose it is said to be, from which day on ("" = the day of booking)."""

    row: int
    number: str
    code: str
    last: str


class GuaranteeFile(NamedTuple):
    """What a file of guarantees says: (row, guarantee) that are new, those that end, and what is wrong."""

    lodged: list[tuple[int, Guarantee]]
    ended: list[Ending]
    faults: list[Fault]


def read_guarantees(name: str, rows: Sequence[Sequence[str]]) -> GuaranteeFile:
    """The guarantees of a table of texts. ``name``: how faults call it."""
    sheet = _Sheet("guarantees", name, rows)
    made = GuaranteeFile([], [], sheet.faults)
    seen: dict[str, int] = {}
    for at, cells in sheet.rows:
        number, code = (sheet.word(at, cells, "number", NUMBER_CHARS_MAX), sheet.word(at, cells, "code",
                                                                                     CODE_CHARS_MAX))
        if number in seen:
            sheet.wrong("006", at, "number", number, sheet.place(seen[number]))
        seen.setdefault(number, at)
        act = sheet.choice(at, cells.get("act", ""), "act", sheet.form["acts"], "lodge")
        if act == "end":
            made.ended.append(Ending(at, number, code, sheet.day(at, cells, "until", needed=False)))
            continue
        kind = sheet.choice(at, cells.get("kind", ""), "kind", sheet.form["kinds"], "deposit")
        before = len(sheet.faults)
        amount = sheet.fen(at, cells, "amount")
        if not amount and len(sheet.faults) == before:
            sheet.wrong("008", at, "amount")
        since, until = sheet.day(at, cells, "since"), sheet.day(at, cells, "until", needed=False)
        if since and until and until < since:
            sheet.wrong("007", at, "until", until, since)
        customs = cells.get("customs", "")
        if customs:
            sheet.word(at, cells, "customs", CODE_CHARS_MAX)
        made.lodged.append((at, Guarantee(number, code, kind, customs, amount, since, until)))
    return made


def refused_guarantees(name: str, file: GuaranteeFile, held: Mapping[str, Guarantee],
                       standing: Mapping[str, tuple[int, int]], today: date) -> list[Fault]:
    """What the register says against a file. held: guarantees by number. standing: guarantor -> (guarantees that hold
    today, what is taken of them) in fen."""
    found = []
    left = {code: valid for code, (valid, _) in standing.items()}
    for row, one in file.lodged:
        if one.number in held:
            found.append(_fault("020", f"{name} row {row}/number", one.number, yuan(held[one.number].amount_fen)))
        if holds(one, today):
            left[one.code] = left.get(one.code, 0) + one.amount_fen
    for end in file.ended:
        path = f"{name} row {end.row}/number"
        there = held.get(end.number)
        if there is None:
            found.append(_fault("021", path, end.number))
        elif there.ended:
            found.append(_fault("022", path, end.number, there.ended))
        elif there.code != end.code:
            found.append(_fault("023", f"{name} row {end.row}/code", end.code, there.code))
        elif holds(there, today):
            left[end.code] = left.get(end.code, 0) - there.amount_fen
            taken = standing.get(end.code, (0, 0))[1]
            if left[end.code] < taken:
                found.append(_fault("024", path, yuan(left[end.code]), yuan(taken)))
    return found


def holds(one: Guarantee, day: date) -> bool:
    """Whether a guarantee holds on a day."""
    text = day.isoformat()
    return one.since <= text and (not one.until or text <= one.until) and (not one.ended or text < one.ended)


def filed_guarantees(file: GuaranteeFile, held: Mapping[str, Guarantee], today: date) -> tuple[Filed, list[Guarantee]]:
    """What the journal keeps of a file without faults, and the guarantees that it ends."""
    ends = tuple((end.number, end.last or today.isoformat()) for end in file.ended)
    return Filed(tuple(one for _, one in file.lodged), ends), [held[number] for number, _ in ends]


# ── payments ────────────────────────────────────────────────────────────────────────────────────────


class PaymentFile(NamedTuple):
    """What a file of payments says: (row, payment), and what is wrong."""

    payments: list[tuple[int, Payment]]
    faults: list[Fault]


def read_payments(name: str, rows: Sequence[Sequence[str]]) -> PaymentFile:
    """The payments of a table of texts. ``name``: how faults call it."""
    sheet = _Sheet("payments", name, rows)
    made = PaymentFile([], sheet.faults)
    seen: dict[str, int] = {}
    for at, cells in sheet.rows:
        serial = sheet.word(at, cells, "serial", NUMBER_CHARS_MAX)
        if serial in seen:
            sheet.wrong("006", at, "serial", serial, sheet.place(seen[serial]))
        seen.setdefault(serial, at)
        number = sheet.word(at, cells, "number", NUMBER_CHARS_MAX)
        code = sheet.word(at, cells, "code", CODE_CHARS_MAX)
        port = sheet.word(at, cells, "port", CODE_CHARS_MAX) if cells.get("port") else ""
        act = sheet.choice(at, cells.get("act", ""), "act", sheet.form["acts"], "pay")
        before = len(sheet.faults)
        amounts = tuple((kind, amount) for kind in KINDS if (amount := sheet.fen(at, cells, kind)))
        if not amounts and len(sheet.faults) == before:
            sheet.wrong("008", at, "")
        if act == "refund" and any(kind == LATE_FEE for kind, _ in amounts):
            sheet.wrong("035", at, LATE_FEE, yuan(dict(amounts)[LATE_FEE]), yuan(0))
        made.payments.append((at, Payment(serial, number, code, port, sheet.day(at, cells, "paid_on"), amounts,
                                          act == "refund")))
    return made


def refused_payments(name: str, file: PaymentFile, documents: Mapping[str, TaxDocument],
                     sums: Mapping[tuple[str, str], Sum], booked: Mapping[str, Payment], today: date) -> list[Fault]:
    """What the ledger says against a file of payments: each row after the rows before it."""
    found = []
    left = dict(sums)
    for row, one in file.payments:
        path = f"{name} row {row}"
        document = documents.get(one.number)
        if one.serial in booked:
            found.append(_fault("033", f"{path}/serial", one.serial, yuan(booked[one.serial].total_fen())))
            continue
        if document is None:
            found.append(_fault("030", f"{path}/number", one.number))
            continue
        if one.code != document.code:
            found.append(_fault("031", f"{path}/code", one.code, document.code))
        if one.port and one.port != document.port:
            found.append(_fault("032", f"{path}/port", one.port, document.port))
        if one.paid_on < document.made:
            found.append(_fault("036", f"{path}/paid_on", one.paid_on, document.made))
        if one.paid_on > today.isoformat():
            found.append(_fault("037", f"{path}/paid_on", one.paid_on, today))
        for kind, amount in one.amounts:
            if kind == LATE_FEE:
                continue
            held = left.get((one.number, kind), Sum())
            most = held.refund_fen if one.back else held.open_fen
            if amount > most:
                found.append(_fault("035" if one.back else "034", f"{path}/{kind}", yuan(amount), yuan(most)))
            left[(one.number, kind)] = held._replace(paid_fen=held.paid_fen + (-amount if one.back else amount))
    return found


# ── reconciliation ──────────────────────────────────────────────────────────────────────────────────


class Books(NamedTuple):
    """What the ledger has to compare with: documents by number, their sums, payments by serial, days of payment."""

    documents: Mapping[str, TaxDocument]
    sums: Mapping[tuple[str, str], Sum]
    payments: Mapping[str, Payment]
    windows: Mapping[str, Window]


def differences(file: Iterable[Payment], books: Books, today: date) -> list[Fault]:
    """Every difference between a list of payments and the payment documents that it is to cover, by document."""
    listed: dict[str, list[Payment]] = {}
    for payment in file:
        listed.setdefault(payment.number, []).append(payment)
    found = []
    for number in sorted({*listed, *books.documents}):
        document, told = books.documents.get(number), listed.get(number, [])
        if document is None:
            found.append(_fault("040", number, found=yuan(sum(map(Payment.total_fen, told)))))
        elif told:
            found += _compared(document, told, books)
        else:
            found += _not_listed(document, books, today)
    return found


def _not_listed(document: TaxDocument, books: Books, today: date) -> list[Fault]:
    found = [_fault("049", document.number, payment.serial)
             for payment in books.payments.values() if payment.number == document.number]
    due = sum(books.sums.get((document.number, kind), Sum()).billed_fen for kind in TAX_KINDS)
    if due and books.windows[document.number].last < today and not found:
        found.append(_fault("041", document.number, yuan(0), yuan(due)))
    return found


def _compared(document: TaxDocument, told: list[Payment], books: Books) -> list[Fault]:
    number, window = document.number, books.windows[document.number]
    found = []
    for code in sorted({one.code for one in told} - {document.code}):
        found.append(_fault("043", f"{number}/code", code, document.code))
    for port in sorted({one.port for one in told if one.port} - {document.port}):
        found.append(_fault("044", f"{number}/port", port, document.port))
    sums: dict[str, int] = dict.fromkeys(KINDS, 0)
    for one in told:
        for kind, amount in one.amounts:
            sums[kind] += -amount if one.back else amount
    billed = {kind: books.sums.get((number, kind), Sum()).billed_fen for kind in TAX_KINDS}
    paid, due = sum(sums[kind] for kind in TAX_KINDS), sum(billed.values())
    if paid and not due:
        found.append(_fault("046", number, yuan(paid), yuan(0)))
    elif paid > due and len([one for one in told if not one.back]) > 1:
        found.append(_fault("045", number, yuan(paid), yuan(due)))
    else:
        found += [_fault("042", f"{number}/{kind}", yuan(sums[kind]), yuan(billed[kind]))
                  for kind in TAX_KINDS if sums[kind] != billed[kind]]
    return found + _in_time(number, told, sums[LATE_FEE], window) + _booked(number, told, books)


def _in_time(number: str, told: list[Payment], fee: int, window: Window) -> list[Fault]:
    """Whether payments came within the days, and the late fee of those that did not."""
    found, expected = [], 0
    for one in told:
        day = date.fromisoformat(one.paid_on)
        if one.back:
            continue
        if day < window.first:
            found.append(_fault("048", f"{number}/{one.serial}", day, window.first))
        elif day > window.last:
            found.append(_fault("052", f"{number}/{one.serial}", day, window.last))
            expected += late_fee_fen(sum(a for kind, a in one.amounts if kind != LATE_FEE), window, day)
    if fee != expected:
        found.append(_fault("047", f"{number}/{LATE_FEE}", yuan(fee), yuan(expected)))
    return found


def _booked(number: str, told: list[Payment], books: Books) -> list[Fault]:
    found = []
    for one in told:
        held = books.payments.get(one.serial)
        if held is None:
            found.append(_fault("050", f"{number}/{one.serial}", one.serial))
        elif (held.number, held.amounts, held.back, held.paid_on) != (one.number, one.amounts, one.back, one.paid_on):
            found.append(_fault("051", f"{number}/{one.serial}", one.serial,
                                f"{held.number} {held.paid_on} {yuan(held.total_fen())}"))
    there = {one.serial for one in told}
    found += [_fault("049", f"{number}/{serial}", serial) for serial, held in books.payments.items()
              if held.number == number and serial not in there]
    return found


def agrees(found: Iterable[Fault]) -> bool:
    """Whether nothing that was found is an error."""
    return all(fault.severity != ERROR for fault in found)
