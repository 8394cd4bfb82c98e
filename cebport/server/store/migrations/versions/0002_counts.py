"""Running totals, and indexes of what is set aside: nothing that is asked often reads a whole table.

Revision ID: 0002
"""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make table and indexes from the SQL file of the dialect, and count what is there."""
    dialect = op.get_bind().dialect.name
    text = (Path(__file__).parent / f"0002_{dialect}.sql").read_text(encoding="utf-8")
    for statement in text.split(";"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    """Drop them."""
    for index in ("inbox_aside", "outbox_aside"):
        op.execute(f"DROP INDEX {index}")
    op.execute("DROP TABLE counts")
