"""The tax ledger: guarantees, bills, payment documents, payments, double entry; what each guarantor owes.

Revision ID: 0005
"""

from pathlib import Path

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables from the SQL file of the dialect, and add up what was posted before."""
    dialect = op.get_bind().dialect.name
    text = (Path(__file__).parent / f"0005_{dialect}.sql").read_text(encoding="utf-8")
    for statement in text.split(";"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    """Drop them."""
    for table in ("ledger_at", "ledger", "tax_refunds", "tax_payments", "tax_sums", "tax_documents", "tax_bills",
                  "guarantees", "tax_held"):
        op.execute(f"DROP TABLE {table}")
