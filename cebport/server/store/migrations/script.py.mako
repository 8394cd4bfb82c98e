"""${message}

Revision ID: ${up_revision}
"""

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Describe the step."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Describe the way back."""
    ${downgrades if downgrades else "pass"}
