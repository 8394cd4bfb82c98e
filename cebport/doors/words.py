# ruff: noqa: E501 (a table: a row may be as long as its sentence)
"""Every sentence that the command line says, in Chinese and English (界面用语).

A command's help stands under its name, an option's under ``command.option`` or, where several commands share
it, under ``option``. ``docs/reference`` is generated from the same table.
"""

from __future__ import annotations

import re

from cebport.doors import words_forex, words_ledger, words_parks
from cebport.faults import Words

W = Words

COMMANDS: dict[str, Words] = {
    "check": W(
        "检查报文。\n\n逐个文件检查格式和字段规则，列出全部差错：位置、实际值、应为何值、依据、改法。"
        "19 种进口报文和 DXP 传输报文都可以检查；目录按 *.xml 逐级查找。",
        "Check messages.\n\nChecks structure and field rules file by file and lists every fault: where, what was found, "
        "what was expected, by which text, and how to mend it. Takes all 19 import messages, bare or in a DXP "
        "envelope; folders are searched for *.xml.",
    ),
    "verify": W(
        "验证签名。\n\n给出验签结论（strict 严格通过、repaired 修正后通过、unsigned 未签名、invalid 不符、"
        "untrusted 不受信任、expired 过期、revoked 已吊销、refused 结构不允许）。只有 strict 算通过。",
        "Verify signatures.\n\nSays what each signature is worth: strict, repaired, unsigned, invalid, untrusted, "
        "expired, revoked or refused (a forbidden structure). Only strict counts as a yes.",
    ),
    "sign": W(
        "给报文加签。\n\n密钥可以是 PEM、PKCS#8、PKCS#12 文件，也可以在智能卡或加密机里（PKCS#11）。"
        "口令从环境变量 CEBPORT_PASSWORD 读取，没有则在终端询问。",
        "Sign messages.\n\nThe key is a PEM, PKCS#8 or PKCS#12 file, or stays in a card or HSM (PKCS#11). The password "
        "or PIN is read from the environment (CEBPORT_PASSWORD) or asked for on the terminal.",
    ),
    "doctor": W(
        "诊断签名为什么不通过。\n\n列出我们看到的规范文本、报文声称的摘要和算出的摘要、不同的字节在哪里、"
        "是哪种客户端的习惯造成的，以及怎样改。",
        "Find out why a signature fails.\n\nShows the canonical text as we see it, the digest claimed and computed, "
        "which bytes differ, which known client habit explains it, and what to change.",
    ),
    "wrap": W(
        "把报文装入 DXP 传输报文。\n\n发送方默认取报文 BaseTransfer 里的 dxpId，接收方默认是海关进口统一版。",
        "Put messages into DXP envelopes.\n\nThe sender is the dxpId in the message's BaseTransfer unless given, the "
        "receiver customs' import centre.",
    ),
    "unwrap": W(
        "拆开 DXP 传输报文。\n\n写出里面的报文（或 DxpRep 应答的含义），并列出传输报文本身的差错。",
        "Open DXP envelopes.\n\nWrites the message inside (of a DxpRep: what the answer means) and lists what is wrong "
        "with the envelope.",
    ),
    "generate": W(
        "生成逼真的已签名报文。\n\n同一种子得到同样的字节。旁边写出测试证书、trust.yaml（信任）和 filings.yaml（企业备案）。",
        "Generate realistic signed traffic.\n\nThe same seed gives the same bytes. Test certificates, trust.yaml and "
        "filings.yaml (enterprises) are written beside it.",
    ),
    "clear": W(
        "通关：报文进，放行结果和回执出。\n\n读取文件和目录，验签、检查、三单比对、计税、放行，直到全部处理完；"
        "结果持久保存。同样的报文再来一次，什么都不会改变。有退单也算正常结束。",
        "Clear parcels: messages in, decisions and receipts out.\n\nTakes files and folders through signature, rules, "
        "three-document match, tax and release until everything is settled and stored. The same messages again change "
        "nothing. Refusals are an ordinary end.",
    ),
    "trace": W(
        "一票包裹的全过程。\n\n按订单号、运单号、清单编号或 copNo 查询：单证、每次判定及其规则、数值和依据、回执、税款。",
        "The whole life of a parcel.\n\nBy order number, waybill number, inventory number or copNo: documents, every "
        "decision with its rule, values and source, receipts, money.",
    ),
    "rebuild": W(
        "用流水核对各表。\n\n从头重放流水，与现有各表逐项比较，列出差异；只比较，不改动。",
        "Prove the tables from the journal.\n\nThe journal is folded again from its beginning and compared with the tables, "
        "difference by difference. Nothing is changed.",
    ),
    "backup": W(
        "备份数据库。\n\n运行中也可以备份，得到的是某一时刻的一致状态。备份里没有密钥：没有密钥文件就读不出报文存档，两者要分开保管。",
        "Back up a store.\n\nCan be done while workers run; the copy is one consistent moment. Keys are not in it: nobody "
        "reads the archive without the key file, so keep the two apart.",
    ),
    "restore": W(
        "从备份恢复。\n\n目标库必须是空的，可以是另一种数据库。--verify 随后核对行数，重放流水并比较，再试读存档（需要密钥文件）。",
        "Restore a backup.\n\nThe target must be empty and may be the other kind of database. --verify then compares rows, "
        "folds the journal again, and tries the key file on the archive.",
    ),
    "open": W(
        "查阅一份存档报文的原文。\n\nMESSAGE 是 trace 所列的报文编号。原文含个人信息：查阅人、时间、事由先记录在案，然后才给出。",
        "Open one archived message.\n\nMESSAGE is its number, as trace shows it. The bytes hold personal data: who, when and why "
        "are on record before they are shown.",
    ),
    "shred": W(
        "销毁一个人的个人信息。\n\n在此人的每份存档单证里，个人信息只留掩码，报文用新的数据密钥重新封存；流水和账簿只有带密钥的散列，不变。"
        "证件号码在终端询问，或从标准输入读取。此后请用 keys master 和 keys retire 结束旧主密钥。",
        "Shred one person's data.\n\nIn every archived document of theirs only masks stay, sealed under a new data key; journal and "
        "books hold keyed hashes and stay as they are. The identity number is asked for, or read from standard input. End the "
        "old master key afterwards: keys master, then keys retire.",
    ),
    "keys": W(
        "更换密钥。\n\nmaster 换保护存档的主密钥，hash 换匹配个人信息的密钥；旧钥保留，用它们封存的内容仍可读。"
        "rewrap 把旧主密钥下的内容改用最新的；retire 再把旧主密钥移出密钥文件（先停下换钥之前启动的工作进程）。",
        "Change keys.\n\nmaster puts a fresh key for the archive in front, hash one for matching personal data; older keys stay for "
        "what they sealed. rewrap puts everything under the newest master key; retire does that and takes the older ones out of "
        "the key file (first end the workers that began before the newest was made).",
    ),
    "bench": W(
        "测一测这台机器的速度。\n\n生成 N 票包裹，在临时目录里完整通关，给出每秒票数和每票 CPU。完整的对比测试见 bench/README.md。",
        "Measure this machine.\n\nGenerates N parcels, clears them in a temporary folder, and gives parcels a second and "
        "CPU a parcel. The full comparison is in bench/README.md.",
    ),
    "demo": W(
        "演示：十个试点城市一个早晨的包裹。\n\n生成、通关、按城市和退单原因汇总，再各追踪一票放行和退单的包裹。",
        "Demonstration: one morning in the ten pilot cities.\n\nGenerates and clears the traffic, sums up by city and by "
        "reason of refusal, and traces one released and one refused parcel.",
    ),
    "tax": W(
        "试算税款。\n\n文件是 JSON（日期、地点、监管方式、运费、保费、年度已用额度、商品行，写法见 docs/how-to/tax.md）或 CEB621 清单报文；"
        "- 表示标准输入。逐步列出限值、完税价格、关税、消费税、增值税（旧制为行邮税）及其依据。超过限值而不得进口时退出码为 1。",
        "Reckon the tax of goods before they come.\n\nFILE is JSON (day, place, mode, freight, insurance, what the buyer's year "
        "holds, lines; see docs/how-to/tax.md) or a CEB621 message; - is standard input. Tells limits, dutiable value, duty, "
        "consumption tax and VAT (in earlier days the postal tax) step by step with their sources. Exit code 1 where the "
        "limits keep the goods out.",
    ),
    "cases": W(
        "核对算例。\n\n算例写明哪一天、什么商品、应缴多少、怎样算得；先验算式，再与规则表算出的结果比较。"
        "不给文件就核对随附的全部算例。改了规则表之后运行它。",
        "Check the worked cases of the law.\n\nA case says day, goods, what is due and the sum that leads to it; the sum is checked "
        "first, then compared with what the tables give. Without files, all cases of the package. Run it after changing a table.",
    ),
    "policy": W(
        "问规则：某日某地适用什么、由哪份文件、有多大把握。\n\n规则表把每一项规定记成一行：数值、起止日期、地点、依据文件、把握程度。"
        "这些命令查询它们、比较它们、导入公布的清单。",
        "Ask the law: what holds on a day at a place, by which text, how sure.\n\nThe tables hold each provision as a row: "
        "value, first and last day, places, the text it rests on, how sure we are. These commands ask and compare them, and "
        "import published lists.",
    ),
    "route": W(
        "哪些商品走哪条路。\n\n商品表（CSV 或 XLSX，列名中英文均可）里每种商品、每个地点：能否进口，走哪种监管方式，依据正面清单哪一行、"
        "有什么条件；跨境电商、邮递物品、一般贸易三种税款，从低到高；要哪些单证和备案；个人限值允许买几件；规则表里已有的将来变化。"
        "缺什么资料就说缺什么。",
        "Which goods take which road.\n\nFor each item of a goods file (CSV or XLSX, heads in Chinese or English) and each "
        "place: may it come, by which mode, under which row of the positive list and which conditions; the tax by cross-border "
        "e-commerce, as a postal article and in general trade, cheapest first; documents and filings; how many the buyer's limits "
        "allow; what a coming day in the tables changes. Missing facts are named.",
    ),
    "whatif": W(
        "假设规则改了会怎样：重演真实流水。\n\n用同一判定核心、同样的时钟，把数据库里的流水按现行规则和叠加修改后的规则各判一遍，"
        "看每个环节什么变了：放行、退单、等待，按原因、地点、监管方式、商品；税款；到限的购买人。叠加文件为空时，每项判定都应与存下的"
        "逐字节相同；有不同就列出，退出码 1。--report 写出网页、CSV 和 Parquet。--study 运行现成的研究。",
        "What if the law were another: replay the real journal.\n\nDecides every stored document again, with the same core and the "
        "same clock, under today's law and under the law with an overlay, and tells what moves in every link: released, refused, "
        "waiting, by reason, place, mode and goods; tax; buyers at their limit. Under an empty overlay every decision must come out "
        "byte for byte as it is stored; where one does not it is listed and the exit code is 1. --report writes a page, CSV and "
        "Parquet. --study runs a ready-made study.",
    ),
    "pilots": W(
        "十个试点城市对照：同样的包裹，各地的规定。\n\n同一批商品、买家和差错，各以本地企业和关区申报，按当日各地的规定和做法通关；"
        "看哪些处处放行、哪些处处受阻、哪些此处通彼处阻，以及因为哪一条规定。-o 写出网页。",
        "The ten pilot cities side by side: the same parcels, each city's law.\n\nThe same goods, buyers and faults, declared by each "
        "city's own companies and offices, are cleared by the law and practice of each city on the day: which pass everywhere, "
        "which stop everywhere, which pass here and stop there, and by which row of law. -o writes a page.",
    ),
    "bonded": W(
        "保税：账册、核注清单、核放单，和海关的回执。\n\n读金关二期的报文，收下、归并、审核、放行过卡、核扣、盘库。",
        "The bonded side: account books, write-off lists, gate passes, and customs' receipts.\n\n"
        "Reads their letters, takes and gathers them, examines, opens the gate, writes off, counts the stock.",
    ),
}

SUBCOMMANDS: dict[str, Words] = {
    "policy at": W(
        "某日某地适用什么规定。\n\n逐项列出数值、起止日期、依据文件、把握程度、承自哪一级地点。TOPIC 是主题（如 tax.limit_single_cny）"
        "或其前几段（如 tax）；不给就列全部。地点可用编号、关区代码或名称；不给就是全国，日期不给就是今天。",
        "What holds on a day at a place.\n\nEach value with its first and last day, the text it rests on, how sure we are, "
        "and the place it is inherited from. TOPIC is a topic (tax.limit_single_cny) or its beginning (tax); left out: "
        "everything. A place is an id, a customs code or a name; left out: the nation. The day left out: today.",
    ),
    "policy diff": W(
        "两套规定有何不同。\n\n两个日期（--on A --and B）、两个地点（--place A --and B），或现行规定与叠加修改之后（--overlay 文件，"
        "不给 --on 就列出全部时段）。",
        "What differs between two laws.\n\nTwo days (--on A --and B), two places (--place A --and B), or the law and the law "
        "with an overlay (--overlay FILE; without --on over all time).",
    ),
    "policy history": W(
        "一个主题在某地的沿革。\n\n从最早一行到将来已知的一行，各自的起止日期、依据和把握程度。TOPIC 同 policy at。",
        "How a topic changed at a place.\n\nFrom the first row to the last one known, each with its days, text and how sure "
        "we are. TOPIC as for policy at.",
    ),
    "policy can": W(
        "某日某地能不能用某种监管方式。\n\n能则退出码 0，不能为 1；给出作此规定的那一行，以及下一次变化。",
        "Whether a mode is open at a place on a day.\n\nExit code 0 yes, 1 no; the row that says so is printed, and the next "
        "change.",
    ),
    "policy import-list": W(
        "导入公布的清单或税则（XLSX、CSV）。\n\n识别中英文表头、8 位或 10 位编码，写出本平台的 CSV 和一个叠加文件，使该版本自 --since 起适用；"
        "读不懂的行逐行指出。",
        "Import a published list or tariff (XLSX, CSV).\n\nKnows Chinese and English headers and codes of 8 or 10 digits; writes "
        "our CSV and an overlay by which that edition holds from --since. Each row that cannot be read is told.",
    ),
    "bonded read": W(
        "读保税报文。\n\n企业端的 BWS101、INV101、SAS121，海关的 INV201、INV202、INV211、SAS221、SAS223、SAS224 和同步应答，"
        "不论编码和命名空间。列出要点、签名结论和全部差错；--json 给出每个字段（个人信息已遮蔽）。无效或签名不符时退出码为 1。",
        "Read letters of the bonded side.\n\nA company's BWS101, INV101 and SAS121, customs' INV201, INV202, INV211, SAS221, "
        "SAS223 and SAS224, and the answer at once, whatever the encoding and namespace. Tells what matters, what the signature is worth "
        "and everything that is wrong; --json gives every field, personal ones masked. Exit code 1 for a letter that is not "
        "valid or badly signed.",
    ),
}
"""What stands below a group: the name of the group, a blank, its own."""

OPTIONS: dict[str, Words] = {
    "lang": W("界面语言：zh 或 en；默认按系统区域设置", "language, zh or en; default: the locale"),
    "json": W("输出 JSON，每行一个", "print JSON lines"),
    "help": W("显示帮助", "show this help"),
    "version": W("显示版本", "show the version"),
    "trust": W("信任的证书：PEM 文件（本证书或 CA）、吊销列表或 trust.yaml；可重复",
               "certificates to trust: a PEM file (leaf or CA), a revocation list or a trust.yaml; repeatable"),
    "store": W("数据库：sqlite:///文件 或 postgresql://用户@主机/库名",
               "the store: sqlite:///FILE or postgresql://USER@HOST/DATABASE"),
    "keys": W("密钥文件；SQLite 默认在数据库旁边", "key file; default: beside an SQLite store"),
    "out": W("输出文件或目录", "where to write: a file or a folder"),
    "on": W("时刻（北京时间），写作 YYYY-MM-DDThh:mm:ss；默认现在",
            "the moment, Beijing time, as YYYY-MM-DDThh:mm:ss; default: now"),
    "profile": W("做法组合的名称", "name of the profile"),
    "schema": W("报文规范版本", "version of the message text"),
    "seed": W("随机种子", "seed"),
    "algorithm": W("签名算法", "algorithm of the signatures"),
    "workers": W("工作进程数", "number of worker processes"),
    "check.level": W("检查到哪一级：schema 只查结构，rules 再查字段规则", "how far: schema only, or the field rules too"),
    "check.profile": W("按哪套做法衡量轻重；默认 national", "whose practice weighs the rules; default: national"),
    "check.on": W("按哪个时刻的代码表和时钟检查；默认现在", "moment whose code lists and clock count; default: now"),
    "verify.on": W("收到的时刻，用来看证书有效期；给出 --trust 时默认现在，否则不看有效期",
                   "moment of arrival, for validity; default: now with --trust, else dates are not looked at"),
    "bonded read.trust": W("信任的证书（PEM 文件或 trust.yaml）：给出后，签名须由其中一张作出；可重复",
                           "certificates to trust, PEM or trust.yaml: with it a signature must be by one of them; repeatable"),
    "bonded read.on": W("收到的时刻，用来看证书有效期；给出 --trust 时默认现在，否则不看有效期",
                        "moment of arrival, for validity; default: now with --trust, else dates are not looked at"),
    "sign.key": W("私钥文件：PEM 或 DER，可加密", "private key: PEM or DER, may be encrypted"),
    "sign.cert": W("证书文件；与私钥在同一 PEM 或 PKCS#12 里时可省略",
                   "certificate; may be left out when it stands in the same PEM or PKCS#12"),
    "sign.pkcs12": W("PKCS#12 文件（私钥和证书）", "PKCS#12 file with key and certificate"),
    "sign.pkcs11": W("PKCS#11 模块：卡或加密机厂商的库文件", "PKCS#11 module: the library of the card's maker"),
    "sign.token": W("卡的名称（PKCS#11 token label）", "name of the token"),
    "sign.label": W("卡内密钥的名称", "name of the key in the token"),
    "sign.algorithm": W("签名算法；默认按密钥种类（RSA 用 rsa-sha1，SM2 用 sm2-sm3）",
                        "algorithm; default by the key (RSA: rsa-sha1, SM2: sm2-sm3)"),
    "sign.password": W("到终端询问口令，即使设了环境变量", "ask for the password even if the environment has one"),
    "sign.out": W("输出文件；多个报文时为目录；默认标准输出", "output file, for several messages a folder; default: standard output"),
    "doctor.reference": W("能通过的同一报文，用来逐字节对照", "the same message as it was accepted, to compare byte by byte"),
    "doctor.on": W("收到的时刻，用来看证书有效期", "moment of arrival, for the certificate's validity"),
    "wrap.sender": W("发送方传输编号（DXP id）", "DXP id of the sender"),
    "wrap.receiver": W("接收方传输编号；可重复", "DXP id of a receiver; repeatable"),
    "wrap.id": W("CopMsgId；默认由报文内容导出", "CopMsgId; default: derived from the message"),
    "wrap.on": W("CreatTime；默认现在", "CreatTime; default: now"),
    "wrap.out": W("输出文件；多个报文时为目录；默认标准输出", "output file, for several messages a folder; default: standard output"),
    "unwrap.out": W("输出文件；多个报文时为目录；默认标准输出", "output file, for several messages a folder; default: standard output"),
    "whatif.store": W("要重演的数据库：sqlite:///文件 或 postgresql://用户@主机/库名；只读",
                      "the store whose journal is replayed, sqlite:///FILE or postgresql://USER@HOST/DATABASE; it is only read"),
    "whatif.overlay": W("假设的规则：叠加文件（YAML）；另可写 law_of（按某日的规则）和 profile",
                        "the supposed law: an overlay (YAML), which may also say law_of (the law of a day) and profile"),
    "whatif.study": W("运行研究目录（study.yaml），报告写入 --report 目录", "run the study of a folder (study.yaml) into --report"),
    "whatif.since": W("只重演这一天起的判定；此前的状态照流水", "replay decisions from this day on; what was before stands as it was"),
    "whatif.until": W("只重演到这一天（含）", "replay up to this day (it is the last)"),
    "whatif.report": W("写出报告、CSV 和 Parquet 的目录", "folder for the report, CSV and Parquet"),
    "whatif.settings": W("口岸的设置文件（TOML）：数据库、密钥、做法组合、叠加、信任；命令行选项优先",
                         "settings file of the window (TOML): store, keys, profile, overlays, trust; options on the command line win"),
    "whatif.profile": W("判定时用的做法组合；默认 national，place 表示各地自己的", "the profile it was cleared with; default: national; place: what each place has"),
    "whatif.trust": W("信任的证书；叠加文件改动签名规定时才用到", "certificates to trust; only needed where the overlay weighs signatures otherwise"),
    "whatif.engine": W("在本机（local）还是 Ray 集群（ray）上运行；结果相同", "where it runs: this machine (local) or a Ray cluster (ray); the answer is the same"),
    "whatif.parcels": W("研究用多少票包裹；默认按 study.yaml", "how many parcels a study uses; default: what study.yaml says"),
    "generate.parcels": W("包裹票数", "how many parcels"),
    "generate.place": W("地点（places.yaml 的编号）；默认十个试点城市；可重复",
                        "place (an id of places.yaml); default: the ten pilot cities; repeatable"),
    "generate.mode": W("监管方式；默认两种都有", "trade mode; default: both"),
    "generate.faults": W("带差错的包裹所占比例，如 0.05", "share of parcels with a fault, e.g. 0.05"),
    "generate.on": W("这些报文的申报时刻", "the moment at which the traffic is declared"),
    "generate.out": W("输出目录", "folder to write"),
    "clear.settings": W("设置文件（TOML）；命令行选项优先", "settings file (TOML); options on the command line win"),
    "clear.store": W("数据库：sqlite:///文件 或 postgresql://用户@主机/库名 [没有 --settings 时必填]",
                     "the store: sqlite:///FILE or postgresql://USER@HOST/DATABASE [required without --settings]"),
    "clear.receipts": W("回执目录，每个接收方一个子目录 [没有 --settings 时必填]",
                        "folder for receipts, one subfolder a receiver [required without --settings]"),
    "clear.overlay": W("叠加在规则表上的修改（YAML），只用于这一次；可重复",
                       "rows laid over the tables of the law (YAML), for this run only; repeatable"),
    "clear.filings": W("企业备案 filings.yaml", "filed enterprises, a filings.yaml"),
    "clear.on": W("时钟固定在这一时刻；默认用机器时钟", "fix the clock at this moment; default: the machine's clock"),
    "clear.profile": W("做法组合：national（默认）、sandbox 等；place 表示各地用各地的", "profile: national (default), sandbox and others; place: to each place its own"),
    "rebuild.check": W("核对；不写也是核对", "compare; left out, it is done as well"),
    "backup.out": W("备份文件", "backup file"),
    "restore.verify": W("恢复后重放流水并比较", "afterwards fold the journal again and compare"),
    "open.who": W("查阅人", "who opens it"),
    "open.reason": W("事由", "why"),
    "shred.who": W("经办人", "who does it"),
    "shred.reason": W("事由", "why"),
    "bench.parcels": W("包裹票数", "how many parcels"),
    "bench.store": W("数据库；默认临时的 SQLite 文件", "the store; default: a temporary SQLite file"),
    "demo.parcels": W("包裹票数", "how many parcels"),
    "demo.dir": W("演示目录", "folder of the demonstration"),
    "demo.again": W("目录里已有演示时先删掉", "remove an earlier demonstration in the folder first"),
    "pilots.parcels": W("每个城市的包裹票数", "parcels at each city"),
    "pilots.on": W("哪一天，写作 YYYY-MM-DD；默认今天", "the day, as YYYY-MM-DD; default: today"),
    "pilots.faults": W("带差错的包裹所占比例，如 0.2", "share of parcels with a fault, e.g. 0.2"),
    "pilots.overlay": W("叠加在规则表上的修改（YAML）；可重复", "rows laid over the tables (YAML); repeatable"),
    "pilots.out": W("网页文件（HTML，中英文）", "page to write (HTML, both languages)"),
    "tax.on": W("按哪一天的规则，写作 YYYY-MM-DD；默认按文件里的日期", "the day whose law holds, as YYYY-MM-DD; default: that of the file"),
    "tax.place": W("地点的编号或关区代码；默认按文件", "id of a place or customs code; default: that of the file"),
    "tax.year-used": W("订购人本年已用额度（元）；默认按文件，否则为 0", "what the buyer's year holds already, CNY; default: as the file says, else 0"),
    "tax.overlay": W("叠加在规则表上的修改（YAML）；可重复", "rows laid over the tables (YAML); repeatable"),
    "cases.overlay": W("叠加在规则表上的修改（YAML）；可重复", "rows laid over the tables (YAML); repeatable"),
    "cases.all": W("相符的算例也列出", "list the cases that hold, too"),
    "policy.on": W("哪一天，写作 YYYY-MM-DD；默认今天", "the day, as YYYY-MM-DD; default: today"),
    "policy.place": W("地点的编号、关区代码或名称；默认全国", "id, customs code or name of a place; default: the nation"),
    "policy.profile": W("做法组合；默认该地当日的", "profile; default: that of the place on the day"),
    "policy.known": W("只看这一天规则表已经记下的", "as the tables had it on this day, before later corrections"),
    "policy.overlay": W("叠加在规则表上的修改（YAML）；可重复", "rows laid over the tables (YAML); repeatable"),
    "policy.mode": W("监管方式，如 9610、1210、1239", "trade mode: 9610, 1210, 1239"),
    "policy.and": W("另一个日期，或另一个地点", "the other day, or the other place"),
    "policy.kind": W("清单种类：正面清单或税则", "what it is: a positive list or a tariff"),
    "policy.edition": W("版本名称，如 2022", "name of the edition, e.g. 2022"),
    "policy.since": W("自哪一天起适用", "first day on which it holds"),
    "policy.instrument": W("依据文件的编号（instruments.yaml）", "the text it rests on, an id of instruments.yaml"),
    "policy.complete": W("这是完整的清单：未列入的商品从此退单，而不只是提示",
                         "this is the whole list: goods it lacks are refused, not only warned of"),
    "policy.column": W("列的对应，如 code=税号；认得表头时不必给；可重复",
                       "which column is which, e.g. code=税号; not needed where the header is known; repeatable"),
    "policy.out": W("输出目录", "folder to write"),
    "route.on": W("哪一天，写作 YYYY-MM-DD", "the day, as YYYY-MM-DD"),
    "route.place": W("地点（编号、关区代码或名称）；默认全国各地；可重复", "place (an id, a customs code or a name); default: all of them; repeatable"),
    "route.overlay": W("叠加在规则表上的修改（YAML）；可重复", "rows laid over the tables (YAML); repeatable"),
    "route.brief": W("只要总表，不逐条说明", "only the table of all goods, no explanations"),
}

PHRASES: dict[str, Words] = {
    # the frame
    "about": W("cebport：中国跨境电商零售进口的开放平台。", "cebport: the open platform for China's cross-border e-commerce imports."),
    "usage": W("用法：", "Usage: "),
    "options": W("选项：", "Options:"),
    "commands": W("命令：", "Commands:"),
    "default": W("默认 {value}", "default {value}"),
    "required": W("必填", "required"),
    "more": W("每个命令的用法：cebport 命令 --help", "Usage of a command: cebport COMMAND --help"),
    "more_of": W("每个命令的用法：{command} 命令 --help", "Usage of a command: {command} COMMAND --help"),
    "usage_error": W("用法错误：{what}", "Usage error: {what}"),
    "missing": W("缺少 {name}", "missing {name}"),
    "no_option": W("没有选项 {name}", "no option {name}"),
    "no_command": W("没有命令 {name}", "no command {name}"),
    "did_you_mean": W("是不是 {names}？", "did you mean {names}?"),
    "bad_value": W("{name}：{what}", "{name}: {what}"),
    "no_such_file": W("文件或目录不存在：{path}", "no such file or folder: {path}"),
    "not_a_time": W("不是时刻：{value}（写法：YYYY-MM-DDThh:mm:ss）", "not a moment: {value} (written YYYY-MM-DDThh:mm:ss)"),
    "not_a_day": W("不是日期：{value}（写法：YYYY-MM-DD）", "not a day: {value} (written YYYY-MM-DD)"),
    "not_these_years": W("时刻应在 {first} 年至 {last} 年之间：{value}", "a moment of the years {first} to {last} is needed: {value}"),
    "not_a_choice": W("{value} 不可用；可用的有 {choices}", "{value} is none of {choices}"),
    "not_a_number": W("不是数，或超出范围：{value}", "not a number, or out of range: {value}"),
    "not_a_share": W("应为 0 到 1 之间的比例：{value}", "a share from 0 to 1 is needed: {value}"),
    "not_a_store": W("应为 sqlite:///文件 或 postgresql://用户@主机/库名：{value}",
                     "sqlite:///FILE or postgresql://USER@HOST/DATABASE is needed: {value}"),
    "no_store": W("没有这个数据库文件：{path}", "no such database file: {path}"),
    "no_files": W("没有可读的 *.xml：{paths}", "no *.xml to read: {paths}"),
    "many_need_folder": W("有多个报文，-o 要给目录", "there are several messages: -o must be a folder"),
    "broken_off": W("已中断", "broken off"),
    "broken_off_safe": W("已中断；存下的不会丢，再运行一次即可继续", "broken off; what was stored is safe, run again to go on"),
    "no_password": W("没有输入口令；也可用环境变量 {password} 或 {pin} 给出",
                     "no password was given; the environment can give one in {password} or {pin}"),
    "input_bad": W("输入有误", "Bad input"),
    "settings_bad": W("设置有误：{what}", "Wrong settings: {what}"),
    "keys_bad": W("密钥文件有误：{what}", "Wrong key file: {what}"),
    "filings_bad": W("备案文件有误：{what}", "Wrong filings: {what}"),
    "backup_bad": W("备份文件不能用：{what}", "The backup cannot be used: {what}"),
    "restore_bad": W("不能恢复：{what}", "Cannot restore: {what}"),
    "restore_differs": W("恢复的库与备份不一致：{what}", "The restored store differs: {what}"),
    "store_bad": W("数据库不能用：{what}", "The store cannot be used: {what}"),
    "card_bad": W("密钥、证书或信任文件有误", "Wrong key, certificate or trust file"),
    "policy_bad": W("规则表有误", "The tables of the law are wrong"),
    "channel_down": W("数据库或通道不可用：{what}", "The store or a channel does not answer: {what}"),
    "disk": W("不能读写：{what}", "Cannot read or write: {what}"),
    "package_missing": W("缺少软件包 {name}；安装：pip install 'cebport[{extra}]'",
                         "package {name} is missing; install it: pip install 'cebport[{extra}]'"),
    # faults
    "error": W("差错", "error"),
    "warning": W("提示", "warning"),
    "info": W("说明", "info"),
    "whole_message": W("整个报文", "the whole message"),
    "document_nos": W("第 {numbers} 份（共 {count} 份）", "documents {numbers} ({count} in all)"),
    "masked": W("（已脱敏，不同处不显示）", "(masked; they differ behind the mask)"),
    "document_no": W("第 {number} 份", "document {number}"),
    "found": W("实际", "found"),
    "expected": W("应为", "expected"),
    "source": W("依据", "source"),
    "remedy": W("改法", "remedy"),
    # check, verify, sign, doctor, wrap, unwrap
    "valid": W("通过", "valid"),
    "invalid": W("不通过", "not valid"),
    "warnings_only": W("通过，有 {count} 条提示", "valid, {count} warnings"),
    "not_a_message": W("不是报文", "not a message"),
    "checked": W("共 {files} 个文件：{valid} 个通过，{invalid} 个不通过", "{files} files: {valid} valid, {invalid} not valid"),
    "verdict": W("结论", "verdict"),
    "verdict.strict": W("签名有效", "the signature is good"),
    "verdict.repaired": W("修正后才相符", "fits only after repairs"),
    "verdict.unsigned": W("没有签名", "not signed"),
    "verdict.invalid": W("签名不符", "the signature does not fit"),
    "verdict.refused": W("签名结构不允许", "a forbidden structure"),
    "verdict.untrusted": W("证书不受信任", "the certificate is not trusted"),
    "verdict.expired": W("证书不在有效期内", "the certificate is not valid at that time"),
    "verdict.revoked": W("证书已吊销", "the certificate is revoked"),
    "algorithm": W("算法", "algorithm"),
    "key_name": W("证书序列号", "certificate serial"),
    "subject": W("证书持有人", "certificate holder"),
    "repairs": W("所需修正", "repairs"),
    "verified": W("共 {files} 个文件，{strict} 个严格通过", "{files} files, {strict} strict"),
    "signed": W("已加签 {path}（{algorithm}，证书序列号 {key_name}）", "signed {path} ({algorithm}, certificate serial {key_name})"),
    "need_one_key": W("请给出 --key、--pkcs12、--pkcs11 三者之一", "give one of --key, --pkcs12, --pkcs11"),
    "need_token": W("--pkcs11 需要 --token 和 --label", "--pkcs11 needs --token and --label"),
    "ask_password": W("口令", "Password"),
    "ask_pin": W("PIN", "PIN"),
    "no_sender": W("{path}：报文里没有 dxpId，请用 --sender 给出发送方", "{path}: the message has no dxpId; give --sender"),
    "wrapped": W("已装入 {path}（{kind}，{sender} -> {receivers}）", "wrapped {path} ({kind}, {sender} -> {receivers})"),
    "unwrapped": W("{path}：{kind}，{message}，发送方 {sender}，{size} 字节",
                   "{path}: {kind}, {message}, sender {sender}, {size} bytes"),
    "bare": W("{path}：没有传输报文，本身就是报文，{size} 字节", "{path}: a bare message, in no envelope, {size} bytes"),
    "unknown": W("未写明", "not said"),
    "answer": W("{path}：应答 {code} {meaning}（{id}）", "{path}: answer {code} {meaning} ({id})"),
    # clear, trace, rebuild, backup
    "taking": W("接收报文", "taking messages"),
    "settling": W("处理", "settling"),
    "messages": W("报文", "messages"),
    "files": W("文件", "files"),
    "documents": W("单证", "documents"),
    "parcels": W("包裹", "parcels"),
    "released": W("放行", "released"),
    "refused": W("退单", "refused"),
    "waiting": W("等待", "waiting"),
    "cancelled": W("撤销", "cancelled"),
    "returned": W("退货", "returned"),
    "closed": W("结关", "closed"),
    "receipts": W("回执", "receipts"),
    "seconds": W("秒", "seconds"),
    "parcels_per_second": W("每秒包裹", "parcels/s"),
    "count": W("数量", "count"),
    "total": W("合计", "total"),
    "place": W("地点", "place"),
    "cleared": W("本次用时 {seconds} 秒，每秒 {rate} 票；回执在 {receipts}",
                 "took {seconds} s, {rate} parcels a second; receipts are in {receipts}"),
    "this_run": W("本次：新报文 {new} 份，已收过的 {known} 份；未接收的单证 {not_taken} 份",
                  "this run: {new} messages new, {known} known already; {not_taken} documents not taken"),
    "nothing_new": W("没有新的包裹；用时 {seconds} 秒；回执在 {receipts}",
                     "no new parcels; took {seconds} s; receipts are in {receipts}"),
    "not_found": W("没有这个编号：{number}", "no such number: {number}"),
    "rebuilt_same": W("一致：重放 {events} 条流水，与各表没有差异", "the same: {events} journal entries folded, no difference from the tables"),
    "rebuilt_differs": W("有 {count} 处差异（流水 {events} 条）", "{count} differences ({events} journal entries)"),
    "folding": W("重放流水", "folding the journal"),
    "backed_up": W("已备份到 {path}：{rows:,} 行，{bytes:,} 字节", "backed up to {path}: {rows:,} rows, {bytes:,} bytes"),
    "keys_apart": W("备份里没有密钥文件，请另外妥善保管", "the key file is not in it: keep that apart"),
    "restored": W("已从 {path} 恢复 {rows:,} 行", "restored from {path}: {rows:,} rows"),
    "restored_proved": W("已从 {path} 恢复 {rows:,} 行；行数、流水和密钥都核对无误",
                         "restored from {path}: {rows:,} rows; rows, journal and keys are proved"),
    "keys_master": W("{keys} 里新的主密钥：{ids}", "new master key in {keys}: {ids}"),
    "keys_hash": W("{keys} 里新的散列密钥：{ids}", "new hash key in {keys}: {ids}"),
    "keys_rewrap": W("改用最新主密钥的行数：{rows}", "rows put under the newest master key: {rows}"),
    "keys_retire": W("改用最新主密钥的行数：{rows}；移出 {keys} 的主密钥：{ids}", "rows put under the newest master key: {rows}; taken out of {keys}: {ids}"),
    "no_message": W("没有编号为 {number} 的报文", "there is no message {number}"),
    "shredded": W("已销毁：{documents} 份单证，{messages} 份报文重新封存", "shredded: {documents} documents, {messages} messages sealed anew"),
    "shred_unsearched": W("另有 {count} 份读不懂的报文没有查找", "{count} messages that nobody can read were not searched"),
    "ask_identity": W("证件号码：", "Identity number: "),
    "no_identity": W("缺少证件号码（终端输入，或标准输入的第一行）", "an identity number is needed, on the terminal or as the first line of standard input"),
    "document": W("单证", "document"),
    "state": W("状态", "state"),
    "file": W("文件", "file"),
    "number": W("序号", "no."),
    "decisions": W("判定", "Decisions"),
    "receipt": W("回执", "receipt"),
    "status": W("状态", "status"),
    "time": W("时间", "time"),
    "to": W("接收方", "to"),
    "law": W("规则", "law"),
    "waiting_for": W("在等", "waits for"),
    "tax_bill": W("电子税单", "tax bill"),
    "tax_bill_state": W("税单状态", "tax bill state"),
    "line": W("行", "line"),
    "dutiable": W("完税价格", "dutiable value"),
    "duty": W("关税", "duty"),
    "vat": W("增值税", "VAT"),
    "consumption": W("消费税", "consumption tax"),
    "tax": W("税款", "tax"),
    # tax, cases
    "not_money": W("不是金额（写作 123.45）：{value}", "not an amount to the fen, e.g. 123.45: {value}"),
    "order": W("订单", "order"),
    "sources": W("依据", "sources"),
    "text_not_seen": W("未见原文", "text not seen"),
    "tax_total": W("应缴税款 {total} 元", "tax to pay: {total} CNY"),
    "tax_refused": W("超过限值，不得按跨境电商进口", "over the limit: may not come by this channel"),
    "tax_unanswered": W("不能给出税款，缺少数据：{gcodes}", "no tax can be given, data is missing for {gcodes}"),
    "no_cases": W("没有算例文件（*.yaml）：{paths}", "no files of cases (*.yaml): {paths}"),
    "cases": W("算例", "cases"),
    "cases_differ": W("不符", "differ"),
    "cases_unread": W("有误", "faults"),
    "cases_told": W("{count} 个算例，{held} 个相符", "{count} cases, {held} hold"),
    "case.channel": W("去向", "channel"),
    "case.channel.inside": W("限值以内", "inside the limits"),
    "case.channel.full_tax": W("全额征税", "full tax"),
    "case.channel.refused": W("退单", "refused"),
    "case.channel.unanswered": W("数据不足", "data missing"),
    "case.limit": W("超过的限值", "limit"),
    "case.limit.single": W("单次", "single"),
    "case.limit.year": W("年度", "year"),
    "case.dutiable": W("完税价格", "dutiable value"),
    "case.duty": W("关税", "duty"),
    "case.consumption": W("消费税", "consumption tax"),
    "case.vat": W("增值税", "VAT"),
    "case.postal": W("行邮税", "postal tax"),
    "case.total": W("合计", "total"),
    "case.band": W("税档", "band"),
    "case.waived": W("免征", "waived"),
    "case.year_after": W("年度累计", "the year after it"),
    "case.warns": W("提示", "warns"),
    "case_holds": W("相符", "holds"),
    "case_differs": W("不符", "differs"),
    # policy
    "yes": W("是", "yes"),
    "no": W("否", "no"),
    "dot": W(" · ", " · "),
    "no_place": W("没有这个地点：{value}（可用编号、四位数字的关区代码或名称）", "no such place: {value} (an id, a customs code of four digits or a name)"),
    "no_topic": W("没有这个主题：{value}", "no such topic: {value}"),
    "not_a_pair": W("应写作 列=表头：{value}", "written OURS=THEIRS: {value}"),
    "law_no_row": W("当日当地没有这一项", "no row holds here then"),
    "law_see": W("见 {topic}", "see {topic}"),
    "law_always": W("一直", "always"),
    "law_since": W("{since} 起", "since {since}"),
    "law_until": W("至 {until}", "until {until}"),
    "law_span": W("{since} 至 {until}", "{since} – {until}"),
    "law_axis": W("{axis}：{name}", "{axis} {name}"),
    "axis.practice": W("做法", "practice"),
    "axis.trust": W("信任", "trust"),
    "axis.dialect": W("方言", "dialect"),
    "law_own": W("{place}本地规定", "{place} itself"),
    "law_inherited": W("承自{place}", "from {place}"),
    "law_text": W("依据", "text"),
    "law_note": W("附注", "note"),
    "law_where": W("出处", "row"),
    "law_recorded": W("{day} 录入", "recorded {day}"),
    "law_way": W("查找次序", "looked up in"),
    "law_profile": W("做法组合", "profile"),
    "law_as_known": W("按 {day} 规则表所记", "as the tables had it on {day}"),
    "law_counted": W("共 {topics} 项，其中 {unseen} 项未见原文（凭记忆或本项目的读法）",
                     "{topics} topics, {unseen} of them not seen in print (from memory or our reading)"),
    "law_now": W("现行规定", "the law"),
    "law_laid": W("叠加之后", "with the overlay"),
    "can_yes": W("可以：{day}，{place} 可用 {mode}", "Yes: mode {mode} is open at {place} on {day}"),
    "can_no": W("不可以：{day}，{place} 不可用 {mode}", "No: mode {mode} is not open at {place} on {day}"),
    "can_next_yes": W("{day} 起可用（{text}）", "it opens on {day} ({text})"),
    "can_next_no": W("{day} 起不可用（{text}）", "it closes on {day} ({text})"),
    "diff_what": W("请给出 --and（另一个日期或地点）或 --overlay 之一", "give --and (another day or place) or --overlay, one of them"),
    "diff_none": W("没有不同", "nothing differs"),
    "diff_counted": W("共 {count} 项不同", "topics that differ: {count}"),
    "list_imported": W("已写出 {rows} 行到 {written}；叠加文件 {overlay}", "{rows} rows written to {written}; overlay {overlay}"),
    "list_whole": W("作为完整清单：未列入的商品退单", "as the whole list: goods it lacks are refused"),
    "list_part": W("作为样本：未列入的商品只提示", "as a sample: goods it lacks are only warned of"),
    "list_not_read": W("有 {count} 处读不懂，未写入", "{count} places could not be read and are left out"),
    # what-if
    "whatif_study_alone": W("--study 自带数据和叠加，不能与 --store、--overlay 同用", "--study brings its own store and overlays; leave out --store and --overlay"),
    "whatif_days": W("--until {until} 早于 --since {since}", "--until {until} is before --since {since}"),
    "whatif_empty": W("这些日子里没有可重演的判定", "there is nothing to replay of these days"),
    "whatif_replaying": W("重演", "replaying"),
    "whatif_decisions": W("{since} 至 {until}：重演 {decisions:,} 项判定，与存下的相同 {same:,}，不同 {different:,}；{parcels:,} 票包裹中 {changed:,} 票有变化",
                          "{since} to {until}: {decisions:,} decisions replayed, {same:,} as stored, {different:,} not; {changed:,} of {parcels:,} parcels change"),
    "whatif_exact": W("现行规则下逐项重现，无一不同", "under today's law every stored decision comes out again"),
    "whatif_not_reproduced": W("注意：现行规则下有 {count:,} 项与存下的不同（可能是当时用了别的规则版本）：",
                               "note: under today's law {count:,} decisions differ from what is stored (perhaps another edition of the law decided them):"),
    "whatif_unweighed": W("假设的规则改动了签名规定；没有给 --trust，签名未重新衡量", "the supposed law weighs signatures otherwise; without --trust they are not weighed again"),
    "whatif_more": W("另有 {count} 项不同，见报告（--report）或 policy diff", "and {count} more: in the report (--report) or with policy diff"),
    "whatif_figure": W("指标", "figure"),
    "whatif_today": W("现行", "today"),
    "whatif_supposed": W("假设", "supposed"),
    "whatif_difference": W("差", "difference"),
    "whatif_report": W("报告：{path}", "report: {path}"),
    "study_exists": W("{path} 不是空目录；请另给一个", "{path} is not empty; name another folder"),
    "study_seen": W("看到", "seen    "),
    "study_not_seen": W("没看到", "not seen"),
    # pilots
    "pilots_title": W("试点城市对照：同样的包裹，各地的规定", "The pilots side by side: the same parcels, each city's law"),
    "pilots_lead": W("{day}，每个城市 {parcels} 票同样的包裹（商品、买家、价格、差错都相同），按各地当日的规定和做法通关。",
                     "{day}: the same {parcels} parcels at each city (goods, buyers, prices and faults alike), cleared by the law and practice of each place on the day."),
    "pilots_line": W("{day}，每个城市同样的 {parcels} 票：{everywhere} 票处处放行，{nowhere} 票处处受阻，{depends} 票因地而异",
                     "{day}, the same {parcels} parcels at each city: {everywhere} pass everywhere, {nowhere} nowhere, {depends} here and not there"),
    "pilots_everywhere": W("处处放行", "pass everywhere"),
    "pilots_nowhere": W("处处受阻", "pass nowhere"),
    "pilots_depends": W("因地而异", "pass here and not there"),
    "pilots_profile": W("做法", "practice"),
    "pilots_mode": W("{mode} 放行/申报", "{mode} released/declared"),
    "pilots_tax": W("税款（元）", "tax CNY"),
    "pilots_forks": W("此处通、彼处阻", "Here it flows, there it stops"),
    "pilots_fork": W("{count}：{stopped} 受阻，{passing} 放行", "{count}: stop at {stopped}; pass at {passing}"),
    "pilots_fork_passing": W("{count}：{passing} 放行，{stopped} 受阻", "{count}: pass at {passing}; stop at {stopped}"),
    "pilots_parcel": W("{count} 票", "{count} parcel"),
    "pilots_parcels": W("{count} 票", "{count} parcels"),
    "pilots_columns": W("{modes} 各列：放行票数/申报票数", "columns {modes}: parcels released/declared"),
    "pilots_by": W("原因", "by"),
    "pilots_example": W("例", "e.g."),
    "pilots_more": W("另有 {count} 组，见网页（-o）或 --json", "{count} more groups: on the page (-o) or with --json"),
    "pilots_same": W("没有因地而异的包裹", "no parcel depends on the place"),
    "pilots_all": W("其余 {count} 处", "the other {count}"),
    "pilots_law": W("各地不同的规定", "What differs in law"),
    "pilots_told": W("各地情况（不影响判定）", "What is told of the places (decides nothing)"),
    "pilots_refusals": W("按退单原因（票数）", "Refusals by reason (parcels)"),
    "pilots_warnings": W("只提示、不退单（票数）", "Warned of and let pass (parcels)"),
    "pilots_lacking": W("等待的包裹缺什么（票数）", "What waiting parcels lack (parcels)"),
    "pilots_chart": W("包裹（票）", "Parcels"),
    "pilots_share": W("各地结果", "What became of them"),
    "pilots_written": W("网页已写到 {path}", "page written to {path}"),
    "pilots_made": W("包裹由 cebport 按种子 {seed} 生成，企业和个人均为虚构。", "Parcels are generated by cebport from seed {seed}; companies and people are invented."),
    "topic": W("主题", "topic"),
    "value": W("数值", "value"),
    "where": W("何处", "where"),
    "basis": W("依据", "basis"),
    "clearing": W("通关", "clearing"),
    # generate, bench, demo
    "generating": W("生成报文", "generating"),
    "generated": W("已写出 {parcels} 票、{messages} 个报文到 {path}", "{parcels} parcels in {messages} messages written to {path}"),
    "bench_line": W("{parcels} 票，{seconds} 秒：每秒 {rate} 票，每票 CPU {cpu} 微秒，内存峰值 {memory} MiB（{store}，{workers} 个进程，{algorithm}）",
                    "{parcels} parcels in {seconds} s: {rate} a second, {cpu} µs of CPU a parcel, peak memory {memory} MiB "
                    "({store}, {workers} workers, {algorithm})"),
    "demo_exists": W("{path} 里已有一次演示；加 --again 先删掉它，或换一个 --dir",
                     "{path} holds an earlier demonstration; remove it with --again, or choose another --dir"),
    "demo_foreign": W("{path} 不是空目录，里面的也不是演示，不会动它；请换一个 --dir",
                      "{path} is not empty and holds no demonstration, so it is left alone; choose another --dir"),
    "demo_intro": W("一个早晨，十个试点城市，{parcels} 票包裹，直购（9610）和保税（1210），RSA 和 SM2 签名",
                    "One morning, ten pilot cities, {parcels} parcels, direct (9610) and bonded (1210), signed with RSA and SM2"),
    "demo_cities": W("按城市", "By city"),
    "demo_reasons": W("按退单原因", "By reason of refusal"),
    "demo_released": W("一票放行的包裹：{number}", "A released parcel: {number}"),
    "demo_refused": W("一票退单的包裹：{number}", "A refused parcel: {number}"),
    "demo_end": W("报文在 {traffic}，回执在 {receipts}，数据库 {store}。接着试试：",
                  "Messages are in {traffic}, receipts in {receipts}, the store is {store}. Try next:"),
    "reason": W("原因", "reason"),
    "words": W("说明", "in words"),
    "city": W("城市", "city"),
    # route
    "route_asking": W("查规则", "asking the law"),
    "route_title": W("{day}：{goods} 种商品，{places} 个地点", "{day}: goods {goods}, places {places}"),
    "route_goods": W("商品", "goods"),
    "route_may": W("可否", "may it"),
    "route_ecommerce": W("跨境电商", "e-commerce"),
    "route_cheapest": W("最省", "cheapest"),
    "route_road": W("路", "road"),
    "route_share": W("占货值", "share"),
    "route_unit": W("税款为每单人民币元；? 表示缺资料，两个数是两端；序号是商品表里的行。", "Taxes are CNY an order; ?: a fact is missing, two figures are both ends; no.: the row of the file."),
    "route_priced": W("{code}，单价 {price} × {quantity}，运费 {freight}", "{code}, price {price} × {quantity}, freight {freight}"),
    "route_places": W("{names} 等 {count} 处", "{names} and others, {count} in all"),
    "route_why": W("可否进口", "May it come"),
    "route_conditions": W("条件", "Conditions"),
    "route_tax": W("税款", "Tax"),
    "route_needs": W("单证与备案", "Documents and filings"),
    "route_limits": W("个人限值", "The buyer's limits"),
    "route_missing": W("缺少的资料", "Missing facts"),
    "route_changes": W("将来的变化", "Coming changes"),
    "route_more_rows": W("另有 {count} 行，见 --json", "{count} more rows, see --json"),
    "route_more_changes": W("另有 {count} 项变化，见 --json", "{count} more changes, see --json"),
    "route_basket": W("全部 {count} 种商品放在一单：货值、运费、保费共 {value} 元", "All {count} goods in one order: {value} CNY with freight and insurance"),
    "route_basket_inside": W("在单次限值 {single} 以内", "inside the single limit {single}"),
    "route_basket_orders": W("至少要分成 {orders} 单", "it takes at least {orders} orders"),
    "route_basket_year": W("年度限值 {year}：这样的一篮子一年可买 {count} 次", "year limit {year}: {count} such baskets a year"),
    "not_bonded": W("不是保税报文", "no letter of the bonded side"),
    "bonded_own": W("企业内部编号", "own number"),
    "bonded_number": W("单证编号", "number"),
    "bonded_rows": W("{count} 条", "{count}"),
    "bonded_pocket": W("分包", "pocket"),
    "bonded_signature": W("签名", "signature"),
    "unknown_card": W("证书未知，没有核对", "not verified: nobody knows the certificate"),
}

for _more in (words_forex, words_ledger, words_parks):  # what the commands of one link say stands in a module of its own
    COMMANDS.update(_more.COMMANDS)
    SUBCOMMANDS.update(_more.SUBCOMMANDS)
    OPTIONS.update(_more.OPTIONS)
    PHRASES.update(_more.PHRASES)

FORMS: dict[str, str] = {
    "COMMAND": "命令", "OPTIONS": "选项", "PATH...": "路径...", "FILE": "文件", "DIR": "目录", "OUT": "输出", "NAME": "名称",
    "NUMBER": "编号", "TIME": "时刻", "TEXT": "文本", "MODULE": "库文件", "SHARE": "比例", "ID": "编号", "N": "数",
    "DXPID": "传输编号", "DATE": "日期", "CNY": "金额", "PLACE": "地点", "TOPIC": "主题", "MODE": "监管方式", "MONTH": "月份", "CODE": "代码", "OURS": "列", "THEIRS": "表头",
}  # fmt: skip
"""How usage writes what is to be put in -> Chinese."""

EVENTS: dict[str, str] = {
    "arrived": "已到货", "tax summarised": "税单已汇总", "waybill state stored": "运单状态入库",
    "inventory refused by customs": "海关退单", "matched": "三单比对一致", "waits for tally": "等待理货",
    "waits for a rate": "等待税率", "released": "放行", "billed": "出税单", "closed": "结关",
    "inventory cancelled": "清单已撤销", "all returned": "全部退货", "part returned": "部分退货",
    "message unreadable": "报文无法读取",
    "forex payments recorded": "支付清单入账", "forex batch recorded": "购付汇批次入账",
    "guarantees filed": "担保登记", "payments filed": "缴款入账",
}  # fmt: skip
"""What the journal calls a decision (English) -> Chinese."""
EVENTS.update(words_parks.EVENTS)

EVENT_ENDS: dict[str, str] = {
    " refused at the window": "未被接收", " refused": "被拒绝", " taken": "已接收", " deleted": "已删除", " stashed": "已暂存",
}  # fmt: skip
"""How the name of a decision about a document ends -> Chinese."""

KINDS: dict[str, str] = {
    "order": "订单", "payment": "支付凭证", "waybill": "运单", "waybill_state": "运单状态", "inventory": "清单",
    "cancel": "撤销申请", "return": "退货申请", "tally": "入库明细单",
    "review": "人工审核",
}  # fmt: skip
"""Kind of document -> Chinese."""


def event_words(name: str, lang: str) -> str:
    """The names of a decision, as the journal joins them, in a language; unknown ones as they are."""
    return name if lang != "zh" else "；".join(map(_event_zh, name.split("; ")))


def _event_zh(name: str) -> str:
    for end, zh in EVENT_ENDS.items():
        kind = KINDS.get(name.removesuffix(end))
        if kind is not None and name.endswith(end):
            return kind + zh
    return EVENTS.get(name, name)


def kind_words(name: str, lang: str) -> str:
    """What a parcel waits for, in a language."""
    return KINDS[name] if lang == "zh" else name.replace("_", " ")


def find(key: str) -> Words:
    """The words of a key. Raises KeyError for one that has none: that is our own mistake."""
    return PHRASES[key]


def command_words(key: str) -> Words:
    """What a command does: "check", or "policy at" of a group's. Raises KeyError."""
    own = COMMANDS.get(key)
    return own if own is not None else SUBCOMMANDS[key]


def option_words(command: str, option: str) -> Words:
    """What an option does: its own words in this command, in its group, else those that all commands share."""
    for owner in (command, command.split()[0] if command else ""):
        own = OPTIONS.get(f"{owner}.{option}")
        if own is not None:
            return own
    return OPTIONS[option]


def form(written: str, lang: str) -> str:
    """How usage writes an argument or option, in a language: the words in capitals are what is to be put in."""
    if lang != "zh":
        return written
    return re.sub(r"(?<![\w-])[A-Z]+(\.\.\.)?(?!\w)", lambda found: FORMS.get(found[0], found[0]), written)
