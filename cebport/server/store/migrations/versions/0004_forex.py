"""Foreign exchange: payment records of the institutions, batches of purchase and remittance with their lines.

Revision ID: 0004
"""

from pathlib import Path

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables from the SQL file of the dialect."""
    dialect = op.get_bind().dialect.name
    text = (Path(__file__).parent / f"0004_{dialect}.sql").read_text(encoding="utf-8")
    for statement in text.split(";"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    """Drop them."""
    for table in ("forex_lines", "forex_batches", "forex_payments"):
        op.execute(f"DROP TABLE {table}")
