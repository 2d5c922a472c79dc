"""The fields that settings are edited in, one class for each kind of value."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QAbstractSpinBox, QCheckBox, QDoubleSpinBox, QSpinBox, QWidget

from desktop.widgets.basics import GAP, row, set_apart
from engine.contracts import SettingKind, SettingRow

Value = float | int | tuple[str, ...] | None


class SettingEditor(QWidget):
    """Edits one setting. ``edited`` comes with every change that a person makes."""

    edited = Signal()

    def __init__(self, setting: SettingRow, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.name = setting.name
        self._percent: QDoubleSpinBox | None = None
        self._whole: QSpinBox | None = None
        self._boxes: dict[str, QCheckBox] = {}
        self._shown: Value = None
        self._shown_as: Value = None
        if setting.kind is SettingKind.SHARE:
            self._percent = QDoubleSpinBox()
            self._percent.setDecimals(1)
            self._percent.setRange(100 * setting.least, 100 * setting.most)
            self._percent.setSuffix(" %")
            self._percent.valueChanged.connect(lambda _value: self.edited.emit())
            self.field: QWidget = self._number(self._percent)
        elif setting.kind is SettingKind.COUNT:
            self._whole = QSpinBox()
            self._whole.setRange(int(setting.least), int(setting.most))
            self._whole.setGroupSeparatorShown(True)
            self._whole.valueChanged.connect(lambda _value: self.edited.emit())
            self.field = self._number(self._whole)
        else:
            for number, choice in enumerate(setting.choices):
                box = QCheckBox(choice)
                box.setAccessibleName(f"{setting.title}: {choice}")
                # The first is always part of it.
                box.setEnabled(number > 0)
                box.toggled.connect(lambda _on: self.edited.emit())
                self._boxes[choice] = box
            self.field = self._boxes[setting.choices[min(1, len(setting.choices) - 1)]]
        if not self._boxes:
            self.field.setAccessibleName(setting.title)
            self.field.setAccessibleDescription(setting.meaning)
        self.setFocusProxy(self.field)
        things: list[QWidget] = [*self._boxes.values()] or [self.field]
        line = row(*things, spacing=GAP)
        line.setAlignment(Qt.AlignmentFlag.AlignVCenter)
        self.setLayout(line)
        self.show_value(setting.value)

    def _number(self, field: QAbstractSpinBox) -> QAbstractSpinBox:
        field.setFixedWidth(120)
        set_apart(field)
        field.installEventFilter(self)
        return field

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Qt's hook: the wheel scrolls the page, and a number only where it has the focus."""
        if event.type() is QEvent.Type.Wheel and not self.field.hasFocus():
            event.ignore()
            return True
        return super().eventFilter(watched, event)

    def value(self) -> Value:
        """What the field says; the value that was shown, digit for digit, where nobody has touched it."""
        read = self._read()
        return self._shown if read == self._shown_as else read

    def _read(self) -> Value:
        if self._percent is not None:
            return round(self._percent.value() / 100, 4)
        if self._whole is not None:
            return self._whole.value()
        return tuple(name for name, box in self._boxes.items() if box.isChecked())

    def show_value(self, value: Value) -> None:
        """Show a value; nobody is told."""
        blocked = [QSignalBlocker(one) for one in (self._percent, self._whole, *self._boxes.values()) if one]
        if self._percent is not None:
            assert isinstance(value, int | float)
            self._percent.setValue(100 * value)
        elif self._whole is not None:
            assert isinstance(value, int)
            self._whole.setValue(value)
        else:
            for name, box in self._boxes.items():
                box.setChecked(isinstance(value, tuple) and name in value)
        del blocked
        self._shown, self._shown_as = value, self._read()
