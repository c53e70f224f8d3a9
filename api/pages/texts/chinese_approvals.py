"""Texts about reasons and approvals, in Chinese."""

from __future__ import annotations

from collections.abc import Mapping

CHINESE_APPROVALS: Mapping[str, str] = {
    "reason_label": "申请理由",
    "reason_help": "请说明文件用途，将随导出一并留存。",
    "approval_hint": "此导出须经他人审批后才会开始。",
    "watermark_hint": "文件中会标注您的姓名，请勿外传。",
    "detail_reason": "申请理由",
    "detail_approval": "审批",
    "approval_asked": "审批中，{time} 前未处理将自动结束",
    "approval_approved": "{user} 于 {time} 批准",
    "approval_declined": "{user} 于 {time} 驳回",
    "approval_expired": "无人审批，已超时",
    "approval_note": "备注：{note}",
    "status_APPROVAL": "待审批",
    "waiting_for_approval": "自 {time} 起等待审批。",
    "approval_until": "审批通过后会自动开始；{time} 前未处理将自动结束。",
    "approvals_title": "待我审批",
    "approvals_who": "{user} 申请于{time}",
    "approvals_until": "请在 {time} 前处理",
    "approvals_no_filters": "全部数据，未设置筛选条件",
    "approvals_columns": "列：{columns}",
    "approvals_note": "给 {user} 的备注",
    "approvals_approve": "批准",
    "approvals_decline": "驳回",
    "approvals_of": "{action}：{user} 的{title}",
    "approvals_approved": "已批准，{user} 的导出即将开始。",
    "approvals_declined": "已驳回，系统会通知 {user}。",
    "approvals_new": "{user} 请您审批：{title}",
    "approvals_more": "还有更多申请，处理完以上内容后显示。",
}
