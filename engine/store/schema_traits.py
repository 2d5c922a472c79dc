"""The table behind the segment report."""

from __future__ import annotations

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from engine.store.schema_base import Base


class ListingTraitRow(Base):
    """What a listing's words say of its segment (see :mod:`engine.contracts.traits`).

    Narrow and in the order of ``listing_route``, so that a report reads the two side by side.
    """

    __tablename__ = "listing_trait"

    listing_id: Mapped[int] = mapped_column(ForeignKey("listing.id"), primary_key=True)
    brand: Mapped[str]
    category: Mapped[str]
    pack: Mapped[int]
    model_code: Mapped[int]
