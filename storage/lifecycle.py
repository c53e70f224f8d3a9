"""The bucket's lifecycle rules, which clean up what Waybill itself failed to delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from waybill.storage.connection import S3Connection
from waybill.storage.errors import StorageError, StorageUnavailable
from waybill.storage.s3_errors import error_code

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import LifecycleRuleOutputTypeDef, LifecycleRuleTypeDef

EXPIRE_OBJECTS = "waybill-expire-objects"
ABORT_UPLOADS = "waybill-abort-uploads"
#: No export runs for longer, and parts of a dead one cost space until then.
_ABORT_AFTER_DAYS = 2


def ensure_lifecycle(
    connection: S3Connection, retention_days: int, *, bucket_is_new: bool
) -> tuple[str, ...]:
    """Set our two rules beside any others, and return the names of those not set.

    A bucket that already holds objects and does not know our expiry rule keeps it that
    way: those objects may not be Waybill's.

    Raises:
        StorageUnavailable: the store did not answer. Anything else it says means that it
            has no lifecycle, or none for us, and is returned.
    """
    try:
        existing = connection.call(lambda client: _existing_rules(client, connection.bucket))
        required = _our_rules(retention_days)
        if not bucket_is_new and _may_hold_foreign_objects(connection, existing):
            del required[EXPIRE_OBJECTS]
        try:
            _set(connection, existing, required)
        except StorageUnavailable:
            raise
        except StorageError:
            # Not every store knows versions, and so a rule for them.
            for rule in required.values():
                rule.pop("NoncurrentVersionExpiration", None)
            _set(connection, existing, required)
    except StorageUnavailable:
        raise
    except StorageError:
        return EXPIRE_OBJECTS, ABORT_UPLOADS
    return tuple(name for name in (EXPIRE_OBJECTS, ABORT_UPLOADS) if name not in required)


def expiry_rule(connection: S3Connection, prefix: str) -> str | None:
    """The id of a rule that deletes objects under `prefix` some day; None without one.

    Raises:
        StorageUnavailable: the store did not answer. Anything else means that it has no rules.
    """
    try:
        rules = connection.call(lambda client: _existing_rules(client, connection.bucket))
    except StorageUnavailable:
        raise
    except StorageError:
        return None
    for rule in rules:
        # What a rule is limited to, in one of three notations; the last one is the oldest.
        limits = rule.get("Filter", {})
        several = limits.get("And", {})
        limited = limits.get("Prefix", several.get("Prefix", rule.get("Prefix", "")))
        # Nothing of ours has a tag.
        tagged = "Tag" in limits or "Tags" in several
        expires = rule.get("Status") == "Enabled" and "Expiration" in rule
        if expires and not tagged and (prefix.startswith(limited) or limited.startswith(prefix)):
            return str(rule.get("ID", ""))
    return None


def _set(
    connection: S3Connection,
    existing: list[LifecycleRuleOutputTypeDef],
    required: dict[str, LifecycleRuleTypeDef],
) -> None:
    """Put `required` beside the rules of others, unless they are there already."""
    rules: list[LifecycleRuleTypeDef | LifecycleRuleOutputTypeDef] = [
        *(rule for rule in existing if rule.get("ID") not in required),
        *required.values(),
    ]
    if any(rule not in existing for rule in required.values()):
        connection.call(
            lambda client: client.put_bucket_lifecycle_configuration(
                Bucket=connection.bucket, LifecycleConfiguration={"Rules": rules}
            )
        )


def _our_rules(retention_days: int) -> dict[str, LifecycleRuleTypeDef]:
    return {
        EXPIRE_OBJECTS: {
            "ID": EXPIRE_OBJECTS,
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            # A day later than promised: some stores count from the start of the upload.
            "Expiration": {"Days": retention_days + 1},
            # A bucket that keeps versions keeps the bytes of what has expired, too.
            "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
        },
        ABORT_UPLOADS: {
            "ID": ABORT_UPLOADS,
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": _ABORT_AFTER_DAYS},
        },
    }


def _existing_rules(client: S3Client, bucket: str) -> list[LifecycleRuleOutputTypeDef]:
    try:
        return client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    except ClientError as error:
        if error_code(error) == "NoSuchLifecycleConfiguration":
            return []
        raise


def _may_hold_foreign_objects(
    connection: S3Connection, existing: list[LifecycleRuleOutputTypeDef]
) -> bool:
    if any(rule.get("ID") == EXPIRE_OBJECTS for rule in existing):
        return False
    page = connection.call(
        lambda client: client.list_objects_v2(Bucket=connection.bucket, MaxKeys=1)
    )
    return page["KeyCount"] > 0
