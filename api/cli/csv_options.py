"""The CSV options of `waybill export`, as people type them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from waybill.exporter.errors import InvalidRequest
from waybill.exporter.formats.csv.options import CsvOptions

#: Delimiters by name, for shells in which they are hard to type.
_NAMED = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "pipe": "|"}
_SWITCH = {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}
#: What each option may be, for people.
_ALLOWED = {
    "profile": "excel, excel-semicolon or machine",
    "delimiter": "comma, semicolon, tab, pipe, or the character itself",
    "decimal": "point or comma: . or ,",
    "bom": "on or off",
    "guard": "on or off",
    "quoting": "text, minimal or all",
    "times": "iso or local",
}


def read_csv_options(profile: str | None, pairs: Sequence[str]) -> CsvOptions | None:
    """The options in ``--csv-profile`` and each ``--csv key=value``; None where there are none.

    Raises:
        InvalidRequest: there is no such option, or it cannot have this value.
    """
    asked: dict[str, Any] = {} if profile is None else {"profile": profile}
    for pair in pairs:
        name, separator, text = pair.partition("=")
        if not separator or name not in _ALLOWED:
            raise InvalidRequest(f"--csv takes key=value; the keys are {', '.join(_ALLOWED)}.")
        if name in asked:
            raise InvalidRequest(f"--csv {name} is given twice.")
        asked[name] = _value(name, text)
    if not asked:
        return None
    try:
        return CsvOptions(**asked)
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        raise InvalidRequest(f"CSV {name} has to be {_ALLOWED[name]}.") from None


def _value(name: str, text: str) -> object:
    if name in ("bom", "guard"):
        return _SWITCH.get(text.lower(), text)
    if name == "delimiter":
        return _NAMED.get(text.lower(), text)
    return {"point": ".", "comma": ","}.get(text, text) if name == "decimal" else text
