# ruff: noqa: E501 (a table: a row may be as long as its sentence)
"""What the commands of account books and the gate say, in Chinese and English (账册与卡口命令的用语). ``words.py`` takes them in."""

from __future__ import annotations

from cebport.faults import Words

W = Words

COMMANDS: dict[str, Words] = {}

SUBCOMMANDS: dict[str, Words] = {
    "bonded book": W(
        "账册里有什么。\n\n每项的入仓、实增、实减、预减、可用量（入仓＋实增－实减－预减）、已占用、可申报量；--item 看一项和它最近的变动。"
        "不给账册编号就列出全部账册。--prove 把每一笔变动重算一遍，与各项余额比较，不符时退出码为 1。",
        "What an account book holds.\n\nEach item with what entered, increased, decreased, is pre-written off, is available (in + increases - "
        "decreases - pre-decreases), reserved and free; --item shows one with its last movements. Without a number every book. --prove "
        "replays every movement and compares it with the balances; exit code 1 when anything differs.",
    ),
    "bonded enter": W(
        "收下企业的报文：账册 BWS101、核注清单 INV101、核放单 SAS121。\n\n格式有误、超出账册可用数量、关联单证不符的整份不入账，逐条指出，并出退单应答；"
        "同一文件再来一次，什么都不会改变。--receipts 写出回执。",
        "Take the letters of companies: books (BWS101), lists (INV101), passes (SAS121).\n\nWhat breaks the form, over-draws a book or names "
        "other documents wrongly is not booked at all, each reason is told and answered; the same file again changes nothing. --receipts "
        "writes the receipts.",
    ),
    "bonded batch": W(
        "归并已放行的零售清单，生成类型 8 的核注清单（INV101）。\n\n按账册项号、单位、原产国汇总数量，单价取平均；-o 写出报文。--back 归并已批准退货、须重新入区的。"
        "没有可归并的清单时退出码为 1。",
        "Gather released inventories into a list of kind 8 (INV101).\n\nQuantities are summed by book item, unit and origin, the price is the "
        "average; -o writes the letter. --back gathers approved returns that come back into the book. Exit code 1 where there is nothing to "
        "gather.",
    ),
    "bonded examine": W(
        "关员审核核注清单或核放单。\n\npass 通过（按规则表预核扣或不预核扣），pre 通过并预核扣，passed 通过未核扣，manual 转人工，refuse 退单；"
        "released 配合 --entry：对应的报关单已放行。状态不允许时退出码为 1。",
        "An officer's answer to a list or a pass.\n\npass (pre-written off or not, as the tables say), pre, passed, manual, refuse; released "
        "with --entry: its customs declaration is released. Exit code 1 when the state does not allow it.",
    ),
    "bonded pass": W(
        "申请核放单（SAS121）。\n\n一份清单一车、多份清单一车，或用 --part 行号=数量 让一份清单分几车走；--void 在过卡前作废。总重由各项重量相加。-o 写出报文。",
        "Ask for a gate pass (SAS121).\n\nOne list, many lists for one vehicle, or with --part LINE=N a part of one list; --void makes one void "
        "before it crosses. The total weight is the sum of the weights. -o writes the letter.",
    ),
    "bonded gate": W(
        "车辆过卡口。\n\n单卡口用 single；双卡口先 first 后 second。全部货物过卡后核扣（有报关单的要等它放行），给出新的账册余额。状态不允许时退出码为 1。",
        "A vehicle crosses the gate.\n\nsingle for one gate, first and then second for two. When all goods of a list are through (and its "
        "customs declaration, if it has one, is released) it is written off and the book has its new balance. Exit code 1 when the state "
        "does not allow it.",
    ),
    "bonded count": W(
        "盘库：清点数与账册比较。\n\nFILE 是 CSV，列 item（项号）和 counted（盘点数量）。逐项列出差异和相关单证，有差异时退出码为 1；--settle 按清点数调整账册。",
        "Stock-taking: what was counted against the book.\n\nFILE is a CSV with item and counted. Each difference with the documents behind "
        "it; exit code 1 when there is any. --settle books what was counted.",
    ),
}

OPTIONS: dict[str, Words] = {
    "bonded.receipts": W("写回执的目录，每个接收方一个子目录；不给就留待下次", "folder for receipts, one subfolder a receiver; left out, they wait"),
    "bonded.own": W("企业内部编号；默认新编一个", "the company's own number; default: a fresh one"),
    "bonded.who": W("经办人", "who does it"),
    "bonded.out": W("写出报文的文件或目录", "file or folder for the letter"),
    **{f"bonded {name}.on": W("办理的时刻（北京时间）；默认现在", "the moment of the act, Beijing time; default: now")
       for name in ("enter", "batch", "examine", "pass", "gate", "count")},
    "bonded book.item": W("只看这一项，连同最近的变动", "this item only, with its last movements"),
    "bonded book.after": W("从这一项之后开始列", "list items behind this one"),
    "bonded book.lines": W("列出多少项", "how many items to list"),
    "bonded book.prove": W("重算每一笔变动并比较", "replay every movement and compare"),
    "bonded batch.back": W("归并退货，生成入区清单", "gather returns into an inbound list"),
    "bonded batch.most": W("最多归并多少份清单", "at most so many inventories"),
    "bonded examine.note": W("审核意见", "what the officer remarks"),
    "bonded examine.entry": W("已放行的报关单编号（结果为 released 时）", "number of the released declaration (with released)"),
    "bonded pass.void": W("作废这份核放单", "make this pass void"),
    "bonded pass.part": W("只装清单的一部分：行号=数量；可重复", "a part of the list only: LINE=N; repeatable"),
    "bonded pass.vehicle": W("车牌号", "the vehicle"),
    "bonded pass.vehicle-weight": W("车自重，千克", "weight of the vehicle, kg"),
    "bonded pass.frame-weight": W("车架重，千克；默认 0", "weight of the frame, kg; default: 0"),
    "bonded pass.container-weight": W("集装箱重，千克；默认 0", "weight of the container, kg; default: 0"),
    "bonded pass.gross": W("货物毛重，千克", "gross weight of the goods, kg"),
    "bonded pass.net": W("货物净重，千克", "net weight of the goods, kg"),
    "bonded pass.contact": W("申请人及联系方式（只存掩码）", "applicant and how to reach him (kept masked)"),
    "bonded gate.gate": W("哪一道卡口", "which gate"),
    "bonded gate.gate-id": W("卡口编号", "number of the gate"),
    "bonded gate.collected": W("卡口采集重量，千克", "weight at the gate, kg"),
    "bonded count.settle": W("按清点数调整账册", "book what was counted"),
}

PHRASES: dict[str, Words] = {
    "bonded_repeated": W("同样的内容已收过（报文 {message}），什么都没有改变；回执重发", "the same came before (message {message}), nothing changed; its receipts go out again"),
    "bonded_nothing": W("账册 {number} 没有可归并的清单", "book {number} has nothing to gather"),
    "bonded_no_request": W("不是企业申报的报文", "no letter that a company declares"),
    "bonded_entry_only": W("--entry 只与 released 同用", "--entry goes with released only"),
    "bonded_void_alone": W("--void 不与清单编号同用", "--void stands without lists"),
    "bonded_one_list": W("--part 只用于一份清单", "--part is for one list only"),
    "bonded_part": W("{value} 应写作 行号=数量，行号须在清单里", "{value} must be LINE=N, with a line of the list"),
    "bonded_row": W("{path} 第 {row} 行：项号或数量读不懂，或项号重复", "{path} row {row}: item or quantity cannot be read, or the item comes twice"),
    "bonded_totals": W("{items} 项，{moves} 笔变动；入仓 {entered} ＋ 实增 {increased} － 实减 {decreased} － 预减 {pre_decreased} ＝ 可用 {balance}；已占用 {reserved}",
                       "{items} items, {moves} movements; in {entered} + increases {increased} - decreases {decreased} - pre-decreases {pre_decreased} = {balance} available; {reserved} reserved"),
    "bonded_item": W("项号", "item"),
    "bonded_material": W("料号", "material"),
    "bonded_entered": W("入仓", "in"),
    "bonded_increased": W("实增", "up"),
    "bonded_decreased": W("实减", "down"),
    "bonded_pre_decreased": W("预减", "pre-down"),
    "bonded_balance": W("可用", "available"),
    "bonded_reserved": W("占用", "reserved"),
    "bonded_free": W("可申报", "free"),
    "bonded_movement": W("变动", "movement"),
    "bonded_quantity": W("数量", "quantity"),
    "bonded_booked": W("账面", "booked"),
    "bonded_counted": W("清点", "counted"),
    "bonded_behind": W("相关单证", "documents"),
    "bonded_proved": W("相符：{lines} 项，{moves} 笔变动重算一致", "proved: {lines} items, {moves} movements replayed"),
    "bonded_not_proved": W("不符 {count} 处（{lines} 项，{moves} 笔变动）", "{count} differences ({lines} items, {moves} movements)"),
}

EVENTS: dict[str, str] = {f"bonded: {name}": zh for name, zh in {
    "book opened": "账册已备案", "book changed": "账册已变更", "list stored": "核注清单已入库", "list changed": "核注清单已变更",
    "list deleted": "核注清单已删除", "list manual": "核注清单转人工", "list refused": "核注清单退单", "list passed": "核注清单通过",
    "entry released": "报关单放行", "pass stored": "核放单已申请", "pass void": "核放单已作废", "pass manual": "核放单转人工",
    "pass refused": "核放单退单", "pass approved": "核放单已审批", "first gate": "已过一道卡口", "gate crossed": "已过卡",
    "stock reserved": "库存已占用", "parcel taken off": "包裹已从清单剔除", "return booked": "退货已登记", "counted": "已盘点",
    "count settled": "盘点差异已入账", "book not booked": "账册未受理", "list not booked": "核注清单未受理",
    "list passed not booked": "核注清单未受理", "pass not booked": "核放单未受理", "entry not booked": "报关单放行未受理",
    "gate not booked": "不予过卡", "stock reserved not booked": "库存未占用", "parcel taken off not booked": "包裹未能剔除",
    "return not booked": "退货未登记", "return booked not booked": "退货未登记", "count not booked": "盘点未受理",
    "counted not booked": "盘点未受理", "count settled not booked": "盘点差异未入账",
}.items()}
"""What the journal calls an act -> Chinese."""
