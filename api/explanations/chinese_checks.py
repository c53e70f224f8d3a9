"""Cause and remedy of the codes of `waybill doctor`, in Chinese."""

from __future__ import annotations

from collections.abc import Mapping

CHECKS: Mapping[str, tuple[str, str]] = {
    "clock_skew": (
        "本机时钟与任务数据库或对象存储的时钟不一致。",
        "请让它们与时间服务器同步。签名链接和令牌都依赖准确的时间。",
    ),
    "insecure_installation": (
        "某个密钥是示例值或容易被猜到，或者存储桶对所有人开放。",
        "请更换密钥，或关闭存储桶的公开访问；具体项见错误信息。",
    ),
    "link_unreachable": (
        "从此处无法访问签名链接中的主机。",
        "请将 WAYBILL_S3_PUBLIC_ENDPOINT_URL 设为浏览器可以访问的主机。",
    ),
    "mail_unreachable": (
        "邮件服务器不接受 Waybill 的邮件。",
        "请确认它在 WAYBILL_SMTP_URL 的地址上运行，并检查其中的用户名和密码。",
    ),
    "no_worker": (
        "有导出在等待，但没有工作进程处理该队列。",
        "请为该队列启动工作进程：waybill worker --queue NAME。",
    ),
    "rights_missing": (
        "当前凭证缺少对存储桶的某项权限，消息中已指明。",
        "请授予 docs/stores.md 中列出的权限。",
    ),
    "topology_missing": (
        "RabbitMQ 中缺少 Waybill 的交换机或队列。",
        "请用拥有 configure 权限的用户运行 `waybill topology`。",
    ),
    "wrong_region": (
        "存储桶所在的区域与链接签名使用的区域不一致。",
        "请将 WAYBILL_S3_REGION 设为存储桶所在的区域，或删除该设置。",
    ),
}
