"""What a file really is, whatever its name says: container, text encoding, delimiter."""

from __future__ import annotations

import codecs
import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from charset_normalizer import from_bytes

from engine.errors import UnreadableTableError

#: Extension -> what the name promises. ``.txt`` promises text, whatever the delimiter.
KINDS = {
    ".csv": "csv",
    ".txt": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".parquet": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
SUPPORTED = "CSV, TSV, XLSX, Parquet or JSONL"
MAX_FILE_BYTES = 8 << 30
#: A spreadsheet is held in memory while it is read, so its unpacked size is limited (zip bombs).
MAX_UNPACKED_BYTES = 2 << 30
_SAMPLE_BYTES = 256 << 10
_CHUNK_BYTES = 1 << 20
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SIGNATURES = (
    (b"PAR1", "parquet"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole"),
    (b"\x1f\x8b", "gzip"),
    (b"%PDF", "pdf"),
    (b"SQLite format 3\x00", "sqlite"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!", "rar"),
)
_ADVICE = {
    "ole": "an old .xls or a password-protected workbook; save it as .xlsx without a password",
    "gzip": "a gzip archive; unpack it first",
    "zip": "a zip archive; unpack it first",
    "7z": "a 7z archive; unpack it first",
    "rar": "a rar archive; unpack it first",
    "ods": "an OpenDocument sheet; save it as .xlsx or .csv",
    "pdf": "a PDF document; export the table as CSV or XLSX",
    "sqlite": "an SQLite database; export the table as CSV",
    "html": "a web page; open it in a spreadsheet and save it as .xlsx or .csv",
    "xml": "an XML document; export the table as CSV or XLSX",
    "json": "one JSON document; write one JSON object a line and name it .jsonl",
    "binary": f"neither text nor a table Alcove knows; export it as {SUPPORTED}",
}
_CENTRAL_EUROPEAN = frozenset({"Czech", "Slovak", "Polish", "Hungarian", "Slovene", "Croatian", "Romanian"})
_LEGACY = ["cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "shift_jis", "gb18030", "euc_kr", "big5"]
_DELIMITERS = ",;\t|"


@dataclass(frozen=True, slots=True)
class TextFacts:
    """How a text file is read: Python codec, number of line ends, and whether bytes had to be replaced."""

    encoding: str
    lines: int
    damaged: int = 0


def sniff_kind(path: Path) -> str:
    """``csv``, ``tsv``, ``xlsx``, ``parquet`` or ``jsonl``, where name and content agree.

    Raises:
        UnreadableTableError: Not there, empty, too large, not a table, or not what the name says;
            the message says what the file is and what to do.
    """
    name = path.name
    try:
        if path.is_dir():
            raise UnreadableTableError(f"{path} is a folder; name a {SUPPORTED} file")
        size = path.stat().st_size
        with path.open("rb") as stream:
            head = stream.read(4096)
            stream.seek(max(0, size - 4))
            tail = stream.read(4)
    except FileNotFoundError:
        raise UnreadableTableError(f"there is no file {path}") from None
    except OSError as error:
        raise UnreadableTableError(f"{path} cannot be read: {error.strerror or error}") from error
    if not head.strip(b" \r\n\t\x00\xef\xbb\xbf"):
        raise UnreadableTableError(f"{name} is empty; there is nothing to import")
    if size > MAX_FILE_BYTES:
        raise UnreadableTableError(f"{name} is larger than {MAX_FILE_BYTES >> 30} GiB; split it")
    promised = KINDS.get(path.suffix.casefold(), "")
    found = _content_kind(path, head)
    if found == "parquet" and tail != b"PAR1":
        raise UnreadableTableError(f"{name} is a damaged or cut off Parquet file; write it again")
    if found in _ADVICE:
        raise UnreadableTableError(f"{name} is not a table: it is {_ADVICE[found]}")
    if found == "text":
        return _text_kind(name, promised)
    if promised and promised != found:
        raise UnreadableTableError(
            f"{name} is not what its name says: it holds {_worded(found)}; rename it to end in .{found}"
        )
    if found == "xlsx":
        _refuse_bombs(path)
    return found


def _text_kind(name: str, promised: str) -> str:
    if promised in {"xlsx", "parquet"}:
        raise UnreadableTableError(
            f"{name} is not what its name says: it holds delimited text; rename it to end in .csv"
        )
    if promised == "jsonl":
        raise UnreadableTableError(
            f"{name} is not what its name says: its first line is not a JSON object; "
            "if it is delimited text, rename it to end in .csv"
        )
    return promised or "csv"


def _worded(kind: str) -> str:
    words = {"xlsx": "an Excel workbook", "parquet": "a Parquet table", "jsonl": "JSON lines"}
    return words.get(kind, kind)


def _content_kind(path: Path, head: bytes) -> str:
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    if head.startswith(b"PK\x03\x04") or head.startswith(b"PK\x05\x06"):
        return _zip_kind(path)
    if any(head.startswith(bom) for bom, _ in _BOMS[1:]):
        return "text"
    if b"\x00" in head and not _guess_utf16(head):
        return "binary"
    start = head.removeprefix(codecs.BOM_UTF8).replace(b"\x00", b"").lstrip()
    lowered = start[:512].lower()
    if lowered.startswith((b"<!doctype html", b"<html", b"<table", b"<head")):
        return "html"
    if lowered.startswith(b"<?xml"):
        return "xml"
    if start.startswith(b"["):
        return "json" if re.match(rb"\[\s*[{\[\]]", start) else "text"
    if start.startswith(b"{"):
        return _braced_kind(path)
    return "text"


def _braced_kind(path: Path) -> str:
    """JSON lines if the first line is an object of its own; one document if it goes on over lines."""
    with path.open("rb") as stream:
        first = stream.readline(64 << 20).removeprefix(codecs.BOM_UTF8).strip()
    try:
        return "jsonl" if isinstance(json.loads(first), dict) else "text"
    except ValueError:
        return "json" if first in {b"{", b"{}"} or re.match(rb'\{\s*("[^"]*"\s*:|$)', first) else "text"


def _zip_kind(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            if "xl/workbook.xml" in names or "xl/workbook.bin" in names:
                return "xlsx"
            is_ods = "mimetype" in names and b"opendocument" in archive.read("mimetype")[:100]
            return "ods" if is_ods else "zip"
    except (zipfile.BadZipFile, OSError, RuntimeError):
        return "zip"


def _refuse_bombs(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    if unpacked > MAX_UNPACKED_BYTES:
        raise UnreadableTableError(
            f"{path.name} unpacks to {unpacked >> 20} MiB, more than {MAX_UNPACKED_BYTES >> 20}; "
            "save it as CSV"
        )


def detect_encoding(path: Path) -> TextFacts:
    """The encoding of a text file, from its byte order mark or from reading all of it once.

    UTF-8 is believed if every byte agrees (or one in 50 characters at most is broken: then those are
    replaced); everything else is Windows-1252 unless the text clearly reads as another code page.
    """
    with path.open("rb") as stream:
        head = stream.read(_SAMPLE_BYTES)
        for bom, codec in _BOMS:
            if head.startswith(bom):
                if codec == "utf-8-sig":
                    break
                return TextFacts(codec, _count_lines(path))
        else:
            if b"\x00" in head:
                return TextFacts(_guess_utf16(head) or "utf-8", _count_lines(path))
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    lines = good = bad = 0
    sample = b""
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            lines += chunk.count(b"\n")
            if chunk.isascii() and not decoder.getstate()[0]:
                continue
            text = decoder.decode(chunk)
            broken = len(re.findall("[\udc80-\udcff]", text))
            bad += broken
            good += len(text) - len(text.encode("ascii", "ignore")) - broken
            if len(sample) < _SAMPLE_BYTES:
                sample += b"\n".join(line for line in chunk.splitlines() if not line.isascii())
    codec = "utf-8-sig" if head.startswith(codecs.BOM_UTF8) else "utf-8"
    if not bad or good > 50 * bad:
        return TextFacts(codec, lines, bad)
    return TextFacts(_guess_legacy(sample[:_SAMPLE_BYTES]), lines)


def _count_lines(path: Path) -> int:
    with path.open("rb") as stream:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: stream.read(_CHUNK_BYTES), b""))


def _guess_utf16(head: bytes) -> str:
    """The byte order of UTF-16 without a mark, or ``""``: right, it is nearly all printable."""
    best, best_share = "", 0.9
    for codec in ("utf-16-le", "utf-16-be"):
        text = head[: len(head) // 2 * 2].decode(codec, "replace")
        usual = sum(character.isprintable() or character in "\r\n\t" for character in text)
        rare = sum(ord(character) >= 0x3400 for character in text) if "\n" not in text else 0
        share = (usual - rare) / max(1, len(text))
        if share > best_share:
            best, best_share = codec, share
    return best


def _guess_legacy(sample: bytes) -> str:
    found = {match.encoding: match for match in from_bytes(sample, cp_isolation=_LEGACY)}
    central = found.get("cp1250")
    if central and central.language in _CENTRAL_EUROPEAN:
        return "cp1250"
    others = [name for name in found if name not in {"cp1250", "cp1252"}]
    # The two Latin pages share most letters; without a language that says otherwise it is 1252.
    return "cp1252" if central or "cp1252" in found or not others else others[0]


def detect_delimiter(sample: str, promised: str) -> str:
    """The delimiter whose count is most regular over the first lines, quoted text left out.

    Args:
        sample: The beginning of the file, decoded.
        promised: ``tsv`` breaks ties for the tab.
    """
    marked = re.match(r'"?sep=(.)"?\r?\n', sample)
    if marked:
        return marked[1]
    best, best_rank = "\t" if promised == "tsv" else ",", (0.0, 0)
    for delimiter in _DELIMITERS:
        escaped = re.escape(delimiter)
        bare = re.sub(rf'(?:(?<=^)|(?<=[\r\n{escaped}]))"(?:[^"]|"")*(?:"|\Z)', "", sample)
        counts = [line.count(delimiter) for line in re.split(r"\r\n|\r|\n", bare)[:200] if line.strip()]
        if not counts or counts[0] == 0:
            continue
        regular = sum(count == counts[0] for count in counts[:-1] or counts) / len(counts[:-1] or counts)
        # The header decides between delimiters that are about as regular: titles are full of commas.
        rank = (round(regular, 1), counts[0] + (promised == "tsv" and delimiter == "\t") * 100)
        if rank > best_rank:
            best, best_rank = delimiter, rank
    return best
