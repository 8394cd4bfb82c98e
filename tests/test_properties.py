"""What holds for every order, every repetition and every stream of documents (Hypothesis).

design.md promises: the documents of a case end in the same state in whatever order and however often they come;
contended resources are never over-drawn; nothing is lost, nothing happens twice; what is final stays final.
"""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from world import PLAIN, Papers, Port, bare, changed, item, line, papers, rows, showing, table

from cebport.clearance import tax
from cebport.clearance.match import match
from cebport.clearance.parts import case_key
from cebport.policy import Policy
from cebport.testing.builders import Fees
from cebport.testing.market import market
from cebport.values import guid_from, spread, time14

QUICK = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
BREAKS = table("match")["links"]
TALLY = {"duty.tally": True}


# ── every order, every repetition ───────────────────────────────────────────────────────────────────────


class Delivery(NamedTuple):
    """Which faults a parcel has, the law, and its documents in the order in which they come."""

    breaks: tuple[int, ...]
    tally: bool
    order: tuple[int, ...]


@st.composite
def deliveries(draw: Any) -> Delivery:
    """Six documents (four, 513, 711) in any order, each as often as it likes, none missing."""
    breaks = draw(st.one_of(st.just(()), st.tuples(st.integers(0, len(BREAKS) - 1)),
                            st.tuples(*[st.integers(0, len(BREAKS) - 1)] * 3)))
    first = draw(st.permutations(range(6)))
    more = draw(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 15)), max_size=8))
    order = list(first)
    for document, at in more:
        order.insert(at % (len(order) + 1), document)
    return Delivery(breaks, draw(st.booleans()), tuple(order))


def six(made: Papers, port: Port) -> tuple[Any, ...]:
    return (*made.four(), port.signed_for(made), port.tally(made))


def faulty(breaks: tuple[int, ...]) -> Papers:
    made = papers()
    for at in breaks:
        made = made.with_(BREAKS[at]["change"])
    return made


@QUICK
@given(deliveries())
@example(Delivery((), True, (3, 3, 5, 0, 1, 2, 4, 3)))
@example(Delivery((4, 5, 4), False, (3, 2, 1, 0, 1, 4, 5)))
@example(Delivery((0,), False, (0, 1, 2, 3, 3, 3, 4, 5)))
def test_any_order_and_any_repetition_ends_in_the_same_state(delivery: Delivery) -> None:
    made, law = faulty(delivery.breaks), rows(TALLY) if delivery.tally else None
    plain = Port(law)
    documents = six(made, plain)
    plain.send(*documents)
    port = Port(law)
    with showing(port):
        port.send(*[documents[at] for at in delivery.order])
        assert port.canonical() == plain.canonical()
        assert port.case(made).state == end_of(delivery.breaks)
        assert accepted(port) == accepted(plain), "what is taken is taken once, and told once"
        port.check()


def end_of(breaks: tuple[int, ...]) -> str:
    """What becomes of a parcel with these faults. A payment of another company and number is a stranger's."""
    rules = {BREAKS[at]["rule"] for at in breaks}
    if {"MATCH-PAY-COMPANY", "MATCH-PAY-NUMBER"} <= rules:
        return "waiting"
    refused = any(BREAKS[at].get("severity", "error") == "error" for at in breaks)
    return "refused" if refused else "closed"


def accepted(port: Port) -> Counter[tuple[str, str]]:
    """How often each receipt was told that refuses no repetition."""
    return Counter((r.type, r.status) for r in port.receipts if not r.status.startswith("-"))


@QUICK
@given(st.permutations(range(12)), st.booleans())
def test_parcels_of_two_buyers_do_not_touch_each_other(order: list[int], broken: bool) -> None:
    first = papers(1, buyer=1)
    second = papers(2, buyer=2, mode="1210", place="shanghai")
    if broken:
        second = second.with_({"payment.amountPaid": "1"})
    port = Port()
    documents = [*first.four(), *second.four(), port.signed_for(first), port.signed_for(second),
                 port.tally(first), port.tally(second)]
    port.send(*[documents[at] for at in order])
    assert (port.case(first).state, port.case(second).state) == ("closed", "refused" if broken else "closed")
    alone = Port()
    alone.send(*first.four(), alone.signed_for(first), alone.tally(first))
    assert bare(port.case(first)) == bare(alone.case(first))
    assert port.said("816").count("1") == (1 if broken else 2)
    port.check()


@QUICK
@given(st.permutations(range(16)), st.sampled_from([3999, 4000, 7999, 8000, 15999, 16000, 26000]))
def test_a_year_that_is_not_enough_for_all_is_never_overdrawn(order: list[int], limit: int) -> None:
    """Four parcels of 4,000 of one buyer: who comes last loses; never too much is held, never too few pass."""
    port = Port(rows({"tax.limit_year_cny": str(limit)}))
    made = [papers(n, basket=(item(PLAIN, "2000", 2),), buyer=7) for n in range(1, 5)]
    documents = [part for one in made for part in one.four()]
    port.send(*[documents[at] for at in order])
    states = Counter(port.case(one).state for one in made)
    fits = min(4, limit // 4000)
    assert states == +Counter(closed=fits, refused=4 - fits)
    assert port.spent(made[0]) == 4000 * fits
    port.check()


# ── random streams ──────────────────────────────────────────────────────────────────────────────────────


class Op(NamedTuple):
    """One thing that happens: a document of parcel 0 or 1 in some form, or days that pass."""

    kind: str
    parcel: int = 0
    app_type: str = "1"
    stash: bool = False
    form: int = 0
    age: str = "new"


KINDS = ("order", "payment", "waybill", "signed", "inventory", "cancel", "return", "tally")
OPS = st.builds(
    Op,
    kind=st.sampled_from((*KINDS, "four", "wait")),
    parcel=st.integers(0, 1),
    app_type=st.sampled_from("1112233"),
    stash=st.sampled_from((False, False, False, True)),
    form=st.integers(0, 3),
    age=st.sampled_from(("new", "new", "new", "old", "same")),
)
USUAL = ("four", "four", "inventory", "cancel", "cancel", "return", "return", "tally", "wait")


def drawn(rng: Random) -> Op:
    """What happens next: half of it is what companies usually do, or no stream would get far."""
    parcel = rng.randrange(2)
    if rng.random() < 0.5:
        return Op(rng.choice(USUAL), parcel, form=rng.choice((0, 0, 0, 1)), age=rng.choice(("new", "new", "same")))
    return Op(rng.choice((*KINDS, "four", "wait")), parcel, rng.choice("1112233"), rng.random() < 0.2,
              rng.randrange(4), rng.choice(("new", "new", "new", "old", "same")))


FORMS: dict[str, tuple[dict[str, Any], ...]] = {
    "order": ({}, {"consignee": "欧阳测试"}, {"payTransactionId": "PAY-2"}, {"freight": "5"}),
    "payment": ({}, {"payTransactionId": "PAY-2"}, {"payerName": "欧阳测试"}, {"amountPaid": "1"}),
    "waybill": ({}, {"freight": "5"}, {"orderNo": "SO-OTHER"}, {"logisticsNo": "WB-SHARED"}),
    "signed": ({}, {}, {"logisticsNo": "WB-SHARED"}, {}),
    "inventory": ({}, {"copNo": "SECOND-NUMBER"}, {"logisticsNo": "WB-SHARED"}, {"ebcCode": "3302961234"}),
    "cancel": ({}, {"copNo": "SECOND-CANCEL"}, {"invtNo": "31182026I000000002"}, {"agentCode": "1", "ebcCode": "1"}),
    "return": ({}, {"copNo": "SECOND-RETURN"}, {"copNo": "THIRD-RETURN"}, {"invtNo": "31182026I000000002"}),
    "tally": ({}, {"copNo": "SECOND-TALLY"}, {"waybills": ["WB-SHARED"]}, {}),
}
LAWS = (
    {},
    {"duty.tally": True, "tax.limit_year_cny": "7000"},
    {"duty.tally": True, "clearance.close_days": 3, "clearance.match_wait_days": 5},
    {"clearance.close_days": 3, "window.return_apply_days": None, "tax.limit_year_cny": "4000"},
    {"practice.documents": ["order", "waybill"], "practice.emit_399": True, "practice.emit_status_3": False},
)
WAITS = (1, 3, 20, 40)


class Stream:
    """Runs operations on a port."""

    def __init__(self, law: dict[str, Any], step: int = 1000) -> None:
        self.port = Port(rows(law) if law else None, step=step)
        self.parcels = [papers(n, basket=(item(PLAIN, "1000", 4),), buyer=7) for n in (1, 2)]
        self.last: dict[tuple[str, int], Any] = {}
        self.count = 0

    def run(self, op: Op) -> None:
        if op.kind == "wait":
            self.port.wait(days=WAITS[op.form])
            return
        if op.kind == "four":
            self.port.send(*[self.part(op._replace(kind=kind, app_type="1", stash=False, form=0))
                             for kind in ("order", "payment", "waybill", "inventory")])
            return
        self.port.send(self.part(op))

    def part(self, op: Op) -> Any:
        key = (op.kind, op.parcel)
        if op.age == "same" and key in self.last:
            return self.last[key]
        self.count += 1
        of, form = self.parcels[op.parcel], FORMS[op.kind][op.form]
        part = changed(getattr(of, op.kind) if op.kind in Papers._fields else self.follow(op, of), form)
        now = time14(self.port._at()) if op.age != "old" else "20200101000000"
        part = replace(part, appType=op.app_type, appStatus="1" if op.stash else "2",
                       guid=guid_from(op.kind, self.count), appTime=now)
        self.last[key] = part
        return part

    def follow(self, op: Op, of: Papers) -> Any:
        if op.kind == "return":
            return self.port.give_back(of, {1: Decimal(op.form + 1)})
        return {"signed": self.port.signed_for, "cancel": self.port.cancel, "tally": self.port.tally}[op.kind](of)


def run_checked(law: dict[str, Any], ops: list[Op]) -> Port:
    """After every step (see world.Port.take): final states stay, the year is not overdrawn, decisions are pure.
    At the end: fold(events) == state, quota postings = held, tax postings = living bills, receipts rise and fit."""
    stream = Stream(law)
    with showing(stream.port):
        for op in ops:
            stream.run(op)
        stream.port.check()
        limit = Decimal(law.get("tax.limit_year_cny", "26000"))
        assert all(amount <= limit * 100 for amount in stream.port.quota.values())
    return stream.port


@settings(QUICK, max_examples=150)
@given(st.sampled_from(LAWS), st.lists(OPS, min_size=1, max_size=30))
def test_small_streams(law: dict[str, Any], ops: list[Op]) -> None:
    """Short and odd ones, which shrink well."""
    run_checked(law, ops)


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_long_streams(law: dict[str, Any]) -> None:
    """Long ones, which get everywhere: every state of a parcel and every kind of receipt is seen."""
    states, receipts = Counter[str](), Counter[str]()
    for seed in range(60):
        rng = Random(seed)
        port = run_checked(law, [drawn(rng) for _ in range(60)])
        states.update(case.state for case in port.cases.values())
        receipts.update(f"{r.type} {r.status}" for r in port.receipts)
    wanted = {"waiting", "closed", "returned"} | ({"cancelled"} if "duty.tally" in law else set())
    assert wanted <= states.keys(), states
    assert {"624 -623005", "626 399", "818 2", "818 3", "816 1", "712 399", "514 120"} <= receipts.keys()
    assert ("624 399" in receipts) is ("duty.tally" in law)


@settings(QUICK, max_examples=60)
@given(st.lists(OPS, min_size=1, max_size=25))
def test_random_streams_while_the_clock_stands_still(ops: list[Op]) -> None:
    """A run with a fixed clock: times of one document still rise, the fold and the books still hold."""
    stream = Stream(LAWS[1], step=0)
    with showing(stream.port):
        for op in ops:
            if op.kind != "wait":
                stream.run(op)
        stream.port.check_fold()
        stream.port.check_books()


@settings(QUICK, max_examples=80)
@given(st.lists(OPS, min_size=1, max_size=25), st.integers(1, 3))
def test_a_stream_sent_again_changes_nothing_that_is_final(ops: list[Op], times: int) -> None:
    """Everything that was taken, sent once more as it was: no parcel that is over moves, no posting is added."""
    stream = Stream(LAWS[0])
    sent: list[Any] = []
    send = stream.port.send

    def keep(*parts: Any) -> Any:
        sent.extend(parts)
        return send(*parts)

    stream.port.send = keep  # type: ignore[method-assign]
    for op in ops:
        stream.run(op)
    over = {key: bare(case) for key, case in stream.port.cases.items()
            if case.state in ("released", "closed", "returned")}
    postings = [p for p in stream.port.postings if of_case(stream.port, p) in over]
    for part in sent * times:
        send(part)
    with showing(stream.port):
        for key, state in over.items():
            now = bare(stream.port.cases[key])
            for name in ("state", "inventory", "hold", "bill", "order", "released_at", "closed_at", "cancels"):
                assert now[name] == state[name], name
        assert [p for p in stream.port.postings if of_case(stream.port, p) in over] == postings
        stream.port.check()


def of_case(port: Port, posting: Any) -> str:
    """The key of the case whose inventory or bill a posting belongs to."""
    for key, case in port.cases.items():
        if case.inventory is not None and posting.document in (
            case.inventory.invtNo, case.bill.taxNo if case.bill is not None else ""
        ):
            return key
    return ""


# ── money ───────────────────────────────────────────────────────────────────────────────────────────────


@QUICK
@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**8), min_size=1, max_size=99), st.integers(0, 3))
def test_spread_conserves(total_fen: int, weights: list[int], places: int) -> None:
    """The shares sum to the total to the fen, none is below zero, none is far from its exact part."""
    total = Decimal(total_fen) / 100
    scaled = [Decimal(weight) / 10**places for weight in weights]
    shares = spread(total, scaled)
    assert sum(shares, Decimal(0)) == total and len(shares) == len(weights)
    assert all(share >= 0 for share in shares)
    whole = sum(scaled, Decimal(0))
    largest = max(range(len(scaled)), key=scaled.__getitem__)
    for at, (share, weight) in enumerate(zip(shares, scaled, strict=True)):
        exact = total * weight / whole if whole else (total if at == 0 else Decimal(0))
        assert abs(share - exact) <= (Decimal("0.01") * len(weights) if at == largest or not whole else Decimal("0.01"))


CODES = sorted({one.hs for one in market().articles} | {"9999999999"})
DAYS = st.dates(date(2014, 8, 1), date(2026, 12, 31))


@settings(QUICK, max_examples=250)
@given(st.sampled_from(CODES), DAYS, st.integers(0, 10**7), st.integers(0, 10**6), st.integers(0, 10**5),
       st.integers(1, 40), st.booleans(), st.sampled_from(["035", "095", "020", "008", "011"]))
def test_tax_rises_with_value(hs: str, day: date, value: int, more: int, fees: int, qty: int, full: bool,
                              unit: str) -> None:
    """A dearer line never bears less tax; more freight never bears less; full taxation never less than the share."""
    view = Policy.load().at(day, "3118")
    freight = Decimal(fees) / 100

    def total(fen_value: int, fee: Decimal = freight, whole: bool = full) -> Decimal:
        one = line(hs, str(Decimal(fen_value) / 100), qty=str(qty), unit=unit, qty1="0.75",
                   unit1="035" if qty % 2 else unit)
        made = tax.assess([one], fee, Decimal(0), view, full=whole)
        assert made.duty >= 0 and made.vat >= 0 and made.consumption >= 0
        assert all(amount == amount.quantize(Decimal("0.01")) for amount in (made.duty, made.vat, made.consumption))
        return made.total

    assert total(value) <= total(value + more)
    assert total(value) <= total(value, freight + 1)
    assert total(value, whole=False) <= total(value, whole=True)


@QUICK
@given(st.lists(st.tuples(st.sampled_from(CODES), st.integers(0, 500_000)), min_size=1, max_size=12),
       st.integers(0, 20_000), DAYS, st.booleans())
def test_the_head_of_a_bill_is_the_sum_of_its_lines(lines: list[tuple[str, int]], fees: int, day: date,
                                                    full: bool) -> None:
    view = Policy.load().at(day, "3118")
    made_lines = [line(hs, str(Decimal(fen) / 100), gnum=n, qty1="0.5", unit1="035")
                  for n, (hs, fen) in enumerate(lines, 1)]
    made = tax.assess(made_lines, Decimal(fees) / 100, Decimal(0), view, full=full)
    assert (made.duty, made.vat, made.consumption) == tuple(
        sum((getattr(one, name) for one in made.lines), Decimal(0)) for name in ("duty", "vat", "consumption"))
    counted = made_lines if view["tax.regime"] == "composite" else []
    if counted:
        assert sum((one.dutiable for one in made.lines), Decimal(0)) == sum(
            (one.total for one in counted), Decimal(fees) / 100)


@settings(QUICK, max_examples=100)
@given(st.lists(st.tuples(st.sampled_from([PLAIN, "1901101090", "0409000000", "3305100090"]), st.integers(100, 30_000),
                          st.integers(1, 5)), min_size=1, max_size=4, unique_by=lambda one: one[0]),
       st.integers(0, 3000), st.lists(st.dictionaries(st.integers(1, 4), st.integers(1, 5), min_size=1), max_size=8))
def test_whatever_comes_back_in_whatever_parts(
    basket: list[tuple[str, int, int]], freight: int, asked: list[dict[int, int]]
) -> None:
    """The year holds what is left of the dutiable value, the guarantor owes its tax, all back leaves nothing."""
    port = Port(rows({"tax.limit_single_cny": "100000", "tax.limit_year_cny": "100000"}))
    made = papers(basket=tuple(item(hs, str(Decimal(fen) / 100), qty) for hs, fen, qty in basket), fees=Fees(freight))
    port.send(*made.four())
    assert port.case(made).state == "closed"
    left = {one.gnum: one.qty for one in made.inventory.lines}
    turn = 0
    for turn, wanted in enumerate(asked):
        known = {gnum: Decimal(qty) for gnum, qty in wanted.items() if gnum in left}
        if not known:
            continue
        fits = all(qty <= left[gnum] for gnum, qty in known.items())
        port.send(port.give_back(made, known, copNo=f"T{turn}", guid=guid_from("T", turn)))
        over = port.case(made).state == "returned"
        if fits and any(left.values()):
            left = {gnum: qty - known.get(gnum, Decimal(0)) for gnum, qty in left.items()}
        assert over is (not any(left.values()))
        kept = sum((one.dutiable for one in port.case(made).bill.lines), Decimal(0)) if not over else Decimal(0)
        assert port.spent(made) == kept
        port.check_books()
    if any(left.values()):
        port.send(port.give_back(made, {g: q for g, q in left.items() if q}, copNo="REST", guid=guid_from("REST")))
    assert port.case(made).state == "returned" and port.spent(made) == 0
    assert not any(port.posted("tax/").values())
    port.check()


# ── the match and the law over all days ─────────────────────────────────────────────────────────────────


@QUICK
@given(st.lists(st.integers(0, len(BREAKS) - 1), max_size=4, unique=True),
       st.sampled_from(["national", "strict-port", "flexible-port", "sandbox"]))
def test_the_quick_match_says_what_the_single_links_say(breaks: list[int], profile: str) -> None:
    """All links as one compiled test and each by itself agree; switched-off links are never told."""
    from cebport.clearance.match import _compile

    made = faulty(tuple(breaks))
    practice = Policy.load().at(date(2026, 11, 24), "3118", profile=profile).practice
    _, every, tests = _compile(practice)
    told = match(made.order, made.payment, made.waybill, made.inventory, practice)
    docs = (made.order, made.payment, made.waybill, made.inventory)
    assert [reason.rule for reason in told] == [link.rule for link, _, holds in tests if not holds(*docs)]
    assert bool(told) is not every(*docs)


@settings(QUICK, max_examples=80)
@given(st.integers(0, 4600), st.sampled_from(["9610", "1210"]),
       st.sampled_from(["ningbo", "shanghai", "hangzhou", "pingtan", "tianjin"]))
def test_every_day_since_2014_has_an_answer(days: int, mode: str, place: str) -> None:
    """No day and no place on which a parcel is neither refused nor decided."""
    at = date(2014, 3, 1) + timedelta(days=days)
    start = f"{at.isoformat()}T10:00:00"
    made = papers(at=start, mode=mode, place=place, basket=(item(PLAIN, "500"), item("3303000020", "400")))
    port = Port(at=start)
    port.send(*made.four())
    state, permitted = port.case(made).state, port.view(made.inventory.customsCode).mode(mode) is not None
    assert state == ("closed" if permitted else "refused")
    if permitted:
        bill = port.case(made).bill
        postal = port.view("CN")["tax.regime"] == "postal"
        assert bill.total > 0 and bool(bill.duty) is postal and bool(bill.vat) is not postal
        port.send(port.give_back(made))
        assert port.case(made).state == "returned"
    port.check()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_document_takes_part_in_the_streams(kind: str) -> None:
    """Each kind, alone, in each form and appType, on an empty port and after a closed parcel: an answer, no crash."""
    for before in (False, True):
        for form in range(4):
            for app_type in "123":
                for stash in (False, True):
                    stream = Stream({})
                    if before:
                        stream.run(Op("four"))
                    told = len(stream.port.receipts)
                    stream.run(Op(kind, 0, app_type, stash, form))
                    assert len(stream.port.receipts) > told, "no document stays without an answer"
                    first = stream.parcels[0].order
                    case = stream.port.cases.get(case_key(first.orderNo, first.ebpCode))
                    assert not before or case is not None
                    stream.port.check()
