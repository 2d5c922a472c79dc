"""Settings: what can be set by hand, in groups; changed together by one button, or not at all."""

from __future__ import annotations

from functools import partial
from itertools import groupby

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from desktop.operations import configuring
from desktop.session import Session
from desktop.widgets.basics import (
    INSET,
    PAGE,
    TIGHT,
    Button,
    Card,
    column,
    page_title,
    primary_button,
    quiet_button,
    row,
    scrolling,
    words,
)
from desktop.widgets.setting_editor import SettingEditor
from desktop.widgets.wording import counted
from engine.contracts import ChangeSet, SettingKind, SettingRow, TakesEffect

_AFTER = {
    TakesEffect.REFIT: "Certify on the Automation screen makes a release with them; until then the champion "
    "goes on with the settings that it was certified with.",
    TakesEffect.PROMOTION: "The next promotion is judged by them.",
    TakesEffect.MATCH: "The next match writes the cards again.",
}


class SettingsScreen(QWidget):
    """Edits are kept when *Save* is pressed. Costs are on the page of segments and not here."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.rows: dict[str, SettingRow] = {}
        self.editors: dict[str, SettingEditor] = {}
        self._first: dict[str, Button] = {}
        self.message = words("", "muted", wrap=True)
        self.save_button = primary_button("Save", self._save)
        self.save_button.setToolTip("Save the changes (Ctrl+S)")
        self.discard_button = quiet_button("Discard", self._discard)
        self._groups = column(spacing=INSET)
        content = QWidget()
        page = column(self._groups, None, spacing=INSET)
        page.setContentsMargins(0, 0, INSET, INSET)
        content.setLayout(page)
        head = row(
            column(page_title("Settings"), self.message, spacing=2), self.discard_button, self.save_button
        )
        head.setStretch(0, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(PAGE, PAGE - 4, PAGE - INSET, 0)
        layout.setSpacing(INSET)
        head.setContentsMargins(0, 0, INSET, 0)
        layout.addLayout(head)
        layout.addWidget(scrolling(content), 1)
        save = QShortcut(QKeySequence(QKeySequence.StandardKey.Save), self)
        save.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        save.activated.connect(self._save)
        session.hub.changed.connect(self._on_changed)
        self._show_edits()

    def activate(self) -> None:
        """Shown: read the settings; what somebody is editing stays."""
        configuring.load_settings(self._session, done=self._show)

    @property
    def edits(self) -> dict[str, object]:
        """Name -> value of what was edited and not saved."""
        return {
            name: editor.value()
            for name, editor in self.editors.items()
            if editor.value() != self.rows[name].value
        }

    # -- drawing ---------------------------------------------------------------------------------

    def _show(self, rows: tuple[SettingRow, ...]) -> None:
        shown = [one for one in rows if one.kind is not SettingKind.AMOUNT]
        edits = self.edits
        self.rows = {one.name: one for one in shown}
        if not self.editors:
            for group, members in groupby(shown, key=lambda one: one.group):
                self._groups.addWidget(self._build_group(group, list(members)))
        for name, editor in self.editors.items():
            if name not in edits:
                editor.show_value(self.rows[name].value)
        self._show_edits()

    def _build_group(self, group: str, members: list[SettingRow]) -> Card:
        card = Card(group)
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(INSET)
        grid.setVerticalSpacing(INSET - TIGHT)
        grid.setColumnStretch(0, 1)
        for line, one in enumerate(members):
            editor = SettingEditor(one)
            editor.setEnabled(not self._session.read_only)
            editor.edited.connect(self._show_edits)
            label = words(one.title, "strong")
            label.setBuddy(editor.field)
            later = "" if one.takes_effect is TakesEffect.NOW else f" Counts {one.takes_effect.value}."
            meaning = words(f"{one.meaning}{later}", "muted", wrap=True)
            first = quiet_button("", partial(self._set_first, editor, one))
            first.setAccessibleName(f"{one.title}: as it was at first")
            self.editors[one.name], self._first[one.name] = editor, first
            said = column(label, meaning, spacing=2)
            if one.choices:
                # Check boxes need a line of their own in a narrow window.
                said.addSpacing(TIGHT)
                said.addLayout(row(editor, first, None, spacing=INSET))
                grid.addLayout(said, line, 0, 1, 3)
            else:
                grid.addLayout(said, line, 0)
                grid.addWidget(first, line, 1)
                grid.addWidget(editor, line, 2)
        card.add(grid)
        return card

    def _show_edits(self) -> None:
        """Buttons and the line below the title follow what was edited."""
        edits = self.edits
        for name, button in self._first.items():
            one = self.rows[name]
            differs = self.editors[name].value() != one.default
            button.setText(f"Back to {_in_words(one)}" if differs else "")
            button.setVisible(differs and not self._session.read_only)
        self.save_button.setEnabled(bool(edits) and not self._session.read_only)
        self.discard_button.setEnabled(bool(edits))
        if edits:
            self.message.setText(f"{counted(len(edits), 'change')} not saved yet")
        elif self._session.read_only:
            self.message.setText("This workspace is open read-only")
        else:
            self.message.setText("Precision, confidence and promise are set where they are certified")

    # -- intents ---------------------------------------------------------------------------------

    def _set_first(self, editor: SettingEditor, one: SettingRow) -> None:
        editor.show_value(one.default)
        self._show_edits()
        editor.setFocus()

    def _discard(self) -> None:
        for name, editor in self.editors.items():
            editor.show_value(self.rows[name].value)
        self._show_edits()

    def _save(self) -> None:
        edits = self.edits
        if not edits or self._session.read_only:
            return
        effects = {self.rows[name].takes_effect for name in edits}
        later = " ".join(said for effect, said in _AFTER.items() if effect in effects)

        def done(rows: tuple[SettingRow, ...]) -> None:
            self._show(rows)
            self.message.setText(f"{counted(len(edits), 'setting')} saved. {later}".rstrip())

        configuring.change_settings(self._session, changes=edits, initiator=self, done=done)

    def _on_changed(self, changes: ChangeSet, initiator: object) -> None:
        if initiator is not self and changes.routes and self.isVisible():
            self.activate()


def _in_words(one: SettingRow) -> str:
    """What a setting was at first, short enough for a button."""
    if one.kind is SettingKind.SHARE:
        assert isinstance(one.default, int | float)
        return f"{100 * one.default:g} %"
    return one.words(one.default).replace(",", ", ")
