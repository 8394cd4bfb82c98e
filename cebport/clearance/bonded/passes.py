"""Gate passes and the gate (核放单、卡口), and an officer's answer to lists and passes."""

from __future__ import annotations

from msgspec.structs import replace

from cebport.clearance import stock
from cebport.clearance.bonded.acts import (
    GONE,
    NEW,
    Answer,
    Cross,
    Draft,
    Examine,
    FilePass,
    result_of,
    seq_number,
    state_shown,
    states_shown,
)
from cebport.clearance.bonded.lists import free_list, pass_list, settle
from cebport.clearance.draft import law_source
from cebport.clearance.stock import IN, BondList, Load, Pass, PassLine, shown
from cebport.values import plain

GATES = {"single": stock.CROSSED, "first": stock.FIRST_GATE, "second": stock.SECOND_GATE}


def examine(d: Draft, act: Examine) -> tuple[str, str]:
    """An officer's answer to a list or a pass (审核)."""
    made = d.held.get("passes", act.number)
    if made is not None:
        return examine_pass(d, made, act)
    held = d.held.get("lists", act.number)
    if held is None:
        d.fail("BOND-LIST-UNKNOWN", "businessId", act.number)
        return "list", act.number
    if held.state not in stock.table()["list_waiting"] or (act.result == "manual" and held.state == stock.MANUAL):
        d.fail("BOND-LIST-STATE", "manageResult", state_shown("lists", held.state), states_shown("list_waiting"))
        return "list", act.number
    if act.result == "manual":
        after = d.put("lists", replace(held, state=stock.step("lists", held.state, stock.MANUAL), note=act.note))
    elif act.result == "refuse":
        free_list(d, held)
        after = d.put("lists", replace(held, state=stock.step("lists", held.state, stock.REFUSED), note=act.note))
    else:
        pass_list(d, replace(held, note=act.note), act.result)
        return "list passed", act.number
    d.answers.append(Answer("INV201", after, result=result_of(after), at=d.now))
    return f"list {after.state}", act.number


def file_pass(d: Draft, act: FilePass) -> tuple[str, str]:
    """SAS121: 1 asks for a pass, 3 makes one void before it crosses."""
    asked = act.made
    if act.typ == GONE:
        return _void_pass(d, asked)
    if act.typ != NEW:
        d.fail("BOND-TYPE", "PassportHead/DclTypecd", act.typ, "1, 3")
    other = d.held.own("passes", asked.company.code, asked.own)
    if other is not None:
        d.fail("BOND-OWN-NUMBER", "PassportHead/EtpsPreentNo", asked.own, other.number)
    _check_weight(d, asked.load)
    lines: tuple[PassLine, ...] = ()
    if asked.kind in stock.table()["passes_with_lists"]:
        lines = _pass_lines(d, asked)
    elif asked.bind or asked.lists:
        d.fail("BOND-PASS-BIND", "PassportHead/BindTypecd", asked.bind or "\\".join(asked.lists))
    if d.failed:
        return "pass", asked.number
    day = f"{d.view.day:%y%m%d}"
    number = f"Z{asked.customs}{asked.io}{day}{d.numbers.next(f'pass/{asked.customs}/{asked.io}/{day}'):012d}"
    made = d.put("passes", replace(asked, number=number, seq=seq_number(d), lines=lines, state=stock.STORED,
                                   declared_at=d.now))
    _use(d, made, 1)
    d.answers.append(Answer("CommonResponeMessage", made=made, result="0", at=d.now))
    if d.view.get("bonded.examine") == "at_once":
        examine_pass(d, made, Examine(number, "pass"))
    return "pass stored", number


def _check_weight(d: Draft, load: Load) -> None:
    """totalWt is the vehicle with all that is on it; the frame may be left out."""
    whole = load.weight + load.container_weight + load.gross
    if load.total not in (whole, whole + load.frame_weight):
        tell = d.fail if d.view.get("bonded.weight_sum") == "refuse" else d.warn
        tell("BOND-WEIGHT", "PassportHead/TotalWt", plain(load.total), plain(whole + load.frame_weight),
             law_source(d.view, "bonded.weight_sum"))
    if load.net > load.gross:
        d.fail("BOND-NET", "PassportHead/TotalNetWt", plain(load.net), plain(load.gross))


def _pass_lines(d: Draft, asked: Pass) -> tuple[PassLine, ...]:
    """What the pass carries: whole lists (bind 1, 2), or parts of one (bind 3)."""
    if asked.bind not in ("1", "2", "3") or not asked.lists or (asked.bind != "1" and len(asked.lists) > 1) or (
            len(set(asked.lists)) != len(asked.lists)):
        d.fail("BOND-PASS-BIND", "PassportHead/BindTypecd", f"{asked.bind}: {', '.join(asked.lists)}")
        return ()
    whole: list[PassLine] = []
    found: dict[str, BondList] = {}
    for number in asked.lists:
        held = d.held.get("lists", number)
        path = "PassportHead/RltNo"
        if held is None:
            d.fail("BOND-LIST-UNKNOWN", path, number)
            continue
        found[number] = held
        if held.state not in stock.table()["list_passable"]:
            d.fail("BOND-PASS-LIST", path, f"{number} {state_shown('lists', held.state)}",
                   states_shown("list_passable"))
        if (held.customs, held.company.code, held.io) != (asked.customs, asked.company.code, asked.io):
            d.fail("BOND-BOOK-PARK", path, f"{asked.customs} {asked.company.code} {asked.io}",
                   f"{held.customs} {held.company.code} {held.io}")
        if asked.bind != "3":
            whole += [PassLine(number, line.no, line.qty) for line in held.lines]
            if any(line.passed for line in held.lines):
                d.fail("BOND-PASS-QUANTITY", path, number, shown(sum(x.passed for x in held.lines)))
    if asked.bind != "3" or d.failed:
        return tuple(whole)
    return _parts(d, asked, found[asked.lists[0]])


def _parts(d: Draft, asked: Pass, held: BondList) -> tuple[PassLine, ...]:
    """Parts of a list: no line may have more on passes than it declares."""
    lines = {line.no: line for line in held.lines}
    sums: dict[int, int] = {}
    if not asked.lines:
        d.fail("BOND-LINES", "PassportList", 0, ">= 1")
    for part in asked.lines:
        line, path = lines.get(part.line), f"PassportList[RltGdsSeqno={part.line}]"
        if line is None:
            d.fail("BOND-LINES", path, part.line, held.number)
            continue
        if part.qty <= 0:
            d.fail("BOND-QUANTITY", f"{path}/DclQty", shown(part.qty), "> 0")
        sums[part.line] = sums.get(part.line, 0) + part.qty
        room = line.qty - line.passed
        if sums[part.line] > room:
            d.fail("BOND-PASS-QUANTITY", f"{path}/DclQty", shown(sums[part.line]), shown(room))
    return tuple([PassLine(held.number, no, qty) for no, qty in sorted(sums.items())])


def _use(d: Draft, made: Pass, sign: int, counter: str = "passed") -> list[BondList]:
    """The lists with what the pass uses of them (or, sign -1, no longer does)."""
    changed = []
    for number in made.lists:
        held = d.get("lists", number)
        sums = {part.line: part.qty for part in made.lines if part.list == number}
        lines = tuple([replace(line, **{counter: getattr(line, counter) + sign * sums.get(line.no, 0)})
                       for line in held.lines])
        assert all(0 <= line.gone <= line.passed <= line.qty for line in lines), f"{number}: more on passes than lines"
        changed.append(d.put("lists", replace(held, lines=lines)))
    return changed


def _void_pass(d: Draft, asked: Pass) -> tuple[str, str]:
    held = d.held.get("passes", asked.number)
    if held is None or held.company.code != asked.company.code:
        d.fail("BOND-PASS-UNKNOWN", "PassportHead/PassportNo", asked.number)
        return "pass", asked.number
    if stock.VOID not in stock.table()["passes"][held.state]["to"]:
        d.fail("BOND-PASS-STATE", "PassportHead/DclTypecd", state_shown("passes", held.state),
               state_shown("passes", stock.APPROVED))
        return "pass", asked.number
    _use(d, held, -1)
    void = d.put("passes", replace(held, state=stock.step("passes", held.state, stock.VOID)))
    d.answers.append(Answer("SAS221", made=void, result="1", at=d.now))
    return "pass void", held.number


def examine_pass(d: Draft, made: Pass, act: Examine) -> tuple[str, str]:
    """An officer's answer to a pass; refused, its lists may go on another one."""
    if made.state != stock.STORED:
        d.fail("BOND-PASS-STATE", "manageResult", state_shown("passes", made.state),
               state_shown("passes", stock.STORED))
        return "pass", made.number
    if act.result == "manual":
        d.answers.append(Answer("SAS221", made=made, result="2", at=d.now))
        d.put("passes", replace(made, note=act.note))
        return "pass manual", made.number
    to = stock.REFUSED if act.result == "refuse" else stock.APPROVED
    if to == stock.REFUSED:
        _use(d, made, -1)
    after = d.put("passes", replace(made, state=stock.step("passes", made.state, to), note=act.note))
    d.answers.append(Answer("SAS221", made=after, result=stock.table()["passes"][to]["result"], at=d.now))
    return f"pass {to}", made.number


def cross(d: Draft, act: Cross) -> tuple[str, str]:
    """The vehicle crosses (过卡); behind the last gate the goods are through."""
    made = d.held.get("passes", act.number)
    if made is None:
        d.fail("BOND-PASS-UNKNOWN", "passportNo", act.number)
        return "gate", act.number
    to = GATES[act.gate]
    if to not in stock.table()["passes"][made.state]["to"]:
        d.fail("BOND-PASS-STATE", "stucd", state_shown("passes", made.state), state_shown("passes", {
            stock.SECOND_GATE: stock.FIRST_GATE}.get(to, stock.APPROVED)))
        return "gate", act.number
    if (act.gate == "single") != (d.view.get("bonded.gates") != "double"):
        d.fail("BOND-GATES", "passID", act.gate, d.view.get("bonded.gates") or "single",
               law_source(d.view, "bonded.gates"))
    _check_collected(d, made, act)
    _check_left_first(d, made)
    if d.failed:
        return "gate", act.number
    at = act.at or d.now
    times = {"gate2": act.gate_id, "time2": at} if act.gate == "second" else {"gate1": act.gate_id, "time1": at}
    collected = act.collected if act.collected is not None else made.collected
    after = d.put("passes", replace(made, state=stock.step("passes", made.state, to), collected=collected, **times))
    d.answers.append(Answer("SAS223", made=after, result="1", at=d.now))
    if to == stock.FIRST_GATE:
        return "first gate", made.number
    for held in _use(d, after, 1, "gone"):
        settle(d, held)
    return "gate crossed", made.number


def _check_collected(d: Draft, made: Pass, act: Cross) -> None:
    """The weight at the gate against the declared one, where a row says how far they may differ."""
    most = d.view.get("bonded.gate_weight_kg")
    if act.collected is None or most is None:
        return
    off = abs(made.load.total - act.collected)
    if off > most:
        d.fail("BOND-GATE-WEIGHT", "passCollectWt", plain(act.collected), f"{plain(made.load.total)} ± {plain(most)}",
               law_source(d.view, "bonded.gate_weight_kg"))


def _check_left_first(d: Draft, made: Pass) -> None:
    """Carried-over goods enter one book only after they have left the other."""
    for number in made.lists:
        held = d.held.get("lists", number)
        if held.io == IN and held.linked_list:
            out = d.held.get("lists", held.linked_list)
            if out.state != stock.OFF:
                d.fail("BOND-CARRY-NOT-LEFT", "rltNo", out.number, state_shown("lists", out.state))
