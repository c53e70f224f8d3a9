"""Texts about passwords of files, in Chinese."""

from __future__ import annotations

from collections.abc import Mapping

CHINESE_PASSWORDS: Mapping[str, str] = {
    "password_label": "设置密码保护",
    "password_help": "文件将打包为加密 zip（AES-256），可用 7-Zip、WinZip 或 Keka 打开。"
    "密码只显示一次。",
    "password_always": "该数据集的文件均需加密，密码只在开始导出后显示一次。",
    "password_title": "文件密码",
    "password_once": "请立即保存：密码只显示这一次，系统不会存储。如密码遗失，请再次导出，"
    "新文件会使用新密码。",
    "password_copy": "复制",
    "password_copied": "已复制",
    "password_by_hand": "请手动复制",
    "password_done": "我已保存",
    "password_gone": "此导出已经开始过，密码无法再次显示。如未保存密码，请再次导出。",
    "detail_password": "密码保护",
    "detail_password_kept": "已用 AES-256 加密，密码只显示过一次",
}
