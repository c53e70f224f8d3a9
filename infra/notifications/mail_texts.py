"""The sentences of mails in each language. Names in braces are filled in."""

from __future__ import annotations

from collections.abc import Mapping

from waybill.infra.notifications.chinese_causes import CAUSES

#: The language of a mail whose reader's is unknown.
DEFAULT_LANGUAGE = "en"

_ENGLISH: Mapping[str, str] = {
    "subject_SUCCESS": "Export ready: {name}",
    "subject_FAILED": "Export failed: {name}",
    "subject_CANCELLED": "Export cancelled: {name}",
    "subject_paused": "Schedule paused: {name}",
    "subject_shared": "{owner} shares a file with you: {name}",
    "shared": "{owner} shares the file of an export with you.",
    "until": "Until: ",
    "subject_asked": "{owner} asks for your approval: {name}",
    "asked": "{owner} asks for an export that somebody has to approve.",
    "answer_until": "Answer until: ",
    "answer": "See the reason, and approve or decline:",
    "subject_merged": "{count} exports have ended",
    "own_SUCCESS": "Your export is ready.",
    "own_FAILED": "Your export could not be made.",
    "own_CANCELLED": "Your export was cancelled.",
    "other_SUCCESS": "An export is ready.",
    "other_FAILED": "An export could not be made.",
    "other_CANCELLED": "An export was cancelled.",
    "paused": "Your schedule has been paused. It does not run until you resume it.",
    "merged": "{count} exports have ended. They are in one mail because there were many in a short"
    " time.",
    "merged_more": "and {count} more",
    "file": "File: ",
    "export": "Export: ",
    "holds": "Holds: ",
    "holds_all": "everything, without filters",
    "filter": "{label}: {value}",
    "and": "; ",
    "cause": "Cause: ",
    "cause_of": "{message} ({code})",
    "cause_detail": "{message}",
    "cause_unknown": "{message} ({code})",
    "owner": "Owner: ",
    "task": "Task: ",
    "schedule": "Schedule: ",
    "open": "Open it in the task centre:",
    "download": "Download (log in first):",
    "opt_out": "You get this mail because somebody else asked for it. To get no more:",
}
_CHINESE: Mapping[str, str] = {
    "subject_SUCCESS": "导出完成：{name}",
    "subject_FAILED": "导出失败：{name}",
    "subject_CANCELLED": "导出已取消：{name}",
    "subject_paused": "定时任务已暂停：{name}",
    "subject_shared": "{owner} 与您共享了文件：{name}",
    "shared": "{owner} 与您共享了一个导出文件。",
    "until": "有效期至：",
    "subject_asked": "{owner} 请您审批：{name}",
    "asked": "{owner} 申请了一项需要审批的导出。",
    "answer_until": "请在此之前处理：",
    "answer": "查看申请理由并审批：",
    "subject_merged": "{count} 个导出任务已结束",
    "own_SUCCESS": "您的导出已完成。",
    "own_FAILED": "您的导出未能完成。",
    "own_CANCELLED": "您的导出已取消。",
    "other_SUCCESS": "有一个导出已完成。",
    "other_FAILED": "有一个导出未能完成。",
    "other_CANCELLED": "有一个导出已取消。",
    "paused": "您的定时任务已暂停，恢复之前不会再运行。",
    "merged": "{count} 个导出任务已结束。由于短时间内数量较多，合并为一封邮件通知您。",
    "merged_more": "另有 {count} 个",
    "file": "文件：",
    "export": "数据集：",
    "holds": "内容：",
    "holds_all": "全部数据，未设置筛选条件",
    "filter": "{label}：{value}",
    "and": "；",
    "cause": "原因：",
    "cause_of": "{cause}{remedy}（错误代码：{code}）",
    "cause_detail": "详细信息：{message}",
    "cause_unknown": "错误代码 {code}，详情请查看任务页面",
    "owner": "发起人：",
    "task": "任务编号：",
    "schedule": "定时任务：",
    "open": "在导出任务页面中查看：",
    "download": "下载文件（需先登录）：",
    "opt_out": "您收到此邮件，是因为有人将您设为收件人。如不希望再收到，请点击：",
}
MAIL_TEXTS: Mapping[str, Mapping[str, str]] = {"en": _ENGLISH, "zh": _CHINESE}


#: Codes whose remedy leaves it to the message what is wrong.
_NAMED_BY_MESSAGE = frozenset({"export_rejected", "invalid_request", "row_too_large"})


def texts_in(language: str | None) -> Mapping[str, str]:
    """The sentences in `language`, in English for one that there is not."""
    return MAIL_TEXTS.get(language or DEFAULT_LANGUAGE, _ENGLISH)


def cause_in(language: str | None, code: str, message: str) -> str:
    """Why an export failed or a schedule is paused, and what to do about it.

    `message` is in English and says more than its code. Chinese explains the code, and quotes the
    message where only that names what is wrong.
    """
    texts = texts_in(language)
    if texts is not _CHINESE:
        return code if not message else texts["cause_of"].format(message=message, code=code)
    if code not in CAUSES:
        return texts["cause_unknown"].format(code=code)
    cause, remedy = CAUSES[code]
    names = message and code in _NAMED_BY_MESSAGE
    detail = texts["cause_detail"].format(message=message) if names else ""
    return texts["cause_of"].format(cause=cause, remedy=remedy, code=code) + detail
