"""What stands above the desk: how much is left, at what pace, which feed, in which order."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QComboBox, QWidget

from desktop.item_models.review_desk import ReviewDesk
from desktop.theme import tokens
from desktop.widgets.basics import Button, column, page_title, row, words
from desktop.widgets.wording import count, counted, duration, percent
from engine.contracts import FeedSummary, QueueOrder

_ORDERS = (
    (QueueOrder.GAIN, "Most gain first"),
    (QueueOrder.UNCERTAIN, "Most uncertain first"),
    (QueueOrder.OLDEST, "Oldest first"),
    (QueueOrder.FAMILY, "Look-alikes together"),
    (QueueOrder.RANDOM, "At random"),
    (QueueOrder.RECHECK, "Please check again"),
)


class ThinBar(QWidget):
    """A share as a thin line; unlike a QProgressBar it does not paint at once when it changes."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._share = 0.0
        self.setFixedHeight(4)
        self.setAccessibleName("Share of the queue that is answered in this session")

    def show_share(self, share: float) -> None:
        """Show another share in [0, 1]."""
        if share != self._share:
            self._share = share
            self.setAccessibleDescription(percent(share))
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt's hook."""
        colours = tokens(self)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        box = QRectF(self.rect())
        painter.setBrush(colours.colour("line"))
        painter.drawRoundedRect(box, 2, 2)
        box.setWidth(box.width() * self._share)
        painter.setBrush(colours.colour("accent"))
        painter.drawRoundedRect(box, 2, 2)
        painter.end()


class ReviewHeader(QWidget):
    """See the module. ``changed`` carries the chosen order and feed (None: all)."""

    changed = Signal(object, object)
    undo_asked = Signal()
    redo_asked = Signal()
    keys_asked = Signal()
    recall_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._facts = words("", "muted")
        self._facts.setAccessibleName("Progress")
        self._bar = ThinBar()
        self.feeds = QComboBox()
        self.feeds.setAccessibleName("Feed")
        self.feeds.addItem("All feeds", None)
        self.orders = QComboBox()
        self.orders.setAccessibleName("Order of the queue")
        for order, text in _ORDERS:
            self.orders.addItem(text, order)
        for box in (self.feeds, self.orders):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
            box.activated.connect(self._on_chosen)
        self.recall = Button("", self.recall_asked.emit, kind="quiet", tip="Bring back what was put off (R)")
        self.undo = Button("", self.undo_asked.emit, kind="quiet", icon_name="undo", tip="Undo (U)")
        self.redo = Button("", self.redo_asked.emit, kind="quiet", icon_name="redo", tip="Redo (Shift+U)")
        self.keys = Button("Keys", self.keys_asked.emit, kind="quiet", icon_name="keyboard", tip="Keys (?)")
        self.undo.setAccessibleName("Undo")
        self.redo.setAccessibleName("Redo")
        self.recall.hide()
        self.setLayout(
            column(
                row(
                    page_title("Review"),
                    self._facts,
                    None,
                    self.recall,
                    self.feeds,
                    self.orders,
                    self.undo,
                    self.redo,
                    self.keys,
                    spacing=10,
                ),
                self._bar,
                spacing=10,
            )
        )

    def show_desk(self, desk: ReviewDesk) -> None:
        """Draw the desk's counts."""
        left, done = desk.left, desk.pace.answers
        parts = []
        if left is not None:
            parts.append(f"{count(left)} to do")
        if done:
            parts.append(f"{count(done)} answered now")
        if desk.pace.per_minute is not None:
            parts.append(f"{desk.pace.per_minute:.0f} a minute")
            seconds = desk.pace.seconds_for(left or 0)
            if left and seconds is not None:
                parts.append(f"about {duration(seconds)} left")
        self._facts.setText("   ·   ".join(parts))
        self._bar.show_share(done / max(1, (left or 0) + done))
        if desk.standing is not None:
            self._fill_feeds(desk.standing.feeds, desk.feed)
        self.recall.setVisible(desk.put_off > 0)
        self.recall.setText(f"{counted(desk.put_off, 'listing')} put off")
        self.recall.setAccessibleName(f"Recall {counted(desk.put_off, 'listing')} put off")

    def _fill_feeds(self, feeds: Sequence[FeedSummary], chosen: str | None) -> None:
        wanted = [
            ("All feeds", None),
            *((f"{feed.name}  ({count(feed.review)})", feed.name) for feed in feeds),
        ]
        shown = [(self.feeds.itemText(at), self.feeds.itemData(at)) for at in range(self.feeds.count())]
        if wanted == shown:
            return
        if [name for _text, name in wanted] == [name for _text, name in shown]:
            for at, (text, _name) in enumerate(wanted):
                self.feeds.setItemText(at, text)
            return
        self.feeds.clear()
        for text, name in wanted:
            self.feeds.addItem(text, name)
        self.feeds.setCurrentIndex(max(0, self.feeds.findData(chosen)))

    def _on_chosen(self, _at: int) -> None:
        self.changed.emit(QueueOrder(self.orders.currentData()), self.feeds.currentData())
