"""How numbers, times and codes are worded on the screens; no rules, only words."""

from __future__ import annotations

from datetime import UTC, datetime

from engine.contracts import Decision, RunState, TableFormat, Verdict

#: Narrow no-break space, between a number and its unit.
THIN = "\u202f"

_RUN_STATES = {
    RunState.PREPARED: "ready to start",
    RunState.RUNNING: "running",
    RunState.CANCELLED: "cancelled",
    RunState.FAILED: "failed",
    RunState.FINISHED: "finished",
}
_ORIGINS = {
    "base": "untrained encoder",
    "training": "from a training run",
    "averaged": "from a training run, averaged with its start",
    "refit": "matcher fitted again",
}
_FIELDS = {
    "external_id": "Id",
    "title": "Title",
    "brand": "Brand",
    "model": "Model",
    "category": "Category",
    "price": "Price",
    "gtin": "Barcode (GTIN)",
    "description": "Description",
    "image": "Image",
}
_VERDICTS = {
    Verdict.MATCH: "match",
    Verdict.VARIANT: "variant",
    Verdict.NONE: "none of these",
    Verdict.NEW_ITEM: "new item",
    Verdict.UNSURE: "unsure",
    Verdict.BAD_LISTING: "bad listing",
}
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


def percent(share: float | None, digits: int = 0) -> str:
    """``0.583`` as ``58 %``; a dash for None."""
    return "–" if share is None else f"{100 * share:.{digits}f}{THIN}%"


def points(difference: float, digits: int = 1) -> str:
    """A difference of two shares in percentage points, signed."""
    value = round(100 * difference, digits)
    sign = "+" if value > 0 else "−" if value < 0 else "±"
    return f"{sign}{abs(value):.{digits}f}"


def count(number: int) -> str:
    """``1234`` as ``1,234``."""
    return f"{number:,}"


def counted(number: int, one: str, many: str = "") -> str:
    """``3 listings``, ``1 listing``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def when(moment: str) -> str:
    """An ISO moment in the reader's own time zone, as short as its age allows."""
    if not moment:
        return ""
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    local = at.astimezone()
    now = datetime.now(tz=UTC).astimezone()
    if local.date() == now.date():
        return f"today {local:%H:%M}"
    if local.year == now.year:
        return f"{local.day} {local:%b %H:%M}"
    return f"{local.day} {local:%b %Y}"


def seconds_since_epoch(moment: str) -> float:
    """An ISO moment as seconds since 1970 in UTC; a moment without a zone is UTC."""
    at = datetime.fromisoformat(moment)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def duration(seconds: float) -> str:
    """``95`` as ``1 min 35 s``, ``4000`` as ``1 h 7 min``."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    if minutes:
        return f"{minutes} min {rest} s" if minutes < 10 else f"{minutes} min"
    return f"{rest} s"


def run_state(state: RunState) -> str:
    """A training run's state in words."""
    return _RUN_STATES[state]


def origin(code: str) -> str:
    """A release's origin in words."""
    return _ORIGINS.get(code, code)


def field_name(field: str) -> str:
    """A record field in words."""
    return _FIELDS.get(field, field)


def table_format(read: TableFormat) -> str:
    """How a file was read, as ``CSV · UTF-8 · comma``."""
    parts = [read.kind.upper()]
    if read.encoding:
        parts.append(read.encoding.upper())
    if read.delimiter:
        parts.append(_DELIMITERS.get(read.delimiter, read.delimiter))
    return " · ".join(parts)


def verdict_words(verdict: Verdict) -> str:
    """A verdict in words."""
    return _VERDICTS[verdict]


def answer_words(decision: Decision) -> str:
    """A decision's verdict, and how many items are also right: ``match, 2 also right``."""
    also = f", {len(decision.also_right)} also right" if decision.also_right else ""
    return verdict_words(decision.verdict) + also
