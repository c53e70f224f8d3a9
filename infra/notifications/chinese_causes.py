"""Causes and remedies in mails, in simplified Chinese: of failed exports and paused schedules.

The page and the API explain these codes with the same words; the messages of errors are English.
"""

from __future__ import annotations

from collections.abc import Mapping

CAUSES: Mapping[str, tuple[str, str]] = {
    "approval_declined": (
        "您的申请未获批准。",
        "请与审批人沟通，补充理由后可以重新申请。",
    ),
    "approval_expired": (
        "审批超时，申请已自动结束。",
        "请重新运行该导出以再次申请，并提醒审批人处理。",
    ),
    "approval_needed": (
        "该数据集的内容须经审批后才能查看。",
        "请直接提交导出，审批通过后会自动开始。",
    ),
    "cancelled": (
        "导出已取消。",
        "没有故障。如仍需要文件，请重新导出。",
    ),
    "checksum_mismatch": (
        "对象存储收到的数据与发送的不一致。",
        "请重试。如经常发生，请运维人员检查网络和对象存储。",
    ),
    "database_unavailable": (
        "Waybill 自身的数据库没有响应。",
        "请一分钟后重试。如问题持续，请通知运维人员。",
    ),
    "export_rejected": (
        "无法按请求进行导出。",
        "请按提示修改请求。相同的请求会再次失败。",
    ),
    "file_missing": (
        "文件已不在对象存储中：它被 Waybill 以外的操作删除或替换了。",
        "请重新导出，以获得包含最新数据的文件。",
    ),
    "incomplete_export": (
        "文件中的行与数据库中的行不一致，因此文件已被丢弃。",
        "请重试。如再次出现同样的错误，请报告：这不应发生。",
    ),
    "internal_error": (
        "发生意外错误。",
        "请重试。如再次失败，请附上导出或请求的 ID 进行报告。",
    ),
    "invalid_filename": (
        "文件名包含不允许使用的字符。",
        "请更换文件名。",
    ),
    "invalid_request": (
        "请求中包含无效的值。",
        "请修改消息中指出的字段。",
    ),
    "limit_exceeded": (
        "导出超出了该格式或对象存储的上限。",
        "请缩小筛选范围，或选择没有此限制的格式，例如 csv.gz 或 parquet。",
    ),
    "out_of_memory": (
        "工作进程内存不足。",
        "请在运行的导出较少时重试。如反复发生，请运维人员增加内存。",
    ),
    "password_lost": (
        "由该文件密码生成的密钥已无法使用。",
        "请重新运行该导出，系统会生成新密码。",
    ),
    "password_needed": (
        "该文件需要密码，而系统不保存密码。",
        "请由导出的所有者重新运行，系统会生成新密码。",
    ),
    "permission_denied": (
        "您没有所需的角色。",
        "请向管理员申请该角色。没有该角色，相同的请求会再次失败。",
    ),
    "read_cancelled": (
        "读取在最后一行之前已停止。",
        "请重试。",
    ),
    "read_conflict": (
        "读取期间数据发生变化，数据库中止了读取。",
        "请在变更较少时重试。如读取的是备库，运维人员可调大 max_standby_streaming_delay "
        "或开启 hot_standby_feedback。",
    ),
    "row_too_large": (
        "导出数据中有一行过大，超出了工作进程的内存。",
        "错误信息会指明是哪一行、哪一列最大：请去掉该列，或在数据集中截短其内容。"
        "运维人员也可以调大 WAYBILL_MEMORY。",
    ),
    "source_away": (
        "无法连接数据源数据库。",
        "请稍后重试。如问题持续，请通知数据库负责人。",
    ),
    "source_error": (
        "无法从数据库读取数据。",
        "请重试。如再次失败，请通知数据库负责人。",
    ),
    "source_rejected": (
        "数据库拒绝了该数据集的查询。",
        "请通知该数据集的负责人。相同的请求会再次失败。",
    ),
    "source_unavailable": (
        "数据源数据库目前不可用。",
        "请稍后重试。如问题持续，请通知数据库负责人。",
    ),
    "stalled": (
        "导出长时间没有进展，已被停止。",
        "请重试。如反复发生，请缩小筛选范围或通知运维人员。",
    ),
    "storage_clock": (
        "双方时钟相差过大，对象存储拒绝了请求。",
        "请通知运维人员：对象存储或 Waybill 所在机器需要与时间服务器同步。",
    ),
    "storage_config": (
        "对象存储拒绝了 Waybill 的凭据，或存储桶不存在。",
        "请通知运维人员，问题修复后重新导出。",
    ),
    "storage_error": (
        "对象存储拒绝了该文件。",
        "请重试。如再次失败，请通知运维人员。",
    ),
    "storage_unavailable": (
        "对象存储无法访问或负载过高。",
        "请稍后重试。如问题持续，请通知运维人员。",
    ),
    "unknown_dataset": (
        "没有这个名称的数据集，或它已不再提供。",
        "请从数据集列表中选择。",
    ),
    "upload_conflict": (
        "上传完成之前被其他进程终止。",
        "请重试。",
    ),
    "upload_too_large": (
        "文件超出了对象存储的上限。",
        "请缩小筛选范围，或选择更紧凑的格式，例如 csv.gz 或 parquet。",
    ),
    "worker_lost": (
        "运行此导出的工作进程没有响应。",
        "请重试。如反复发生，请运维人员检查工作进程是否内存不足。",
    ),
    # Why a schedule is paused.
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
