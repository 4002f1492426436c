"""Change counts of users and items, a count of users that were deleted, and the API keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_COUNT = (
    "insert into changes (name, count) values ('forgotten', 1)"
    " on conflict (name) do update set count = changes.count + 1"
)
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    for table in ("users", "items"):
        op.add_column(table, sa.Column("changed", sa.BigInteger(), server_default="0", nullable=False))
    op.create_index("ix_items_changed", "items", ["changed"])
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("scopes", JSON, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("revoked", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
    )
    # In the database, and not in the program: somebody who is deleted by hand is forgotten, too.
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "create function count_forgotten() returns trigger language plpgsql as"
            f" $$ begin {_COUNT}; return null; end $$"
        )
        op.execute(
            "create trigger count_forgotten after delete on users for each row execute function count_forgotten()"
        )
    else:
        op.execute(f"create trigger count_forgotten after delete on users begin {_COUNT}; end")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("drop trigger count_forgotten on users")
        op.execute("drop function count_forgotten()")
    else:
        op.execute("drop trigger count_forgotten")
    op.drop_table("api_keys")
    op.drop_index("ix_items_changed", table_name="items")
    for table in ("items", "users"):
        op.drop_column(table, "changed")
