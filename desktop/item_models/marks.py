"""What a reviewer has marked on the card in front before answering: ruled out, or also right."""

from __future__ import annotations


class Marks:
    """Item numbers in the order in which they were marked; an item has one mark at most."""

    def __init__(self) -> None:
        self._rejected: list[int] = []
        self._also_right: list[int] = []

    @property
    def rejected(self) -> tuple[int, ...]:
        """The items ruled out."""
        return tuple(self._rejected)

    @property
    def also_right(self) -> tuple[int, ...]:
        """The items that are right besides the one the answer will name."""
        return tuple(self._also_right)

    def rule_out(self, item_id: int) -> bool:
        """Rule an item out, or let it in again; whether it is out now."""
        return _toggle(item_id, self._rejected, self._also_right)

    def name_too(self, item_id: int) -> bool:
        """Say that an item is right as well, or take that back; whether it is said now."""
        return _toggle(item_id, self._also_right, self._rejected)

    def beside(self, item_id: int | None) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """What is ruled out and what is also right when the answer names an item."""
        return (
            tuple(one for one in self._rejected if one != item_id),
            tuple(one for one in self._also_right if one != item_id),
        )


def _toggle(item_id: int, marked: list[int], other: list[int]) -> bool:
    if item_id in marked:
        marked.remove(item_id)
        return False
    marked.append(item_id)
    if item_id in other:
        other.remove(item_id)
    return True
