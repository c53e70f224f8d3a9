"""Texts of what a file says about itself: the "About this export" sheet, and manifests."""

from __future__ import annotations

from collections.abc import Mapping

from waybill.exporter.datasets.texts import DEFAULT_LANGUAGE

_TEXTS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "sheet": "About this export",
        "export": "Export",
        "owner": "Requested by",
        "filters": "Filters",
        "no_filters": "none",
        "zone": "Time zone",
        "columns": "Columns",
        "sort": "Sorted by",
        "descending": "{column}, descending",
        "reason": "Reason",
        "task": "Task",
        "as_of": "Rows as of",
        "in_database": "Rows in the database",
        "rows_of": "Rows of {title}",
        "in_file": "Rows in this file",
        "unchanged": "Every value is in this file exactly as it was read.",
        "column": "Column",
        "change": "What was changed",
        "values": "Values",
        "separator": "; ",
        "pair": "{name}: {value}",
    },
    "zh": {
        "sheet": "导出说明",
        "export": "导出内容",
        "owner": "导出人",
        "filters": "筛选条件",
        "no_filters": "无",
        "zone": "时区",
        "columns": "列",
        "sort": "排序",
        "descending": "{column}（降序）",
        "reason": "导出原因",
        "task": "任务编号",
        "as_of": "数据时间",
        "in_database": "数据库中的行数",
        "rows_of": "“{title}”的行数",
        "in_file": "文件中的行数",
        "unchanged": "文件中的所有值均与读取时完全一致。",
        "column": "列",
        "change": "调整内容",
        "values": "值的数量",
        "separator": "；",
        "pair": "{name}：{value}",
    },
}


def about_text(language: str, key: str, **holes: str) -> str:
    """The text `key` in `language`, filled in; in English where there is none in that language."""
    return _TEXTS.get(language, _TEXTS[DEFAULT_LANGUAGE])[key].format(**holes)
