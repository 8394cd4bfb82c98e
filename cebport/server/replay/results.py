"""The folder of a what-if's answer (假设推演的结果): what stands in which file.

``parcels.parquet``      one row a parcel that either world has (a = today's law, b = the overlaid law)

    order_no, ebp_code       string
    place, customs_code      string: id of the place of its last inventory; "" without an inventory
    mode                     string: trade mode; "" without an inventory
    day                      date: on which that inventory was declared (China); null without one
    state_a, state_b         string: released refused waiting cancelled returned closed; "absent" in a world
                             that has no such parcel
    rules_a, rules_b         list<string>: why it is refused, or why its inventory was not taken
    notes_a, notes_b         list<string>: warnings and remarks of the decision (LAW-FULL-TAX, ...)
    value_cny                decimal(18,2): goods + freight + insurance; null without an inventory
    duty_a vat_a consumption_a, duty_b vat_b consumption_b     decimal(18,2): of the bill that stands
    goods                    list<string>: goods codes, first eight digits, sorted, each once
    buyer                    string: keyed hash, hex; guarantor: string
    hold_a, hold_b           decimal(18,2): what it takes of the buyer's year
    assumed                  bool: world b needed an event that only an assumption gives
    hours_a, hours_b         double: from declaration to release; null while not released
    changed                  bool: state, rules, tax or hold differ

``differences.parquet``  one row a changed parcel: order_no, ebp_code, state_a, state_b, assumed, and list<string> of
                         why_a_zh, why_a_en, why_b_zh, why_b_en (sentences), receipts_a, receipts_b ("622 800")
``buyers.parquet``       one row a buyer and year: buyer, year (int32), held_a, held_b, over_a, over_b (int32: parcels
                         that the year's limit refused or taxed in full)
``accounts.parquet``     one row an account shared by parcels (a guarantor's tax): account, end_a, end_b, peak_a,
                         peak_b: decimal(18,2), in the order of the clock
``summary.json``         {"meta": {"since", "until", "edition_a", "edition_b", "editions": [of the journal], "overlay",
                         "about", "law_of", "profile", "profile_b", "engine", "workers", "deep", "unweighed": whether
                         signatures would count otherwise but were not looked at, "topics": [{"topic", "place", "day",
                         "a", "b"}]},
                         "counts": {"decisions", "same", "different", "reproduced", "not_reproduced", "carried",
                         "added", "parcels", "changed", "assumed"},
                         "links": {link: [{"metric", "dimension", "key", "a", "b", "changed"}]},
                         "columns": [{"name", "link", "zh", "en", "how", "unit", "filled"}],
                         "places": {id: {"zh", "en"}}, "rules": {rule: {"zh", "en"}},
                         "not_reproduced": [{"position", "document", "event", "key", "stored", "again"}]}

In ``links`` counts are whole numbers, money and hours are strings with two digits; ``metric`` is a column's name; the
key "" of place, mode and day is that of parcels without an inventory.
``same`` and ``different`` count stored decisions that the overlaid law gives again byte for byte, or not;
``reproduced`` and ``not_reproduced`` the same of today's law.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

PARCELS, DIFFERENCES, BUYERS, ACCOUNTS, SUMMARY = (
    "parcels.parquet", "differences.parquet", "buyers.parquet", "accounts.parquet", "summary.json")
MONEY, TEXTS = "money", "texts"
FIELDS: dict[str, tuple[tuple[str, str], ...]] = {
    PARCELS: (
        ("order_no", "string"), ("ebp_code", "string"), ("place", "string"), ("customs_code", "string"),
        ("mode", "string"), ("day", "date32"), ("state_a", "string"), ("state_b", "string"),
        ("rules_a", TEXTS), ("rules_b", TEXTS), ("notes_a", TEXTS), ("notes_b", TEXTS), ("value_cny", MONEY),
        ("duty_a", MONEY), ("vat_a", MONEY), ("consumption_a", MONEY),
        ("duty_b", MONEY), ("vat_b", MONEY), ("consumption_b", MONEY),
        ("goods", TEXTS), ("buyer", "string"), ("guarantor", "string"), ("hold_a", MONEY), ("hold_b", MONEY),
        ("assumed", "bool_"), ("hours_a", "float64"), ("hours_b", "float64"), ("changed", "bool_"),
    ),
    DIFFERENCES: (
        ("order_no", "string"), ("ebp_code", "string"), ("state_a", "string"), ("state_b", "string"),
        ("assumed", "bool_"), ("why_a_zh", TEXTS), ("why_a_en", TEXTS), ("why_b_zh", TEXTS), ("why_b_en", TEXTS),
        ("receipts_a", TEXTS), ("receipts_b", TEXTS),
    ),
    BUYERS: (
        ("buyer", "string"), ("year", "int32"), ("held_a", MONEY), ("held_b", MONEY), ("over_a", "int32"),
        ("over_b", "int32"),
    ),
    ACCOUNTS: (
        ("account", "string"), ("end_a", MONEY), ("end_b", MONEY), ("peak_a", MONEY), ("peak_b", MONEY),
    ),
}
"""File -> its columns and their kinds, in order."""
ROWS_A_GROUP = 50_000


def warm() -> None:
    """Load what writes the files, so that processes that are forked have it."""
    import pyarrow.parquet  # noqa: F401


def schema_of(file: str) -> Any:
    """The Arrow schema of one of the Parquet files."""
    import pyarrow as pa

    kinds = {MONEY: pa.decimal128(18, 2), TEXTS: pa.list_(pa.string())}
    return pa.schema([(name, kinds[kind] if kind in kinds else getattr(pa, kind)()) for name, kind in FIELDS[file]])


def table_of(file: str, rows: Sequence[Sequence[Any]]) -> Any:
    """Rows of a file, each with its values in the order of the columns, as an Arrow table."""
    import pyarrow as pa

    schema = schema_of(file)
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    return pa.Table.from_arrays([pa.array(column, kind) for column, kind in zip(columns, schema.types, strict=True)],
                                schema=schema)


def arrow_of(file: str, rows: Sequence[Sequence[Any]]) -> bytes:
    """The same as bytes, for another process."""
    import pyarrow as pa

    table, sink = table_of(file, rows), pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    made: bytes = sink.getvalue().to_pybytes()
    return made


class Rows:
    """One Parquet file that grows by rows and is written in groups of some fifty thousand of them."""

    def __init__(self, folder: Path, file: str) -> None:
        import pyarrow.parquet as pq

        self._file, self._schema = file, schema_of(file)
        self._writer = pq.ParquetWriter(folder / file, self._schema, compression="zstd")
        self._held: list[Any] = []
        self._count = 0

    def add(self, rows: Iterable[Sequence[Any]]) -> None:
        """More rows, each with its values in the order of the columns."""
        self._take(table_of(self._file, list(rows)))

    def add_arrow(self, packed: bytes) -> None:
        """More rows, as ``arrow_of`` gives them."""
        import pyarrow as pa

        with pa.ipc.open_stream(packed) as stream:
            self._take(stream.read_all())

    def _take(self, table: Any) -> None:
        self._held.append(table)
        self._count += table.num_rows
        if self._count >= ROWS_A_GROUP:
            self._write()

    def close(self) -> None:
        """The rest, and the end of the file."""
        if self._count:
            self._write()
        self._writer.close()

    def _write(self) -> None:
        import pyarrow as pa

        self._writer.write_table(pa.concat_tables(self._held).combine_chunks())
        self._held, self._count = [], 0


def write_summary(folder: Path, summary: Mapping[str, Any]) -> None:
    """summary.json, the same bytes for the same summary."""
    text = json.dumps(summary, ensure_ascii=False, indent=1, sort_keys=False)
    (folder / SUMMARY).write_text(text + "\n", encoding="utf-8")


def read_summary(folder: Path) -> dict[str, Any]:
    """summary.json of a result folder. Raises OSError, ValueError."""
    held: dict[str, Any] = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    return held
