"""Nights with their steps and verdicts, the lists they leave behind, and receipts for people who were forgotten."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "nights",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("started", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("decision", sa.String(32), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("facts", JSON, server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_nights"),
    )
    op.create_table(
        "night_steps",
        sa.Column("night_id", NUMBER, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("started", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("night_id", "name", name="pk_night_steps"),
        sa.ForeignKeyConstraint(["night_id"], ["nights.id"], name="fk_night_steps_night_id", ondelete="CASCADE"),
    )
    op.create_table(
        "verdicts",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("night_id", NUMBER, nullable=False),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("champion", sa.String(128), nullable=True),
        sa.Column("challenger", sa.String(128), nullable=True),
        sa.Column("decision", sa.String(32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("figures", JSON, nullable=False),
        sa.Column("level", sa.Double(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_verdicts"),
        sa.UniqueConstraint("night_id", "model", name="uq_verdicts_night_id"),
        sa.ForeignKeyConstraint(["night_id"], ["nights.id"], name="fk_verdicts_night_id", ondelete="CASCADE"),
    )
    op.create_table(
        "top_lists",
        sa.Column("user_id", NUMBER, nullable=False),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("version", sa.String(128), nullable=False),
        sa.Column("made", sa.BigInteger(), nullable=False),
        sa.Column("items", JSON, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "model", name="pk_top_lists"),
        # Whoever is deleted by hand loses their lists, too.
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_top_lists_user_id", ondelete="CASCADE"),
    )
    op.create_table(
        "receipts",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("quarantined", sa.BigInteger(), nullable=False),
        sa.Column("lists", sa.BigInteger(), nullable=False),
        sa.Column("versions", JSON, server_default="[]", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_receipts"),
    )


def downgrade() -> None:
    for table in ("receipts", "top_lists", "verdicts", "night_steps", "nights"):
        op.drop_table(table)
