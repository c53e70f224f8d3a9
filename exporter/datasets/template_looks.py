"""Looks of template cells: fonts, fills, borders and alignment in the terms of XlsxWriter."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping
from typing import Any

from openpyxl.styles.colors import COLOR_INDEX
from openpyxl.xml.functions import fromstring

_DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
#: Where a theme's colours are, in the order of their numbers (ECMA-376 part 1, §18.8.3).
_THEME = ("lt1", "dk1", "lt2", "dk2", *(f"accent{n}" for n in range(1, 7)), "hlink", "folHlink")
_VERTICAL = {"center": "vcenter", "justify": "vjustify", "distributed": "vdistributed"}
_HORIZONTAL = {"centerContinuous": "center_across", "general": None}
_LINES = {
    "thin": 1,
    "medium": 2,
    "dashed": 3,
    "dotted": 4,
    "thick": 5,
    "double": 6,
    "hair": 7,
    "mediumDashed": 8,
    "dashDot": 9,
    "mediumDashDot": 10,
    "dashDotDot": 11,
    "mediumDashDotDot": 12,
    "slantDashDot": 13,
}
_UNDERLINES = {"single": 1, "double": 2, "singleAccounting": 33, "doubleAccounting": 34}
#: What Excel means by text from top to bottom, letter below letter.
_STACKED = 255


class Looks:
    """How the cells of one workbook look, whose theme is this XML."""

    def __init__(self, theme: bytes | None) -> None:
        self._theme = _theme_colours(theme) if theme else {}

    def of(self, cell: Any) -> Mapping[str, Any]:
        """The format of `cell`; what it leaves out is as in any other cell."""
        look = {
            **self._font(cell.font),
            **self._fill(cell.fill),
            **self._border(cell.border),
            **_alignment(cell.alignment),
        }
        if cell.number_format != "General":
            look["num_format"] = cell.number_format
        return {name: value for name, value in look.items() if value not in (None, False)}

    def _font(self, font: Any) -> dict[str, Any]:
        return {
            "font_name": font.name,
            "font_size": font.sz,
            "bold": font.b,
            "italic": font.i,
            "font_strikeout": font.strike,
            "underline": _UNDERLINES.get(font.u),
            "font_color": self._colour(font.color),
        }

    def _fill(self, fill: Any) -> dict[str, Any]:
        # Patterns and gradients are not taken: their colours alone would look like something else.
        is_solid = fill.fill_type == "solid"
        return {"bg_color": self._colour(fill.fgColor) if is_solid else None}

    def _border(self, border: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for side in ("left", "right", "top", "bottom"):
            line = getattr(border, side)
            if line is not None and line.style:
                found[side] = _LINES.get(line.style, 1)
                found[f"{side}_color"] = self._colour(line.color)
        return found

    def _colour(self, colour: Any) -> str | None:
        if colour is None:
            return None
        if colour.type == "theme":
            base = self._theme.get(colour.theme)
        elif colour.type == "indexed":
            # The two behind the palette are those of the window, which every reader has.
            known = colour.indexed < len(COLOR_INDEX)
            base = COLOR_INDEX[colour.indexed][-6:] if known else None
        else:
            base = colour.rgb[-6:] if isinstance(colour.rgb, str) else None
        return None if base is None else "#" + _tinted(base, colour.tint or 0)


def _theme_colours(theme: bytes) -> dict[int, str]:
    scheme = fromstring(theme).find(f".//{_DRAWING}clrScheme")
    found = {}
    for number, name in enumerate(_THEME):
        element = scheme.find(f"{_DRAWING}{name}") if scheme is not None else None
        colour = element[0] if element is not None and len(element) else None
        if colour is not None and (value := colour.get("lastClr") or colour.get("val")):
            found[number] = value[-6:].upper()
    return found


def _tinted(rgb: str, tint: float) -> str:
    """`rgb` darker for a negative `tint`, lighter for a positive one (§18.8.19)."""
    if not tint:
        return rgb
    red, green, blue = (int(rgb[place : place + 2], 16) / 255 for place in (0, 2, 4))
    hue, light, saturation = colorsys.rgb_to_hls(red, green, blue)
    light = light * (1 + tint) if tint < 0 else light * (1 - tint) + tint
    parts = colorsys.hls_to_rgb(hue, min(max(light, 0), 1), saturation)
    return "".join(f"{round(part * 255):02X}" for part in parts)


def _alignment(alignment: Any) -> dict[str, Any]:
    across, turn = alignment.horizontal, alignment.textRotation or 0
    return {
        "align": _HORIZONTAL.get(across, across),
        "valign": _VERTICAL.get(alignment.vertical, alignment.vertical),
        "text_wrap": alignment.wrapText,
        "indent": int(alignment.indent) or None,
        "shrink": alignment.shrinkToFit,
        # Beyond 90, degrees count downwards.
        "rotation": (270 if turn == _STACKED else 90 - turn if turn > 90 else turn) or None,
    }
