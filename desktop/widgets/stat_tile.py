"""A figure with its name and one line of explanation."""

from __future__ import annotations

from PySide6.QtWidgets import QVBoxLayout, QWidget

from desktop.widgets.basics import words


class StatTile(QWidget):
    """Name above, figure large, detail below."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = name
        self._figure = words("–", "figure")
        self._detail = words("", "caption", wrap=True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(words(name, "caption"))
        layout.addWidget(self._figure)
        layout.addWidget(self._detail)
        layout.addStretch(1)

    def show_figure(self, figure: str, detail: str = "") -> None:
        """Show a figure; screen readers get name, figure and detail together."""
        self._figure.setText(figure)
        self._detail.setText(detail)
        self.setAccessibleName(f"{self._name}: {figure}. {detail}".strip())

    @property
    def figure(self) -> str:
        """What the tile shows."""
        return self._figure.text()
