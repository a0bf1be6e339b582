"""What may help with rows that could not be read: only what fits the file as far as it has been seen."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from bookcore.cli.faults import CLOSED_HINT
from bookcore.cli.options import Options
from bookcore.tables import KeyKind, KeyReader, Reason

__all__ = ["tips"]

_OPEN = "if a missing start or end means for ever:  --open-ends"
_FORMATS = {
    KeyKind.DATE: "%d/%m/%Y",
    KeyKind.TIME: "%d/%m/%Y %H:%M",
    KeyKind.ZONED: "%d/%m/%Y %H:%M %z",
}


def tips(
    options: Options, keys: KeyReader | None, reasons: Collection[Reason], *, nothing_loaded: bool
) -> list[str]:
    """Return advice for the *reasons* why rows were left out, each piece once."""
    return list(dict.fromkeys(_tips(options, keys, reasons, nothing_loaded)))


def _tips(
    options: Options, keys: KeyReader | None, reasons: Collection[Reason], nothing_loaded: bool
) -> Iterator[str]:
    for reason in reasons:
        match reason:
            case Reason.NO_START | Reason.NO_END | Reason.NO_SPAN:
                yield _OPEN
            case Reason.NOT_TEXT if options.encoding.lower() in ("utf-8", "utf8"):
                yield "if the text is not UTF-8:  --encoding latin-1"
            case Reason.TOO_MANY:
                yield "how many fit at one time:  --capacity N"
            case Reason.EMPTY:
                yield CLOSED_HINT
            case Reason.MIXED_ZONES if keys is not None and keys.date_format is None:
                if keys.kind is not KeyKind.ZONED:
                    yield "to take those with a zone:  --keys zoned"
                else:
                    yield "to take those without a zone:  --keys datetime"
            case Reason.UNREADABLE if keys is not None and nothing_loaded:
                # where rows were loaded, another kind or format would lose them
                yield from _other_keys(keys)


def _other_keys(keys: KeyReader) -> Iterator[str]:
    """Yield how keys might be read of which not one could be."""
    (what, _), *_ = keys.refused.most_common(1) or [("", 0)]
    if what in (KeyKind.INT, KeyKind.FLOAT, KeyKind.DATE, KeyKind.TIME, KeyKind.ZONED):
        if keys.date_format is not None:
            yield "they are read without a format:  leave --date-format out"
        elif what != keys.kind:
            yield f"if they are {KeyKind(what).plural}:  --keys {what}"
    elif what == "like a time" and keys.kind in _FORMATS:
        yield f"if they are written otherwise:  --date-format '{_FORMATS[keys.kind]}'"
