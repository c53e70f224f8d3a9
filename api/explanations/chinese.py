"""Cause and remedy of each stable code, in Chinese."""

from __future__ import annotations

from collections.abc import Mapping

CHINESE: Mapping[str, tuple[str, str]] = {
    "address_in_use": ("该地址已被其他程序占用。", "请结束该程序，或用 --port 换一个端口。"),
    "backlog_full": (
        "消息队列长时间不可用，暂不接受新的导出。",
        "已接受的导出不会丢失。请按 Retry-After 的提示稍后再试，并告知运维人员。",
    ),
    "bad_broker_url": (
        "无法解析消息代理的地址。",
        "请把 WAYBILL_AMQP_URL 写成 amqp://用户:密码@主机/虚拟主机 的形式。",
    ),
    "bad_cursor": ("该游标属于另一个列表、筛选条件或用户。", "请不带游标重新读取列表。"),
    "bad_json": ("请求体不是有效的 JSON，或含义不唯一。", "请按提示修正请求体。"),
    "bad_message": (
        "队列中的一条消息不是由 Waybill 发出的，或已损坏。",
        "请用 `waybill dead-letters show` 查看，并找出是谁向该队列发送消息。",
    ),
    "bad_notify": (
        "无法按要求的方式发送通知。",
        "消息中说明了原因；请去掉 notify，或换一个地址。",
    ),
    "bad_request": ("无法读取该请求。", "请对照 /openapi.json 中的接口说明。"),
    "bad_settings": (
        "某项设置的值不可用，或该设置不存在。",
        "请修正提示中的设置；全部设置见 docs/settings.md。",
    ),
    "broker_unavailable": (
        "RabbitMQ 没有响应。",
        "请确认它正在运行，且 WAYBILL_AMQP_URL 指向它。期间不会丢失任何任务。",
    ),
    "broker_unsupported": ("此版本的 RabbitMQ 缺少所需功能。", "请使用 RabbitMQ 3.10 至 4.x。"),
    "cancelled": ("有人取消了此导出。", "没有故障。如仍需要文件，请重新开始。"),
    "checksum_mismatch": (
        "对象存储收到的数据与发送的不一致。",
        "请重试。如经常发生，请运维人员检查网络和存储。",
    ),
    "clock_skew": ("本机与对象存储的时钟不一致。", "请让两者与时间服务器同步；签名链接依赖时钟。"),
    "consumers_lost": (
        "RabbitMQ 关闭了工作进程的消费者。",
        "工作进程会自动重新连接。如没有恢复，请查看消息代理的日志。",
    ),
    "content_too_large": ("请求体过大。", "只需发送名称和参数；导出请求很小。"),
    "daily_rows_exceeded": (
        "此用户或组织今天导出的行数已达上限。",
        "请明天（按 UTC）再试，或请运维人员提高上限。",
    ),
    "database_unavailable": (
        "Waybill 自身的数据库没有响应。",
        "请一分钟后重试。如持续如此，请通知运维人员。",
    ),
    "dead_letter_not_found": ("没有这个编号的死信。", "请查看列表；它可能已被重放或删除。"),
    "demo_failed": ("演示没有完成。", "提示说明了停在哪一步；`waybill doctor` 可检查所需条件。"),
    "demo_not_installed": ("演示所需的软件包没有安装。", "请运行 `make setup`。"),
    "embedded_server": (
        "本地 S3 服务器无法启动。",
        "请查看 WAYBILL_HOME 下的日志，或用 WAYBILL_S3_ENDPOINT_URL 指定其他存储。",
    ),
    "export_rejected": ("无法按要求进行此导出。", "请按提示修改请求。同样的请求会再次失败。"),
    "file_expired": ("文件已过保留期，已被删除。", "请重新运行导出，以获得包含最新数据的文件。"),
    "file_not_ready": (
        "此导出没有文件：仍在运行，或已结束但没有生成文件。",
        "请等待完成；如已失败，请重新开始。",
    ),
    "file_not_written": ("无法在本机写入文件。", "请确认目录存在、可写且有足够空间。"),
    "foreign_origin": (
        "请求来自其他网站的页面。",
        "请使用 Waybill 自己的页面，或改用令牌而不是会话。",
    ),
    "http_error": ("请求被拒绝；状态码说明了原因。", "请对照 /openapi.json 中的接口说明。"),
    "idempotency_mismatch": (
        "此 Idempotency-Key 已用于另一个请求。",
        "新的请求请使用新的键。",
    ),
    "identity_provider_down": (
        "验证登录的服务没有响应。",
        "请一分钟后重试。如持续如此，请通知运维人员。",
    ),
    "incomplete_export": (
        "文件中的行与数据库中的行不一致，因此没有保留文件。",
        "请重试。如再次同样失败，请报告：这不应发生。",
    ),
    "internal_error": (
        "发生了意料之外的错误。",
        "请重试。如再次失败，请附上导出或请求的编号报告。",
    ),
    "invalid_filename": ("文件名包含不能使用的字符。", "请换一个文件名。"),
    "invalid_request": ("请求中有不能使用的值。", "请修正提示中的字段。"),
    "lease_lost": (
        "此工作进程长时间没有响应，任务已由另一个接手。",
        "无需处理；任务在那里继续。",
    ),
    "limit_exceeded": (
        "导出超出了该格式或存储的容量。",
        "请缩小筛选范围，或选择没有此限制的格式，例如 csv.gz 或 parquet。",
    ),
    "link_not_found": ("此链接不存在，或已不能使用。", "请向发送者索取新的链接。"),
    "link_unreachable": (
        "从这里无法访问签名链接中的主机。",
        "请把 WAYBILL_S3_PUBLIC_ENDPOINT_URL 设为浏览器能访问的主机。",
    ),
    "method_not_allowed": ("该地址不支持此方法。", "请使用 Allow 头中列出的方法。"),
    "not_found": ("该地址没有内容。", "请检查地址。"),
    "not_json": ("请求体不是 application/json。", "请以此类型发送 JSON，且不要压缩。"),
    "not_now": ("一次请求的内容过多。", "请按 Retry-After 的提示稍后再试。"),
    "out_of_memory": (
        "工作进程内存不足。",
        "请在任务较少时重试。如反复发生，请运维人员增加内存。",
    ),
    "permission_denied": (
        "您没有所需的角色。",
        "请向管理员申请该角色。没有它，同样的请求会再次失败。",
    ),
    "prefetch_refused": ("浏览器预取了一个按点击计数的分享链接。", "请点击该链接。"),
    "read_cancelled": ("在读到最后一行之前，读取被终止。", "请重试。"),
    "source_error": ("无法从数据库读取数据。", "请重试。如再次失败，请通知数据库负责人。"),
    "source_rejected": (
        "数据库拒绝了该数据集的查询。",
        "请通知该数据集的负责人；同样的请求会再次失败。",
    ),
    "source_unavailable": (
        "目前无法读取存放数据的数据库。",
        "请稍后重试。如持续如此，请通知数据库负责人。",
    ),
    "stalled": (
        "导出长时间没有进展，已被终止。",
        "请重试。如反复发生，请缩小筛选范围或通知运维人员。",
    ),
    "stopped": ("文件完成之前，本次尝试被迫结束。", "无需处理；任务会自动继续。"),
    "storage_config": (
        "对象存储拒绝了 Waybill 的凭据，或没有该存储桶。",
        "请通知运维人员。修复后再重新开始导出。",
    ),
    "storage_error": ("对象存储拒绝了该文件。", "请重试。如再次失败，请通知运维人员。"),
    "storage_unavailable": (
        "无法连接对象存储，或它已过载。",
        "请稍后重试。如持续如此，请通知运维人员。",
    ),
    "task_conflict": ("导出目前的状态不允许此操作。", "请重新查看其状态；它可能已经改变。"),
    "task_not_found": ("您没有这个导出。", "请检查编号。他人的和已删除的导出无法查看。"),
    "token_in_query": ("地址中含有访问令牌，会被写入日志。", "请放在 Authorization 头中发送。"),
    "too_many_exports": (
        "此用户或组织正在等待和运行的导出过多。",
        "请等其中一些结束，或取消不需要的导出。",
    ),
    "too_many_links": (
        "此导出的分享链接已达上限。",
        "请使用已有的链接；重新运行的导出可以另外分享。",
    ),
    "too_many_streams": (
        "您打开的事件流过多。",
        "请关闭其他页面，或用一个事件流查看全部导出。",
    ),
    "try_later": ("消息到得太早，或此工作进程已满。", "无需处理；消息会再次送达。"),
    "unauthenticated": ("您没有登录，或令牌已失效。", "请重新登录，或发送有效的令牌。"),
    "unknown_dataset": ("没有这个名称的数据集，或它已不再提供。", "请从数据集列表中选择。"),
    "upload_conflict": ("上传完成之前被其他操作终止。", "请重试。"),
    "upload_too_large": (
        "文件超出了对象存储的上限。",
        "请缩小筛选范围，或选择更小的格式，例如 csv.gz 或 parquet。",
    ),
    "worker_lost": (
        "运行此导出的工作进程没有响应。",
        "请重试。如反复发生，请运维人员检查工作进程是否内存不足。",
    ),
    "worker_stopping": ("工作进程正在关闭。", "无需处理；另一个会重新开始任务。"),
}
