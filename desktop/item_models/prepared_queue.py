"""The review queue as the desk takes from it: read a page at a time, the next few cards made ready."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence

from PySide6.QtCore import QObject, QTimer, Signal

from desktop.item_models.presentation import Sketch
from desktop.operations import reviewing
from desktop.session import Session
from engine.contracts import QueueEntry, QueueOrder

#: Cards prepared ahead of the one in front.
AHEAD = 4
#: Entries asked for at once, and how few may be left before more are asked for.
PAGE = 60
LOW = 12
#: Listings put aside that the queue is told to leave out; when there are more, the oldest come back.
MOST_ASIDE = 200
#: Milliseconds in which a card that was taken is surely on screen.
_PAINTED = 40


class PreparedQueue(QObject):
    """See the module.

    ``ready`` comes when :meth:`take` may give something it could not give before, or when it is now
    known that there is nothing more. ``failed`` carries what went wrong while reading.
    """

    ready = Signal()
    failed = Signal(object)

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.order = QueueOrder.GAIN
        self.feed: str | None = None
        self._entries: deque[QueueEntry] = deque()
        self._sketches: dict[int, Sketch] = {}
        self._reading: set[int] = set()
        self._skipped: deque[int] = deque(maxlen=MOST_ASIDE)
        self._unsure: deque[int] = deque(maxlen=MOST_ASIDE)
        self._in_front: int | None = None
        # Answers to a question asked before the queue was read anew are of no use any more.
        self._round = 0
        self._filling = False
        self._exhausted = False
        # Not while the card just taken is being painted: that is what the reviewer waits for.
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_PAINTED)
        self._later.timeout.connect(self._prepare)

    @property
    def exhausted(self) -> bool:
        """Whether nothing more comes unless something is recalled or changes."""
        return self._exhausted and not self._entries and not self._skipped

    @property
    def unsure(self) -> int:
        """How many listings were left unsure in this session."""
        return len(self._unsure)

    def restart(self, in_front: int | None) -> None:
        """Read the queue anew; ``in_front`` is the listing that is not to come again."""
        self._round += 1
        self._in_front = in_front
        self._entries.clear()
        self._sketches.clear()
        self._reading.clear()
        self._exhausted = False
        self._filling = False
        self._fill()

    def take(self) -> Sketch | None:
        """The next card when it is ready; None while it is not, or when there is none."""
        made = self._sketches.pop(self._entries[0].listing_id, None) if self._entries else None
        if made is not None:
            self._entries.popleft()
            self._in_front = made.listing_id
        elif not self._entries and self._exhausted and self._skipped:
            # Only what was skipped is left: now it comes back.
            self._skipped.clear()
            self.restart(None)
            return None
        else:
            self._in_front = None
        if made is not None and self._sketches:
            self._later.start()
        else:
            self._prepare()
        return made

    def put_back(self, made: Sketch) -> None:
        """Have a card come next."""
        self.drop((made.listing_id,))
        self._entries.appendleft(made.card.entry)
        self._sketches[made.listing_id] = made

    def bring_to_front(self, listing_id: int) -> None:
        """Note that a listing was put in front from elsewhere: it is not to come again."""
        self.drop((listing_id,))
        self._forget_aside(listing_id)
        self._in_front = listing_id

    def drop(self, listing_ids: Collection[int]) -> None:
        """Take listings out: they were answered or put off."""
        self._entries = deque(entry for entry in self._entries if entry.listing_id not in listing_ids)
        for number in listing_ids:
            self._sketches.pop(number, None)

    def skip(self, listing_id: int) -> None:
        """Let a listing come back after the others."""
        self._skipped.append(listing_id)

    def leave_unsure(self, listing_id: int) -> None:
        """Let a listing come back when it is recalled."""
        self._unsure.append(listing_id)

    def recall(self) -> int:
        """Let everything come back that was skipped or left unsure; how many that were."""
        count = len({*self._skipped, *self._unsure})
        self._skipped.clear()
        self._unsure.clear()
        return count

    # -- inside --------------------------------------------------------------------------------

    def _forget_aside(self, listing_id: int) -> None:
        for aside in (self._skipped, self._unsure):
            while listing_id in aside:
                aside.remove(listing_id)

    def _known(self) -> set[int]:
        known = {entry.listing_id for entry in self._entries} | {*self._skipped, *self._unsure}
        return known if self._in_front is None else known | {self._in_front}

    def _fill(self) -> None:
        """Ask for more entries, unless that is being done or there are none."""
        if self._filling or self._exhausted:
            return
        self._filling = True
        asked_in = self._round

        def done(page: reviewing.QueuePage) -> None:
            if asked_in == self._round:
                self._on_page(page)

        def failed(error: Exception) -> None:
            if asked_in == self._round:
                self._filling = False
                self.failed.emit(error)

        reviewing.load_queue(
            self._session,
            order=self.order,
            feed=self.feed,
            limit=PAGE,
            skip=self._known(),
            done=done,
            failed=failed,
        )

    def _on_page(self, page: reviewing.QueuePage) -> None:
        self._filling = False
        known = self._known()
        new: Sequence[QueueEntry] = [entry for entry in page.entries if entry.listing_id not in known]
        self._entries.extend(new)
        # A short page is no proof: audits are mixed in as they are drawn. Only nothing new is.
        self._exhausted = not new
        if page.first is not None and any(entry.listing_id == page.first.listing_id for entry in new):
            self._sketches[page.first.listing_id] = page.first
        self._prepare()
        self.ready.emit()

    def _prepare(self) -> None:
        """Make the next few cards ready, and ask for more entries when few are left."""
        if len(self._entries) < LOW:
            self._fill()
        for entry in list(self._entries)[:AHEAD]:
            if entry.listing_id not in self._sketches and entry.listing_id not in self._reading:
                self._reading.add(entry.listing_id)
                self._read(entry)

    def _read(self, entry: QueueEntry) -> None:
        asked_in, number = self._round, entry.listing_id

        def done(made: Sketch) -> None:
            if asked_in == self._round:
                self._reading.discard(number)
                if any(waiting.listing_id == number for waiting in self._entries):
                    self._sketches[number] = made
                    self.ready.emit()

        def failed(error: Exception) -> None:
            # A listing that cannot be shown must not stop the others.
            if asked_in == self._round:
                self._reading.discard(number)
                self.drop((number,))
                self.failed.emit(error)
                self._prepare()
                self.ready.emit()

        reviewing.load_card(self._session, entry=entry, done=done, failed=failed)
