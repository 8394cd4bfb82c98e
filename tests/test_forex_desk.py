"""Foreign exchange at the desk, on both databases: lists booked whole or not at all, batches, the chain reconciled on
real messages, statistics, retention, rebuild; and the commands."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import jsonschema
import pytest
import referencing
import referencing.jsonschema
from walks_made import ON, Home, cases, events, four, one_story, put, sent

from cebport import cli
from cebport.clearance import forex as rules
from cebport.clearance.forex import Batch
from cebport.faults import SettingsError, StoreConflict
from cebport.policy import Policy
from cebport.server import forex
from cebport.server.backup import backup, restore
from cebport.server.booking import Brought, book
from cebport.server.rebuild import check
from cebport.server.replay.run import Plan, whatif
from cebport.server.shred import shred
from cebport.server.store.store import Store
from cebport.testing import builders
from cebport.values import ZERO

D = Decimal
PARCELS = 6
HEADS = ["支付企业代码", "支付交易编号", "订单号", "平台代码", "支付时间", "金额", "支付人", "证件号码"]
SCHEMAS = Path(__file__).resolve().parents[1] / "docs" / "reference" / "schemas"


def stories(count: int = PARCELS, first: int = 0) -> list[builders.Story]:
    return [one_story(number, mode="9610" if number % 2 else "1210") for number in range(first, first + count)]


def row(story: builders.Story, **changes: str) -> list[str]:
    """The institution's record of a parcel's payment."""
    head = story.payment.head
    told = dict(zip(HEADS, [head.payCode, head.payTransactionId, head.orderNo, head.ebpCode, head.payTime,
                            str(head.amountPaid), head.payerName, head.payerIdNumber], strict=True))
    return list((told | changes).values())


def listed(rows: Sequence[Sequence[str]], heads: Sequence[str] = HEADS) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows([heads, *rows])
    return out.getvalue().encode()


def cleared(home: Home, told: Sequence[builders.Story], *, folder: str = "in", days: int = 0,
            kinds: Sequence[str] = ("CEB311", "CEB411", "CEB511", "CEB621")) -> Store:
    """The store after the messages of some parcels."""
    where = home.folder / folder
    paths = [path for number, story in enumerate(told) for path in put(
        where, **{f"{number:03}-{kind}": raw for kind, raw in four(story).items() if kind in kinds})]
    home.clear(where, paths, on=ON + timedelta(days=days))
    return home.open()


def desk(store: Store, days: int = 1, **more: Any) -> forex.Desk:
    return forex.Desk(store, Policy.load(), ON + timedelta(days=days), **more)


def head(number: str = "FX1", days: int = 1, currency: str = "502", rate: str = "7.1234", **changes: Any) -> Batch:
    company = one_story(0).payment.head.payCode
    day = (ON + timedelta(days=days)).date().isoformat()
    made = Batch(company, number, day, currency, D(rate), ZERO, ZERO, None, "", "502", "", 0, True)
    return made if not changes else Batch(*[changes.get(name, getattr(made, name)) for name in Batch.__struct_fields__])


def codes(faults: Any) -> list[str]:
    return [getattr(one, "fault", one).code.removeprefix("CEB-FOREX-") for one in faults]


def reconciled(where: forex.Desk, span: forex.Span = forex.Span()) -> tuple[list[str], forex.Totals]:
    totals = forex.Totals()
    return codes(forex.reconcile(where, span, totals)), totals


def returned(home: Home, story: builders.Story, days: int) -> None:
    """The parcel's return (625), through the walk."""
    store = home.open()
    case = next(one for one in cases(store).values() if one.orderNo == story.order.head.orderNo)
    assert case.inventory is not None
    at = ON + timedelta(days=days)
    raw = sent("CEB625", [builders.refund(Random(days), story, case.inventory.invtNo, at)])
    home.clear(home.folder / "back", put(home.folder / "back", **{f"{days}-CEB625": raw}), on=at)


# ── lists ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_list_is_booked_once_and_provable(home: Home) -> None:
    told = stories()
    store = cleared(home, told)
    raw = listed([row(story) for story in told])
    taken = forex.take_list(desk(store), "list.csv", raw)
    assert (taken.kind, taken.rows, taken.fresh, taken.known, codes(taken.faults)) == ("payments", 6, 6, 0, ["014"])
    again = forex.take_list(desk(store), "other-name.csv", raw)
    assert (again.inbox, codes(again.faults)) == (0, ["006"])
    assert str(taken.inbox) in again.faults[0].message.en
    wider = forex.take_list(desk(store), "more.csv", listed([*map(row, told), row(one_story(90))]))
    assert (wider.fresh, wider.known, codes(wider.faults)) == (1, 6, ["014", "008"])
    report = check(store)
    assert report.differences == [] and report.records["forex_payments"] == 7
    assert [(inbox, event.name) for inbox, event in events(store) if event.link] == [
        (taken.inbox, "forex payments recorded"), (wider.inbox, "forex payments recorded")]
    assert store.open_counts() == (0, 0) and store.totals()["messages"] == 4 * PARCELS + 2


@pytest.mark.parametrize("spoil", [
    {"金额": "ten"}, {"订单号": ""}, {"支付时间": "2027-01-01 00:00:00"}, {"支付交易编号": "a|b"},
])
def test_a_broken_row_books_nothing(home: Home, spoil: dict[str, str]) -> None:
    told = stories(3)
    store = cleared(home, told)
    taken = forex.take_list(desk(store), "list.csv", listed([row(told[0]), row(told[1], **spoil), row(told[2])]))
    assert taken.inbox == 0 and {"003", "017"} & set(codes(taken.faults))
    assert store.engine.rows("dump_forex_payments", "", 9) == []
    assert check(store).differences == []


def test_what_is_on_record_is_not_written_over(home: Home) -> None:
    told = stories(2)
    store = cleared(home, told)
    forex.take_list(desk(store), "one.csv", listed([row(told[0])]))
    changed = listed([row(told[1]), row(told[0], 金额="1.00", 支付人="另一人")])
    taken = forex.take_list(desk(store), "two.csv", changed)
    assert (taken.inbox, codes(taken.faults)) == (0, ["014", "007", "007"])
    assert "amount is 1 now" in taken.faults[1].message.en and "另*" in taken.faults[2].found
    assert len(store.engine.rows("dump_forex_payments", "", 9)) == 1
    assert check(store).differences == []


def test_xlsx_and_what_is_no_list(home: Home, tmp_path: Path) -> None:
    from openpyxl import Workbook

    told = stories(2)
    store = cleared(home, told)
    book = Workbook()
    book.create_sheet("说明", 0).append(["支付机构月报"])
    sheet = book["Sheet"]
    for cells in (["某支付机构"], HEADS, *map(row, told)):
        sheet.append(cells)
    book.save(tmp_path / "list.xlsx")
    taken = forex.take_list(desk(store), "list.xlsx", (tmp_path / "list.xlsx").read_bytes())
    assert (taken.fresh, codes(taken.faults)) == (2, ["014"])
    for raw, code in ((b"PK\x03\x04 broken", "009"), (b"\xd0\xcf\x11\xe0", "009"), (b"", "001"),
                      (b"\xff\xff\x00", "009")):
        assert codes(forex.take_list(desk(store), "x", raw).faults) == [code]


def test_the_real_name_check_and_the_register(home: Home) -> None:
    told = stories(4)
    store = cleared(home, told)
    rows = [row(told[0]), row(told[1], 证件号码="110101199003074515"), row(told[2], 支付人="")]
    taken = forex.take_list(desk(store), "list.csv", listed([*rows, row(told[3])]),
                            register=lambda name, number: number != told[3].payment.head.payerIdNumber)
    assert codes(taken.faults) == ["014", "016"] and taken.faults[-1].found == "3"
    made = forex.make_batch(desk(store), head())
    assert (made.plan.batch.lines, codes(made.plan.refused)) == (1, ["114", "114", "114"])


# ── batches ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_batch_takes_what_is_released_and_never_twice(home: Home) -> None:
    told = stories()
    store = cleared(home, told)
    waiting = one_story(50)
    cleared(home, [waiting], folder="later", kinds=("CEB311", "CEB411"))
    forex.take_list(desk(store), "list.csv", listed([row(story) for story in [*told, waiting]]))
    made = forex.make_batch(desk(store), head())
    assert (made.plan.batch.lines, made.plan.waiting, made.plan.nothing, made.plan.refused) == (6, 1, 0, ())
    worth = sum((story.order.head.goodsValue + (story.order.head.freight if number % 2 else 0)
                 - story.order.head.discount for number, story in enumerate(told)), ZERO)
    assert made.plan.batch.cny == worth
    assert sum(line.foreign for line in made.plan.lines) == made.plan.batch.foreign
    again = forex.make_batch(desk(store), head("FX2"))
    assert (again.inbox, codes(again.faults)) == (0, ["120"])
    taken = forex.make_batch(desk(store), head())
    assert (taken.inbox, codes(taken.faults)) == (0, ["121"])
    found, totals = reconciled(desk(store))
    assert (found, totals.closed, totals.batches, totals.parcels) == ([], 7, 1, 6)
    assert totals.remitted == totals.remittable == worth and totals.open == totals.over == 0
    assert totals.paid == totals.remittable + totals.refunds + totals.tax + totals.domestic
    report = check(store)
    assert report.differences == [] and report.records["forex_lines"] == 6


def test_the_banks_list_is_read_again_as_known(home: Home) -> None:
    told = stories()
    store = cleared(home, told)
    forex.take_list(desk(store), "list.csv", listed([row(story) for story in told]))
    made = forex.make_batch(desk(store), head(currency="116", rate="0.0468", usd_rate=D("7.1")))
    assert all(line.foreign == line.foreign.to_integral_value() for line in made.plan.lines)
    back = forex.take_list(desk(store), "bank.csv", made.raw + b"\n")
    assert (back.kind, back.fresh, back.known, codes(back.faults)) == ("batches", 0, 1, ["008"])
    other = forex.take_list(desk(store), "bank2.csv", made.raw.replace(b"0.0468", b"0.0469"))
    assert other.inbox == 0 and set(codes(other.faults)) == {"007"}
    assert reconciled(desk(store))[0] == []


def test_two_desks_do_not_take_the_same_payments(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    told = stories(3)
    store = cleared(home, told)
    forex.take_list(desk(store), "list.csv", listed([row(story) for story in told]))
    other = home.open()
    plan, first = rules.plan, True

    def meanwhile(*arguments: Any) -> rules.Plan:
        nonlocal first
        made = plan(*arguments)
        if first:
            first = False
            assert forex.make_batch(desk(other), head("FX-OTHER")).inbox
        return made

    monkeypatch.setattr(rules, "plan", meanwhile)
    mine = forex.make_batch(desk(store), head("FX-MINE"))
    assert (mine.inbox, codes(mine.faults)) == (0, ["120"])
    assert len(list(forex.batches(store, forex.Span()))) == 1
    assert reconciled(desk(store))[0] == [] and check(store).differences == []


# ── the chain ───────────────────────────────────────────────────────────────────────────────────────────

FX_HEADS = ["支付企业代码", "批次号", "业务日期", "币种", "汇率", "支付交易编号", "人民币金额", "外币金额",
            "批次人民币总额"]


def fx(story: builders.Story | str, cny: str, number: str = "B1", day: str = "2026-11-25",
       total: str = "") -> list[str]:
    company = one_story(0).payment.head.payCode
    payment = story if isinstance(story, str) else story.payment.head.payTransactionId
    return [company, number, day, "USD", "7", payment, cny, str((D(cny) / 7).quantize(D("0.01"))), total]


def may(story: builders.Story, number: int) -> Decimal:
    order = story.order.head
    return order.goodsValue + (order.freight if number % 2 else 0) - order.discount


def test_everything_that_does_not_close_is_told(home: Home) -> None:
    told = stories(8)
    unpaid, late, foreign = told[5], one_story(60), one_story(70)
    store = cleared(home, told)
    cleared(home, [late], folder="late", kinds=("CEB311", "CEB411"))
    rows = [row(told[0]), row(told[1], 金额="9999.99"), row(told[2], 支付人="王某", 证件号码="110101199003074514"),
            row(told[3]), row(told[4]), row(told[6]), row(told[7]), row(late), row(foreign)]
    forex.take_list(desk(store), "list.csv", listed(rows))
    sums = [may(story, number) for number, story in enumerate(told)]
    reported = [
        fx(told[0], str(sums[0])), fx(told[3], str(sums[3])), fx(told[3], str(sums[3]), "B2", "2026-11-26"),
        fx(told[4], str(sums[4] + 1)), fx(told[7], str(sums[7]), "B3", "2026-11-25", "1.00"), fx("NOBODY", "5.00"),
        fx(told[6], str(sums[6]))]
    assert forex.take_list(desk(store, 3), "fx.csv", listed(reported, FX_HEADS)).fresh == 3
    returned(home, told[6], 4)
    found, totals = reconciled(desk(store, 40))
    expected = {"101": 1, "102": 1, "103": 2, "104": 1, "105": 1, "107": 1, "108": 1, "110": 1, "111": 1, "112": 1}
    counts = {code: found.count(code) for code in set(found)}
    assert counts == expected | {"101": 2}  # the stranger's payment was not released either
    assert totals.findings["CEB-FOREX-104"][1] == sums[3]
    assert totals.findings["CEB-FOREX-105"][1] == sums[6]
    assert totals.findings["CEB-FOREX-108"][1] == 1
    assert totals.findings["CEB-FOREX-102"][1] == unpaid.order.head.acturalPaid
    assert totals.remittable == totals.remitted + totals.open - totals.over
    assert check(store).differences == []


def test_days_and_institution_bound_what_is_looked_at(home: Home) -> None:
    told = stories(2)
    store = cleared(home, told)
    forex.take_list(desk(store), "list.csv", listed([row(told[0])]))
    forex.take_list(desk(store, 3), "fx.csv", listed([fx(told[0], "99999"), fx("NOBODY", "5")], FX_HEADS))
    company = told[0].payment.head.payCode
    assert sorted(reconciled(desk(store, 3))[0]) == ["102", "108", "112"]
    assert sorted(reconciled(desk(store, 3), forex.Span(institution=company))[0]) == ["102", "108", "112"]
    assert reconciled(desk(store, 3), forex.Span(institution="NOBODY"))[0] == []
    only_batch = forex.Span(date(2026, 11, 25), date(2026, 11, 25))
    assert sorted(reconciled(desk(store, 3), only_batch)[0]) == ["108", "112"]
    assert reconciled(desk(store, 3), forex.Span(date(2026, 12, 1)))[0] == []


def test_statistics_from_the_store(home: Home) -> None:
    told = stories(4)
    store = cleared(home, told)
    forex.take_list(desk(store), "list.csv", listed([row(story) for story in told]))
    forex.make_batch(desk(store), head())
    flows = forex.statistics(desk(store), forex.Span())
    assert [(flow.period, flow.code, flow.currency, flow.country, flow.trades) for flow in flows] == [
        ("2026-11", "121030", "502", "502", 2), ("2026-11", "122030", "502", "502", 2)]
    assert sum(flow.cny for flow in flows) == sum((may(story, n) for n, story in enumerate(told)), ZERO)
    assert forex.statistics(desk(store), forex.Span(date(2027, 1, 1))) == []


def test_the_state_of_parcels_in_this_link(home: Home) -> None:
    told = stories(3)
    store = cleared(home, told)
    forex.take_list(desk(store), "list.csv", listed([row(told[0]), row(told[1])]))
    forex.take_list(desk(store), "fx.csv", listed([fx(told[0], str(may(told[0], 0)))], FX_HEADS))
    view = Policy.load().at(desk(store).today)
    held = forex.forex_of(store, cases(store).values())
    said = {trade.case.orderNo: rules.state_of(trade, view) for trade in held.values() if trade.case is not None}
    assert [said[story.order.head.orderNo] for story in told] == ["remitted", "open", "unpaid"]


# ── one truth ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("statement", "said"), [
    ("UPDATE forex_payments SET amount_fen = amount_fen + 1", "forex_payments"),
    ("DELETE FROM forex_lines WHERE number = 1", "forex_lines"),
    ("UPDATE forex_lines SET cny_fen = cny_fen + 1 WHERE number = 2", "forex_lines"),
    ("UPDATE forex_batches SET day = '2026-11-26'", "forex_batches"),
])
def test_a_changed_table_is_seen(home: Home, statement: str, said: str) -> None:
    told = stories(2)
    store = cleared(home, told)
    forex.take_list(desk(store), "list.csv", listed([row(story) for story in told]))
    forex.make_batch(desk(store), head())
    with store.transaction():
        store.engine.connection.execute(statement)
    assert any(difference.startswith(said) for difference in check(store).differences)


def test_the_database_itself_refuses_what_cannot_be(home: Home) -> None:
    store = home.open()
    for name, values in (("insert_forex_payments", ("P|1", "2026-11-25", 0, 1, b"")),
                         ("insert_forex_payments", ("P|1", "soon", 5, 1, b"")),
                         ("insert_forex_lines", ("P|1", 0, "P|1", 5, "1"))):
        with pytest.raises(Exception, match=r"(?i)check|constraint"), store.transaction():
            store.engine.many(name, [values])


def test_a_broken_off_booking_leaves_nothing(home: Home) -> None:
    store = home.open()

    def breaks(inbox: int) -> list[Any]:
        store.engine.many("insert_forex_payments", [("P|1", "2026-11-25", 5, inbox, b"x")])
        raise RuntimeError("the machine stops")

    with pytest.raises(RuntimeError):
        book(store, Brought("desk/forex", "forex", "x", b"x"), ON, "", "", breaks)
    assert store.engine.rows("dump_forex_payments", "", 9) == []
    assert store.totals()["messages"] == 0 and check(store).differences == []
    book(store, Brought("desk/forex", "forex", "x", b"x"), ON, "", "", lambda inbox: [])
    with pytest.raises(StoreConflict):
        book(store, Brought("desk/forex", "forex", "y", b"x"), ON, "", "", lambda inbox: [])
    assert check(store).differences == []


def test_backup_restore_and_whatif_carry_it(home: Home, postgres: Any) -> None:
    told = stories(3)
    store = cleared(home, told)
    forex.take_list(desk(store), "list.csv", listed([row(story) for story in told]))
    forex.make_batch(desk(store), head())
    target = home.folder / "copy.backup"
    assert backup(home.url, target)["rows"]["forex_lines"] == 3
    other = postgres.fresh() if home.kind == "sqlite" else f"sqlite:///{home.folder / 'restored.db'}"
    assert restore(target, other, home.keys, verify=True)["verified"] is True
    answer = whatif(Plan(home.url, str(home.keys)))
    assert (answer.summary["counts"]["not_reproduced"], answer.summary["counts"]["carried"]) == (0, 2)


# ── personal data ───────────────────────────────────────────────────────────────────────────────────────


def plain_values(told: Sequence[builders.Story]) -> list[str]:
    return [value for story in told for value in (story.payment.head.payerName, story.payment.head.payerIdNumber)]


def test_no_table_holds_a_name(home: Home) -> None:
    told = stories(4)
    store = cleared(home, told)
    forex.take_list(desk(store), "list.csv", listed([row(story) for story in told]))
    forex.make_batch(desk(store), head())
    text = repr([store.engine.rows("dump_forex_payments", "", 99), store.engine.rows("dump_forex_batches", "", 99)])
    text += repr(events(store))
    raw = b"".join(bytes(one[-1]) for one in store.engine.rows("dump_forex_payments", "", 99)).decode("utf-8", "ignore")
    assert [value for value in plain_values(told) if value in text or value in raw] == []
    for finding in forex.reconcile(desk(store), forex.Span(), forex.Totals()):
        assert not [value for value in plain_values(told) if value in str(finding)]


def test_a_shredded_person_is_masked_in_lists_too(home: Home) -> None:
    told = stories(3)
    store = cleared(home, told)
    taken = forex.take_list(desk(store), "list.csv", listed([row(story) for story in told]))
    gone, kept = told[0].payment.head, told[1].payment.head
    shred(store, gone.payerIdNumber, "officer", "asked for", ON)
    text = store.archived([taken.inbox])[taken.inbox].decode()
    assert gone.payerIdNumber not in text and gone.payerName not in text and gone.payTransactionId in text
    assert kept.payerIdNumber in text
    assert check(store).differences == [] and reconciled(desk(store))[0] == []


def test_names_go_when_their_time_is_over(home: Home) -> None:
    told = stories(2)
    store = cleared(home, told)
    taken = forex.take_list(desk(store), "list.csv", listed([row(story) for story in told]))
    (kept,) = forex.retention(desk(store))
    assert (kept.kind, kept.records, str(kept.until), kept.over) == ("payments", 2, "2031-11-24", False)
    five = 5 * 365 + 1
    assert forex.end_retention(desk(store, five), "officer", "five years") == (0, 0)
    assert forex.retention(desk(store, five + 1))[0].over
    with pytest.raises(SettingsError):
        forex.end_retention(desk(store, five + 1), "officer", " ")
    assert forex.end_retention(desk(store, five + 1), "officer", "five years") == (1, 2)
    text = store.archived([taken.inbox])[taken.inbox].decode()
    assert [value for value in plain_values(told) if value in text] == []
    assert forex.end_retention(desk(store, five + 1), "officer", "again") == (0, 0)
    assert check(store).differences == []
    assert len(store.engine.rows("dump_forex_payments", "", 9)) == 2


# ── random histories ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_the_books_hold(sqlite_home: Home, seed: int) -> None:
    """Lists in pieces and again, batches at any time, returns between: no payment twice, sums equal, all provable."""
    rng = Random(seed)
    told = stories(10)
    store = cleared(sqlite_home, told)
    back: set[int] = set()
    for step in range(14):
        what = rng.choice(("list", "list", "batch", "return"))
        if what == "list":
            rows = [row(story) for story in rng.sample(told, rng.randint(1, 6))]
            forex.take_list(desk(store, 1 + step), f"{step}.csv", listed(rows))
        elif what == "batch":
            forex.make_batch(desk(store, 1 + step), head(f"FX{step}", 1 + step, rate=str(D(rng.randint(68, 74)) / 10)))
        else:
            at = rng.randrange(len(told))
            if at not in back:
                back.add(at)
                returned(sqlite_home, told[at], 1 + step)
    where = desk(store, 20)
    found, totals = reconciled(where)
    assert set(found) <= {"102", "105"}
    lines: dict[str, int] = {}
    for batch, own in forex.batches(store, forex.Span()):
        assert batch.cny == sum(line.cny for line in own) and batch.foreign == sum(line.foreign for line in own)
        for line in own:
            lines[line.payment] = lines.get(line.payment, 0) + 1
    assert all(count == 1 for count in lines.values())
    assert totals.paid == totals.remittable + totals.refunds + totals.tax + totals.domestic
    assert totals.remittable == totals.remitted + totals.open - totals.over
    assert check(store).differences == []


# ── the commands ────────────────────────────────────────────────────────────────────────────────────────


def registry() -> Any:
    held = [(path.name, referencing.Resource.from_contents(
        json.loads(path.read_text(encoding="utf-8")), referencing.jsonschema.DRAFT202012))
        for path in SCHEMAS.glob("*.json")]
    return referencing.Registry().with_resources(held)


def lines_of(out: str, schema: str) -> list[dict[str, Any]]:
    held = json.loads((SCHEMAS / f"{schema}.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(held, registry=registry())
    answers = [json.loads(line) for line in out.splitlines()]
    for answer in answers:
        validator.validate(answer)
    return answers


def test_the_commands(home: Home, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    told = stories(4)
    cleared(home, told)
    home.close()
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_bytes(listed([row(story) for story in told[:3]]))
    bad.write_bytes(listed([row(told[3], 金额="x")]))
    common = ["--store", home.url, "--keys", str(home.keys), "--on", "2026-11-25T10:00:00"]

    def run(*arguments: str, schema: str = "") -> tuple[int, Any]:
        capfd.readouterr()
        code = cli.run(["forex", *arguments, *common, *(["--json"] if schema else ["--lang", "zh"])])
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return code, lines_of(out, schema) if schema else out + err

    code, answers = run("import", str(good), str(bad), schema="forex_import")
    assert (code, [one["booked"] for one in answers], answers[0]["fresh"]) == (1, [True, False], 3)
    code, said = run("import", str(good))
    assert code == 1 and "同一文件" in said
    company = told[0].payment.head.payCode
    making = ["--institution", company, "--currency", "USD", "--rate", "7.1234"]
    code, (answer,) = run("batch", *making, "--number", "FX1", "-o", str(tmp_path / "bank.xlsx"), "--country", "USA",
                          schema="forex_batch")
    assert (code, answer["lines"], answer["booked"]) == (0, 3, True)
    assert forex.read_file("bank.xlsx", (tmp_path / "bank.xlsx").read_bytes()).kind == "batches"
    assert run("batch", *making, "--number", "FX2")[0] == 1
    code, answers = run("reconcile", "-o", str(tmp_path / "found.csv"), schema="forex_reconcile")
    assert (code, [one["kind"] for one in answers], answers[-1]["payments"]) == (1, ["finding", "totals"], 3)
    assert answers[0]["fault"]["code"] == "CEB-FOREX-102"
    assert "CEB-FOREX-102" in (tmp_path / "found.csv").read_text(encoding="utf-8-sig")
    code, said = run("reconcile", "--until", "2020-01-01")
    assert code == 0 and "全部相符" in said
    code, answers = run("statistics", "-o", str(tmp_path / "bop.xlsx"), schema="forex_statistics")
    assert code == 0 and {one["code"] for one in answers} == {"121030", "122030"}
    assert "网络购物" in run("statistics", "--by", "quarter")[1]
    assert "没有付汇" in run("statistics", "--since", "2027-01-01")[1]
    code, answers = run("retention", "--end", "--who", "officer", "--reason", "time", schema="forex_retention")
    assert (code, answers[-1]) == (0, {"kind": "ended", "lists": 0, "rows": 0})
    assert "应保存到" in run("retention")[1]


@pytest.mark.parametrize(("arguments", "code"), [
    (["import", "nothing.csv"], 2), (["import"], 2),
    (["batch", "--number", "F", "--rate", "7", "--currency", "USD"], 2),
    (["batch", "--institution", "P", "--number", "F", "--rate", "x", "--currency", "USD"], 2),
    (["batch", "--institution", "P", "--number", "F", "--rate", "7", "--currency", "shells"], 2),
    (["batch", "--institution", "P", "--number", "a|b", "--rate", "7", "--currency", "USD"], 2),
    (["batch", "--institution", "P", "--number", "F", "--rate", "7", "--currency", "USD", "--country", "Nowhere"], 2),
    (["batch", "--institution", "P", "--number", "F", "--rate", "7", "--currency", "USD", "--day", "2090-01-01"], 2),
    (["reconcile", "--since", "2026-02-01", "--until", "2026-01-01"], 2), (["retention", "--end"], 2),
    (["statistics", "--by", "week"], 2), (["reconcile", "--place", "nowhere"], 2),
    (["reconcile"], 0), (["statistics"], 0), (["retention"], 0),
    (["batch", "--institution", "P", "--number", "F", "--rate", "7", "--currency", "USD"], 1),
])
def test_exit_codes(sqlite_home: Home, capfd: pytest.CaptureFixture[str], arguments: list[str], code: int) -> None:
    sqlite_home.open()
    sqlite_home.close()
    store = ["--store", sqlite_home.url, "--keys", str(sqlite_home.keys)]
    assert cli.run(["forex", *arguments, *store]) == code
    assert "Traceback" not in "".join(capfd.readouterr())


def test_a_damaged_or_missing_store(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["forex", "reconcile", "--store", f"sqlite:///{tmp_path / 'none.db'}"]) == 2
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"no database" * 999)
    assert cli.run(["forex", "reconcile", "--store", f"sqlite:///{broken}"]) == 3
    assert "Traceback" not in "".join(capfd.readouterr())
