"""Texts about fields and sharing, in simplified Chinese: lists, periods, values, CSV, mails."""

from __future__ import annotations

from collections.abc import Mapping

CHINESE_FIELDS: Mapping[str, str] = {
    "list_count": "共 {count} 个值",
    "list_count_one": "共 {count} 个值",
    "list_more": "{values} 等，另有 {count} 个",
    "list_twice": "有重复：{values}",
    "list_unique": "去除重复",
    "list_file": "从文件添加…",
    "list_file_of": "包含“{label}”的文件",
    "list_too_large": "文件超过 5 MB。",
    "range_label": "时间范围",
    "range_any": "不限",
    "range_own": "自定义",
    "range_backwards": "结束日期早于开始日期",
    "period_this_year": "今年",
    "choices_alike": "数据中没有“{value}”。您是否要找",
    "choices_none": "数据中没有“{value}”。",
    "csv_more": "更多 CSV 选项",
    "csv_as_style": "与样式一致",
    "csv_delimiter": "分隔符",
    "csv_delimiter_1": "逗号",
    "csv_delimiter_2": "分号",
    "csv_delimiter_3": "制表符",
    "csv_delimiter_4": "竖线",
    "csv_decimal": "小数点",
    "csv_decimal_1": "句点",
    "csv_decimal_2": "逗号",
    "csv_bom": "字节顺序标记",
    "csv_bom_1": "写入",
    "csv_bom_2": "不写入",
    "csv_bom_help": "Excel 需要此标记才能正确显示中文；部分程序无法识别此标记。",
    "csv_same_signs": "分隔符与小数点相同，请修改其中一个",
    # Sharing by mail.
    "share_to": "将链接发送给",
    "share_send": "发送",
    "share_sent": "链接即将发送至 {address}。",
    "link_to": "已发送给 {address}",
    "bad_email": "请输入邮箱地址",
    "shared_title": "与我共享的文件",
    "shared_who": "{user} 共享于{time}",
    "shared_until": "有效期至 {time}",
}
