"""Cause and remedy of the error codes of saved exports and schedules, in simplified Chinese."""

from __future__ import annotations

from collections.abc import Mapping

SCHEDULES: Mapping[str, tuple[str, str]] = {
    "saved_export_not_found": (
        "没有此 ID 的已保存导出，或者它未与您共享。",
        "请查看已保存导出的列表。",
    ),
    "schedule_not_found": (
        "没有此 ID 的定时任务，或者它属于其他用户。",
        "请查看定时任务列表。",
    ),
    "name_taken": (
        "您已有同名的已保存导出。",
        "请换一个名称，或修改现有的那一个。",
    ),
    "too_many_saved_exports": (
        "您的已保存导出已达上限。",
        "请删除不再需要的已保存导出。",
    ),
    "too_many_schedules": (
        "您的定时任务已达上限。",
        "请删除不再需要的定时任务。",
    ),
    "changed_meanwhile": (
        "在您读取之后，其他人修改了它。",
        "请重新读取，然后再次修改。",
    ),
    "schedule_busy": (
        "此定时任务的上一次运行尚未结束。",
        "请等待其结束。在此期间到点的运行会被跳过。",
    ),
}
