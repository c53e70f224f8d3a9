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
    "owner_not_seen": (
        "定时任务的所有者已很久没有访问，无法确认其是否仍有导出权限。",
        "请所有者登录后恢复任务。如所有者已离职，请由同事另建定时任务。",
    ),
    "owner_revoked": (
        "定时任务所有者的访问权限已被撤销。",
        "如仍需保留其权限，请所有者重新登录并恢复任务。",
    ),
    "saved_export_gone": (
        "此定时任务的已保存导出已被删除，或不再共享。",
        "请为定时任务选择其他已保存导出，或删除该任务。",
    ),
    "failed_too_often": (
        "此定时任务连续多次运行失败。",
        "请查看失败的导出并排除原因，然后恢复任务。",
    ),
}
