"""Cause and remedy of each error code, in simplified Chinese."""

from __future__ import annotations

from collections.abc import Mapping

from waybill.api.explanations.chinese_checks import CHECKS
from waybill.api.explanations.chinese_schedules import SCHEDULES
from waybill.infra.notifications.chinese_causes import CAUSES

CHINESE: Mapping[str, tuple[str, str]] = {
    "address_in_use": (
        "该地址已被其他程序占用。",
        "请停止该程序，或用 --port 指定其他端口。",
    ),
    "backlog_full": (
        "消息代理长时间不可用，暂不接受新的导出。",
        "已接受的导出不会丢失。请在 `Retry-After` 指定的时间后重试，并通知运维人员。",
    ),
    "audit_log_changed": (
        "审计日志与其校验点不一致，或其触发器缺失。",
        "请查明是谁改动了它：与备份以及 worker 日志中的校验值进行比对。",
    ),
    "bad_broker_url": (
        "消息代理的地址无效。",
        "请将 WAYBILL_AMQP_URL 设为 amqp://用户:密码@主机/虚拟主机 的形式。集群可写多个地址，"
        "但虚拟主机须相同：amqp://用户:密码@a:5672,b:5672/虚拟主机。",
    ),
    "bad_cursor": (
        "该游标属于其他列表、筛选条件或用户。",
        "请不带游标，从头读取列表。",
    ),
    "bad_json": (
        "请求体不是有效的 JSON，或存在歧义。",
        "请按提示修改请求体。",
    ),
    "bad_message": (
        "队列中有一条消息已损坏，或不是由 Waybill 发送的。",
        "请用 `waybill dead-letters show` 查看，并找出向该队列发送消息的程序。",
    ),
    "bad_notify": (
        "无法向该目标发送通知。",
        "消息中说明了原因。请移除 `notify`，或更换目标。",
    ),
    "bad_opt_out_link": (
        "此退订链接无效。",
        "请从邮件中复制完整的链接。",
    ),
    "bad_request": (
        "无法解析该请求。",
        "请对照 /openapi.json 中的接口说明。",
    ),
    "bad_settings": (
        "某项设置的值无效，或该设置不存在。",
        "请修改消息中指出的设置。全部设置见 docs/settings.md。",
    ),
    "broker_refused": (
        "RabbitMQ 不允许我们的用户执行所需操作。",
        "请为 WAYBILL_AMQP_URL 的用户授予提示中所说的权限。"
        "若不授予配置权限，请用拥有该权限的用户运行 `waybill topology`。",
    ),
    "broker_unavailable": (
        "RabbitMQ 没有响应。",
        "请确认它正在运行，且 WAYBILL_AMQP_URL 指向它。任务不会丢失。",
    ),
    "broker_unsupported": (
        "此版本的 RabbitMQ 缺少 Waybill 所需的功能。",
        "请使用 RabbitMQ 3.10 至 4.x。",
    ),
    "clock_wrong": (
        "某个工作进程的时钟不准，对象存储拒绝了它的请求。",
        "请校准该机器的时钟，然后重新启动工作进程。其他工作进程不受影响。",
    ),
    "consumers_lost": (
        "RabbitMQ 关闭了工作进程的消费者。",
        "工作进程会自动重连。如未恢复，请查看消息代理的日志。",
    ),
    "queue_unconfirmed": (
        "RabbitMQ 的一个工作队列不确认任何消息。",
        "请用 `rabbitmq-queues quorum_status` 查看其成员，并启动离线的节点。已接受的导出会等待。",
    ),
    "content_too_large": (
        "请求体过大。",
        "请只发送名称和参数。导出请求通常很小。",
    ),
    "daily_rows_exceeded": (
        "此用户或组织今天导出的行数已达上限。",
        "请明天（UTC）再试，或请运维人员提高上限。",
    ),
    "database_not_migrated": (
        "Waybill 自身的数据表不存在，或版本不符。",
        "请运维人员用提供服务的版本运行 `waybill migrate`。",
    ),
    "database_read_only": (
        "Waybill 自身的数据库不接受写入：它是备库，或被设为只读。",
        "请一分钟后重试。如问题持续，请运维人员将 WAYBILL_DATABASE_URL 指向主库。",
    ),
    "dead_letter_not_found": (
        "没有这个编号的死信。",
        "请查看列表。它可能已被重放或删除。",
    ),
    "demo_failed": (
        "演示未能完成。",
        "消息指出了失败的步骤。`waybill doctor` 可检查运行条件。",
    ),
    "demo_not_installed": (
        "演示所需的软件包尚未安装。",
        "请运行 `make setup`。",
    ),
    "embedded_server": (
        "本地 S3 服务器无法启动。",
        "请查看 WAYBILL_HOME 下的日志，或用 WAYBILL_S3_ENDPOINT_URL 指定其他存储。",
    ),
    "file_expired": (
        "文件已过保留期并被删除。",
        "请重新导出，以获得包含最新数据的文件。",
    ),
    "file_not_ready": (
        "此导出没有文件：仍在运行，或结束时未生成文件。",
        "请等待完成。如已失败，请重新导出。",
    ),
    "file_not_written": (
        "无法在本机写入文件。",
        "请确认目录存在、可写且空间充足。",
    ),
    "foreign_origin": (
        "请求来自其他网站的页面，或者代理改写了 Waybill 页面的地址。",
        "请使用 Waybill 自己的页面，或用令牌代替会话 Cookie。如果您就在该页面上，"
        "请运维人员将 WAYBILL_PUBLIC_URL 设为页面的地址。",
    ),
    "http_error": (
        "请求被拒绝。状态码说明了原因。",
        "请对照 /openapi.json 中的接口说明检查请求。",
    ),
    "idempotency_mismatch": (
        "此 Idempotency-Key 已用于另一个不同的请求。",
        "新的请求请使用新的键。",
    ),
    "identity_provider_down": (
        "验证登录的身份提供方没有响应。",
        "请一分钟后重试。如问题持续，请通知运维人员。",
    ),
    "lease_lost": (
        "此工作进程长时间没有响应，任务已由另一个工作进程接管。",
        "无需处理，任务会继续运行。",
    ),
    "link_not_found": (
        "此链接不存在或已失效。",
        "请向发送者索取新的链接。",
    ),
    "method_not_allowed": (
        "该地址不支持此方法。",
        "请使用 Allow 标头中列出的方法。",
    ),
    "not_found": (
        "该地址没有内容。",
        "请检查地址。",
    ),
    "not_json": (
        "请求体不是 application/json。",
        "请以此类型发送 JSON，且不要压缩。",
    ),
    "not_now": (
        "同时发出的请求过多。",
        "请在 `Retry-After` 指定的时间后重试。",
    ),
    "overloaded": (
        "请求过多，服务器无法及时处理。",
        "此请求未被执行。请在 `Retry-After` 指定的时间后重新发送。",
    ),
    "prefetch_refused": (
        "浏览器尝试预取分享链接，而每次访问都会计入使用次数。",
        "请点击该链接。",
    ),
    "request_timeout": (
        "请求未能在规定时间内到达。",
        "请重新发送。如果仍然很慢，请检查网络以及沿途的代理。",
    ),
    "revocations_unread": (
        "尚未能从任务数据库读取已撤销的登录凭证列表。",
        "请一分钟后重试。如问题持续，请通知运维人员。",
    ),
    "runs_alone": (
        "下一个导出上次运行时工作进程丢失，需要单独运行。",
        "无需处理。该工作进程的其他导出结束后会自动开始。",
    ),
    "stopped": (
        "本次尝试在文件完成前被停止。",
        "无需处理，任务会自动继续。",
    ),
    "task_conflict": (
        "导出的当前状态不允许此操作。",
        "请重新查看其状态，它可能已经改变。",
    ),
    "task_not_found": (
        "您没有这个导出。",
        "请检查 ID。已删除的导出和其他用户的导出不可见。",
    ),
    "token_in_query": (
        "地址中含有访问令牌，而地址会被记入日志。",
        "请在 Authorization 标头中发送令牌。",
    ),
    "too_many_exports": (
        "此用户或组织排队和运行中的导出过多。",
        "请等待其中一些结束，或取消不需要的导出。",
    ),
    "too_many_links": (
        "此导出的分享链接已达上限。",
        "请使用已有的链接，或重新导出后分享新的导出。",
    ),
    "too_many_streams": (
        "您打开的事件流过多。",
        "请关闭其他页面，或用一个事件流查看全部导出。",
    ),
    "preview_left": (
        "已无人等待此预览。",
        "请重新预览。",
    ),
    "preview_too_slow": (
        "读取前几行数据用时过长。",
        "请缩小筛选范围后重试。这不影响导出本身。",
    ),
    "preview_unavailable": (
        "暂时无法读取前几行数据。",
        "请稍后重试。如果问题持续，请联系运维人员检查源数据库。",
    ),
    "too_many_previews": (
        "您请求预览过于频繁。",
        "请稍候再试，Retry-After 给出需要等待的秒数。",
    ),
    "too_many_submits": (
        "您或您的组织新建导出过于频繁。",
        "请稍候再重新提交，Retry-After 给出需要等待的秒数。",
    ),
    "try_later": (
        "消息到达过早，或此工作进程正忙。",
        "无需处理，消息会再次投递。",
    ),
    "unauthenticated": (
        "您尚未登录，或令牌已失效。",
        "请重新登录，或发送有效的令牌。",
    ),
    "worker_stopping": (
        "工作进程正在关闭。",
        "无需处理，另一个工作进程会重新开始任务。",
    ),
    **CAUSES,
    **CHECKS,
    **SCHEDULES,
}
