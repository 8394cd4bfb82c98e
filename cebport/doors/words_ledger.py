# ruff: noqa: E501 (a table: a row may be as long as its sentence)
"""What the commands of the tax ledger say, in Chinese and English (税款总账命令的用语). ``words.py`` takes them in."""

from __future__ import annotations

from cebport.faults import Words

W = Words

COMMANDS: dict[str, Words] = {
    "ledger": W(
        "税款：担保、汇总缴款书、月度对账单、税务文件、核对。\n\n每张税单、汇总、作废、缴款、退税和每笔担保都按复式记账，借贷必平；"
        "总账跟随流水，查询前自动补记到最新。",
        "Tax: guarantees, payment documents, monthly statements, the file for the tax bureau, reconciliation.\n\nEvery bill, summary, "
        "void, payment, refund and guarantee is double entry, so the books always balance. The ledger follows the journal and is "
        "brought up to date before each answer.",
    ),
}

SUBCOMMANDS: dict[str, Words] = {
    "ledger guarantee": W(
        "担保账户：余额、占用、可用。\n\n按担保企业（assureCode）列出当日有效的担保、占用的税款、可用额度和状态。--file 登记担保清单（CSV、XLSX："
        "提供或终止）；一行有误就整份不登记，退出码 1。余额不足时对包裹如何处理见规则 collect.guarantee_short。",
        "Guarantee accounts: what holds, what is taken, what is free.\n\nBy guarantor (assureCode) on the day. --file registers a list of "
        "guarantees (CSV, XLSX: lodged or ended); one wrong row and nothing of it is registered, exit code 1. What happens to a parcel "
        "whose guarantor is short is a row of the law: collect.guarantee_short.",
    ),
    "ledger collect": W(
        "汇总缴款书：谁应在哪几天缴多少。\n\n列出未缴清的缴款书（--all 列全部）：各税种、缴款期、逾期滞纳金、应退；以及尚未汇总的税单。"
        "--paid 把缴款或退税清单（CSV、XLSX）入账；一行有误就整份不入账，退出码 1。",
        "Payment documents: who is to pay how much on which days.\n\nLists those that are not paid in full (--all: every one) by tax kind, "
        "with days of payment, late fee and refunds due, and the bills that no document has yet. --paid books a list of payments or "
        "refunds (CSV, XLSX); one wrong row and nothing of it is booked, exit code 1.",
    ),
    "ledger statement": W(
        "月度对账单：按担保企业、关区、税种。\n\n期初、出税单、作废、汇总、缴款、退税、期末，期初加减各项必等于期末。-o 写出文件（.csv 或 .xlsx；"
        "给目录就两种都写）。借贷不平时退出码为 1。",
        "Monthly statement by guarantor, customs office and tax kind.\n\nOpening, billed, void, summarised, paid, refunded, closing; opening and "
        "movements always make closing. -o writes it (.csv or .xlsx; a folder gets both). Exit code 1 where the books do not balance.",
    ),
    "ledger bureau": W(
        "给税务机关的文件。\n\n当月开具的每份缴款书、每个税种一行：缴款人、金额、开具日、缴款期、已缴金额、缴款日。-o 写出 .csv 或 .xlsx。",
        "The file for the tax bureau.\n\nOne row for each tax kind of each payment document made in the month: payer, amount, day made, days of "
        "payment, paid in, day paid. -o writes .csv or .xlsx.",
    ),
    "ledger reconcile": W(
        "核对：账内自证，与缴款书清单逐份比较。\n\n先证明借贷相平、账户与税单和缴款书一致；给出文件（CSV、XLSX）时再逐份比较缴款清单：缺、多、金额、"
        "缴款人、关区、重复缴款、逾期与滞纳金、作废后缴款，各有名称和数额。有一处不符退出码为 1。",
        "Reconcile: the books with themselves, and with a list of payments.\n\nFirst it is proved that debits are credits and that accounts, bills "
        "and payment documents tell the same. With a file (CSV, XLSX) payments are compared document by document: missing, unknown, "
        "amount, payer, customs office, paid twice, late and its fee, paid though void; each difference has a name and its numbers. "
        "Exit code 1 where anything differs.",
    ),
}

OPTIONS: dict[str, Words] = {
    "ledger.code": W("只看这一家担保企业", "only this guarantor"),
    "ledger.file": W("担保清单（CSV、XLSX）", "a list of guarantees (CSV, XLSX)"),
    "ledger.paid": W("缴款或退税清单（CSV、XLSX）", "a list of payments or refunds (CSV, XLSX)"),
    "ledger.all": W("已缴清的也列出", "those paid in full, too"),
    "ledger.month": W("月份，写作 YYYY-MM", "the month, as YYYY-MM"),
    "ledger.on": W("时刻（北京时间）：查询的当日，入账的时间；默认现在", "the moment, Beijing time: the day asked for, the time of booking; default: now"),
    "ledger.overlay": W("叠加在规则表上的修改（YAML）；可重复", "rows laid over the tables (YAML); repeatable"),
    "ledger.out": W("写出的文件：.csv 或 .xlsx", "file to write: .csv or .xlsx"),
    "ledger statement.out": W("写出的文件（.csv 或 .xlsx），或目录（两种都写）", "file to write (.csv or .xlsx), or a folder (both)"),
}

PHRASES: dict[str, Words] = {
    "not_a_month": W("不是月份：{value}（写法：YYYY-MM）", "not a month: {value} (written YYYY-MM)"),
    "ledger_following": W("补记总账", "bringing the ledger up to date"),
    "ledger_booked": W("{file}：{rows} 行入账（存档第 {message} 号）", "{file}: {rows} rows booked (message {message} of the archive)"),
    "ledger_refused": W("{file}：没有入账，有 {count} 处差错", "{file}: nothing booked, {count} faults"),
    "ledger_no_guarantor": W("没有这家担保企业：{code}", "no such guarantor: {code}"),
    "ledger_none": W("没有可列的", "nothing to list"),
    "ledger_guarantors": W("担保账户（{day}，元）", "Guarantee accounts on {day} (CNY)"),
    "ledger_guarantees": W("担保（元）", "Guarantees (CNY)"),
    "ledger_documents": W("缴款书（{day}，元）", "Payment documents on {day} (CNY)"),
    "ledger_waiting": W("尚未汇总的税单（元）", "Bills in no payment document yet (CNY)"),
    "ledger_statement": W("{month} 对账单（元）", "Statement of {month} (CNY)"),
    "ledger_bureau": W("{month} 缴款书（元）", "Payment documents of {month} (CNY)"),
    "ledger_written": W("已写出 {rows} 行到 {path}", "{rows} rows written to {path}"),
    "ledger_balanced": W("借贷相平：{debit} 元", "the books balance: {debit} CNY on each side"),
    "ledger_off": W("账内有 {count} 处不符", "{count} places in the books do not agree"),
    "ledger_agrees": W("与文件相符：比较了 {count} 份缴款书", "agrees with the file: {count} payment documents compared"),
    "ledger_differs": W("与文件有 {errors} 处不符（比较了 {count} 份缴款书）", "{errors} differences from the file ({count} payment documents compared)"),
    "ledger_file_bad": W("文件读不懂，没有比较", "the file cannot be read; nothing was compared"),
    "ledger_code": W("担保企业", "guarantor"),
    "ledger_name": W("名称", "name"),
    "ledger_balance": W("担保", "holds"),
    "ledger_taken": W("占用", "taken"),
    "ledger_free": W("可用", "free"),
    "ledger_refund": W("应退", "due back"),
    "ledger_number": W("编号", "number"),
    "ledger_kind": W("税种", "tax"),
    "ledger_sort": W("种类", "kind"),
    "ledger_amount": W("金额", "amount"),
    "ledger_since": W("自", "since"),
    "ledger_until": W("至", "until"),
    "ledger_ended": W("终止", "ended"),
    "ledger_port": W("关区", "office"),
    "ledger_first": W("缴款自", "pay from"),
    "ledger_last": W("缴款至", "pay until"),
    "ledger_open": W("待缴", "open"),
    "ledger_fee": W("滞纳金", "late fee"),
    "ledger_bills": W("税单", "bills"),
    "ledger_next": W("下次汇总", "next summary"),
    "ledger_opening": W("期初", "opening"),
    "ledger_assessed": W("出税单", "billed"),
    "ledger_void": W("作废", "void"),
    "ledger_summarised": W("汇总", "summarised"),
    "ledger_paid": W("缴款", "paid"),
    "ledger_refunded": W("退税", "refunded"),
    "ledger_closing": W("期末", "closing"),
    "ledger_month": W("月份", "month"),
    "ledger_document": W("缴款书编号", "payment document"),
    "ledger_payer": W("缴款人代码", "payer"),
    "ledger_payer_name": W("缴款人名称", "payer's name"),
    "ledger_billed": W("应缴", "billed"),
    "ledger_made": W("开具日", "made on"),
    "ledger_paid_on": W("缴款日", "paid on"),
    "ledger_state": W("状态", "state"),
    "ledger_state.paid": W("已缴", "paid"),
    "ledger_state.overdue": W("逾期", "overdue"),
    "ledger_state.due": W("应缴", "due"),
    "ledger_state.early": W("未到期", "not yet"),
    "ledger_state.refund_due": W("应退", "due back"),
    "ledger_state.void": W("已作废", "void"),
}
