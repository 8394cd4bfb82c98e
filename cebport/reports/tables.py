"""Tables to take away (表格): CSV for a spreadsheet, Parquet for everything else, questions to Parquet files by SQL.

>>> import tempfile
>>> path = Path(tempfile.mkdtemp()) / "t.parquet"
>>> write_parquet(path, [Column("place", TEXT), Column("cny", MONEY)], [("a", Decimal("1.50")), ("b", None)])
2
>>> with questions() as ask:
...     ask("select place, cny from read_parquet(?) order by place", [str(path)])
[('a', Decimal('1.50')), ('b', None)]
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

TEXT, WHOLE, MONEY, NUMBER, FLAG, DAY, TEXTS = "text", "whole", "money", "number", "flag", "day", "texts"
"""Types of a column: text, whole number, CNY with fen, other number, yes or no, day, several texts."""
BATCH_ROWS = 20_000
MEMORY_MIB = 512
"""What a question may take before it spills to disk."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A text that begins so would be reckoned by a spreadsheet; it gets an apostrophe in front."""

Ask = Callable[..., list[tuple[Any, ...]]]


class Column(NamedTuple):
    """A column and the type of its values."""

    name: str
    type: str


def write_csv(path: Path, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Write a CSV that spreadsheets open with its Chinese intact (UTF-8 with a mark); how many rows. Raises OSError."""
    count = 0
    with path.open("w", encoding="utf-8-sig", newline="") as held:
        out = csv.writer(held, lineterminator="\n")
        out.writerow(head)
        for row in rows:
            out.writerow([_cell(value) for value in row])
            count += 1
    return count


def _cell(value: Any) -> Any:
    if isinstance(value, list | tuple | set | frozenset):
        return _cell(" ".join(map(str, value)))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def write_parquet(path: Path, columns: Sequence[Column], rows: Iterable[Sequence[Any]]) -> int:
    """Write rows in batches, so that memory does not grow with them; how many there were. Raises OSError."""
    import pyarrow
    from pyarrow import parquet

    types = {TEXT: pyarrow.string(), WHOLE: pyarrow.int64(), MONEY: pyarrow.decimal128(18, 2), DAY: pyarrow.date32(),
             NUMBER: pyarrow.float64(), FLAG: pyarrow.bool_(), TEXTS: pyarrow.list_(pyarrow.string())}
    schema = pyarrow.schema([(column.name, types[column.type]) for column in columns])
    count, left = 0, iter(rows)
    with parquet.ParquetWriter(path, schema, compression="zstd") as out:
        while batch := list(islice(left, BATCH_ROWS)):
            turned = zip(*batch, strict=True)
            arrays = [pyarrow.array(values, field.type) for values, field in zip(turned, schema, strict=True)]
            out.write_batch(pyarrow.record_batch(arrays, schema=schema))
            count += len(batch)
    return count


@contextmanager
def questions(memory_mib: int = MEMORY_MIB) -> Iterator[Ask]:
    """``ask(sql, [values])`` -> rows. Spills into a folder of its own that is removed at the end."""
    import duckdb

    with tempfile.TemporaryDirectory(prefix="cebport-report-") as spill:
        session = duckdb.connect(config={
            "memory_limit": f"{memory_mib}MiB", "temp_directory": spill, "threads": 2,
            "autoinstall_known_extensions": False, "autoload_known_extensions": False})
        try:
            yield lambda sql, values=(): session.execute(sql, list(values)).fetchall()
        finally:
            session.close()


def money(value: Decimal | int | float | None) -> Decimal:
    """CNY with fen; nothing is zero."""
    return Decimal(str(value or 0)).quantize(Decimal("0.01"))
