"""Account books: books, lines with running balances, lists, passes, sales, movements.

Revision ID: 0003
"""

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables from the SQL file of the dialect."""
    dialect = op.get_bind().dialect.name
    text = (Path(__file__).parent / f"0003_{dialect}.sql").read_text(encoding="utf-8")
    for statement in text.split(";"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    """Drop them."""
    for table in ("bonded_totals", "bonded_moves", "bonded_sales", "bonded_passes", "bonded_lists", "bonded_lines",
                  "bonded_books"):
        op.execute(f"DROP TABLE {table}")
