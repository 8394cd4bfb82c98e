"""The first schema: inbox, archive, projections, books, journal, outbox, timers.

Revision ID: 0001
"""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables from the SQL file of the dialect."""
    dialect = op.get_bind().dialect.name
    text = (Path(__file__).parent / f"0001_{dialect}.sql").read_text(encoding="utf-8")
    for statement in text.split(";"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    """Drop the tables."""
    for table in ("access", "filings", "numbers", "timers", "outbox", "journal", "postings", "quota", "refusals",
                  "keys", "tallies", "waybills", "cases", "archive", "inbox"):
        op.execute(f"DROP TABLE {table}")
