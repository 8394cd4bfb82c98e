# ruff: noqa: E501 (a table: a row may be as long as its sentence)
"""What the commands of foreign exchange say, in Chinese and English (外汇命令的用语). ``words.py`` takes them in."""

from __future__ import annotations

from cebport.faults import Words

W = Words

COMMANDS: dict[str, Words] = {
    "forex": W(
        "外汇：支付清单、购付汇批次、核对、国际收支统计。\n\n支付机构的支付清单和购付汇批次收进来，与海关的支付凭证、订单、清单、退货逐笔核对；"
        "只有货款和境外运费可以付汇，税款和境内费用不得付汇。",
        "Foreign exchange: payment lists, batches, reconciliation, statistics.\n\nTakes the lists of payment institutions and their batches of "
        "purchase and remittance, and holds them order by order against the payments, orders, inventories and returns at customs. "
        "Only the goods and foreign freight may be remitted, never tax or domestic fees.",
    ),
}

SUBCOMMANDS: dict[str, Words] = {
    "forex import": W(
        "收下支付机构的清单（CSV、XLSX）。\n\n有批次号一列的是购付汇批次，其他是支付清单；列名中英文均可。有一行读不懂、有一条与已有记录不同、"
        "或同一文件再来一次，就整份不入账，逐条指出；姓名和证件号码只留散列和掩码，并作实名核验。",
        "Take lists of payment institutions (CSV, XLSX).\n\nA list with a column of batch numbers has batches, any other payments; heads may be "
        "Chinese or English. One row that cannot be read, one record that differs from what is known, or the same file again, and nothing "
        "of it is booked; each fault is told. Of names and identity numbers only hashes and masks are kept; the real-name check is made.",
    ),
    "forex batch": W(
        "做一个购付汇批次。\n\n取该机构已放行、未付汇、核对无误的支付，每笔付可付金额，按汇率分摊外币；超过单笔限额、未通过实名核验、"
        "支付人不是订购人、金额不符的不列入，并逐笔说明。-o 写出给银行的清单。一笔也没有时退出码为 1。",
        "Make a batch of purchase and remittance.\n\nTakes the institution's payments whose parcels are released, which no batch has and which "
        "reconcile; of each goes what may, the currency is split to the coin. What is over the limit of a trade, not real-named, not the "
        "buyer's, or differs in amount is left out and told. -o writes the bank's list. Exit code 1 where nothing may go.",
    ),
    "forex reconcile": W(
        "核对：批次、支付、订单、清单、退货。\n\n列出不符之处和金额：已支付未放行、已放行未支付、金额不符、重复付汇、付汇后退货、超限额、"
        "支付人不是订购人、付汇过多等。有差错时退出码为 1。-o 写出 CSV 或 XLSX。",
        "Reconcile batches, payments, orders, inventories and returns.\n\nTells what does not close, with the amounts: paid but not released, "
        "released but not paid, amounts that differ, remitted twice, returned after remittance, over the limit, payer not buyer, remitted too "
        "much and more. Exit code 1 where anything is wrong. -o writes CSV or XLSX.",
    ),
    "forex statistics": W(
        "国际收支统计。\n\n按月、季或年，分机构、交易编码、币种、收款国家（地区），列出笔数、人民币、外币、折美元。-o 写出 CSV 或 XLSX。",
        "Balance of payments statistics.\n\nBy month, quarter or year, institution, transaction code, currency and country: trades, CNY, "
        "foreign currency, US dollars. -o writes CSV or XLSX.",
    ),
    "forex retention": W(
        "记录保存到何时。\n\n按年列出记录数和应保存到的日期。--end 把已满期限的清单存档里的姓名和证件号码改为掩码；经办人、时间、事由先记录在案，"
        "散列和账不变。",
        "How long records are kept.\n\nBy year, how many there are and until when they must be kept. --end masks names and identity numbers in "
        "archived lists that are past it; who, when and why are on record first, hashes and books stay.",
    ),
}

OPTIONS: dict[str, Words] = {
    "forex.institution": W("支付企业代码；不给就看全部机构", "code of the payment institution; default: all"),
    "forex import.institution": W("支付企业代码；清单没有这一列时给出", "code of the payment institution, where the list has no column for it"),
    "forex batch.institution": W("支付企业代码", "code of the payment institution"),
    "forex.place": W("按哪里的规定（编号、关区代码或名称）；默认全国", "place whose law holds (an id, a customs code or a name); default: the nation"),
    "forex.overlay": W("叠加在规则表上的修改（YAML）；可重复", "rows laid over the tables (YAML); repeatable"),
    "forex.on": W("时钟固定在这一时刻；默认用机器时钟", "fix the clock at this moment; default: the machine's clock"),
    "forex.since": W("从哪一天起，写作 YYYY-MM-DD；默认最早", "first day, as YYYY-MM-DD; default: the earliest"),
    "forex.until": W("到哪一天止，写作 YYYY-MM-DD；默认最晚", "last day, as YYYY-MM-DD; default: the latest"),
    "forex.out": W("输出文件：.csv 或 .xlsx", "file to write: .csv or .xlsx"),
    "forex batch.number": W("批次号", "number of the batch"),
    "forex batch.day": W("业务日期，写作 YYYY-MM-DD；默认今天。只看到这一天为止的支付", "day of the batch, as YYYY-MM-DD; default: today. Payments up to it are looked at"),
    "forex batch.since": W("只看这一天起的支付", "only payments from this day on"),
    "forex batch.currency": W("币种，如 USD", "currency, e.g. USD"),
    "forex batch.rate": W("汇率：一单位外币多少元", "rate: CNY for one unit of the currency"),
    "forex batch.usd-rate": W("一美元多少元，币种不是美元时用来核对限额", "CNY for one US dollar, to look at the limit where the currency is another"),
    "forex batch.bank": W("合作银行", "cooperating bank"),
    "forex batch.country": W("收款国家（地区），如 JPN", "country of the payee, e.g. JPN"),
    "forex statistics.by": W("按月、季或年", "by month, quarter or year"),
    "forex retention.end": W("把已满期限的清单里的个人信息改为掩码", "mask personal data in lists that are past their time"),
    "forex retention.who": W("经办人", "who does it"),
    "forex retention.reason": W("事由", "why"),
}

PHRASES: dict[str, Words] = {
    "forex_taken": W("{file}：{kind}，{rows} 行，新入账 {fresh} 条，已知 {known} 条（报文 {message}）", "{file}: {kind}, {rows} rows, {fresh} booked, {known} known already (message {message})"),
    "forex_not_taken": W("{file}：没有入账（{errors} 处差错）", "{file}: nothing was booked ({errors} errors)"),
    "forex_payments": W("支付清单", "payments"),
    "forex_batches": W("购付汇批次", "batches"),
    "forex_made": W("批次 {batch}：{lines} 笔，{cny} 元，{foreign} {currency}（汇率 {rate}），报文 {message}", "batch {batch}: {lines} payments, {cny} CNY, {foreign} {currency} (rate {rate}), message {message}"),
    "forex_left": W("未列入：有差错 {refused} 笔，未放行 {waiting} 笔，无可付金额 {nothing} 笔", "left out: {refused} with faults, {waiting} not released yet, {nothing} with nothing to go"),
    "forex_written": W("已写出 {path}", "written: {path}"),
    "forex_closed": W("支付 {payments} 笔，其中无差错 {closed} 笔、未放行 {waiting} 笔；批次 {batches} 个；已放行包裹 {parcels} 票", "{payments} payments, {closed} without a fault, {waiting} not released; {batches} batches; {parcels} released parcels"),
    "forex_money": W("已放行的支付（元）", "released payments, CNY"),
    "forex_paid": W("支付", "paid"),
    "forex_remittable": W("可付汇", "may be remitted"),
    "forex_remitted": W("已付汇", "remitted"),
    "forex_open": W("待付汇", "still to go"),
    "forex_over": W("多付", "too much"),
    "forex_refunds": W("退货", "returned"),
    "forex_tax": W("税款", "tax"),
    "forex_domestic": W("境内费用", "domestic fees"),
    "forex_finding": W("差错", "finding"),
    "forex_count": W("笔数", "count"),
    "forex_amount": W("金额（元）", "CNY"),
    "forex_all_closed": W("全部相符", "everything closes"),
    "forex_period": W("期间", "period"),
    "forex_institution": W("支付企业", "institution"),
    "forex_code": W("交易编码", "code"),
    "forex_currency": W("币种", "currency"),
    "forex_country": W("国家（地区）", "country"),
    "forex_trades": W("笔数", "trades"),
    "forex_foreign": W("外币", "foreign"),
    "forex_usd": W("折美元", "USD"),
    "forex_no_flows": W("没有付汇", "nothing was remitted"),
    "forex_kind": W("种类", "kind"),
    "forex_year": W("年", "year"),
    "forex_records": W("记录", "records"),
    "forex_until": W("应保存到", "to be kept until"),
    "forex_over_time": W("{until}（已满）", "{until} (over)"),
    "forex_none_kept": W("没有记录", "nothing is on record"),
    "forex_ended": W("已处理 {lists} 份清单，{rows} 行改为掩码", "{lists} lists, {rows} rows masked"),
    "forex_who_needed": W("--end 需要 --who 和 --reason", "--end needs --who and --reason"),
    "forex_order": W("订单", "order"),
    "forex_payment": W("支付", "payment"),
    "forex_batch_no": W("批次", "batch"),
    "forex_weight": W("轻重", "severity"),
    "forex_said": W("说明", "what is wrong"),
    "forex_remedy": W("改法", "remedy"),
    "not_a_currency": W("不认识的币种：{value}（如 USD、502、美元）", "unknown currency: {value} (for example USD, 502)"),
    "not_a_country": W("不认识的国家或地区：{value}（如 JPN、116、日本）", "unknown country or region: {value} (for example JPN, 116, Japan)"),
    "not_a_rate": W("不是汇率：{value}（如 7.1234）", "not a rate: {value} (for example 7.1234)"),
    "not_a_number_of": W("应为 1 至 60 位字母、数字，不含竖线：{value}", "1 to 60 letters and digits without a bar are needed: {value}"),
}
