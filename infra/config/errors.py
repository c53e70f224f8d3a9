"""The error of an unusable setting, in a module that loads no settings."""

from __future__ import annotations

from waybill.exporter.errors import InvalidRequest


class BadSettings(InvalidRequest):
    """A setting cannot be used. The message names it and never repeats its value."""

    code = "bad_settings"
