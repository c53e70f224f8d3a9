"""The bucket's lifecycle rules, which clean up what Waybill itself failed to delete.

Each installation has two rules of its own, for the keys that begin with its prefix. Rules of others
stay as they are, those of other installations among them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from botocore.exceptions import ClientError

from waybill.storage.connection import S3Connection
from waybill.storage.errors import StorageError, StorageUnavailable
from waybill.storage.s3_errors import error_code
from waybill.storage.store import Owner

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import LifecycleRuleOutputTypeDef, LifecycleRuleTypeDef

EXPIRE_OBJECTS = "waybill-expire-"
ABORT_UPLOADS = "waybill-abort-"
#: The rule of versions without an installation's id. They made it for the whole bucket, which holds
#: the archive of the audit log too; it still expires the files that they stored.
SHARED_EXPIRY = "waybill-expire-objects"
#: No export runs for longer, and parts of a dead one cost space until then.
_ABORT_AFTER_DAYS = 2
#: Two installations that set their rules at once: one may have overwritten the other's.
_TRIES = 3


def ensure_lifecycle(
    connection: S3Connection, owner: Owner, retention_days: int
) -> tuple[str, ...]:
    """Set the two rules of `owner` beside any others, and return the names of those not set.

    A rule of an earlier version is limited to exports, and lengthened if it expires them sooner. It
    is never shortened: nobody knows whose it is.

    Raises:
        StorageUnavailable: the store did not answer. Anything else it says means that it
            has no lifecycle, or none for us, and is returned.
    """
    required = _rules_of(owner, retention_days)
    root = owner.prefix.removesuffix(f"{owner.installation}/")
    try:
        try:
            _set(connection, required, root)
        except StorageUnavailable:
            raise
        except StorageError:
            # Not every store knows versions, and so a rule for them.
            for rule in required.values():
                rule.pop("NoncurrentVersionExpiration", None)
            _set(connection, required, root)
    except StorageUnavailable:
        raise
    except StorageError:
        return tuple(required)
    return ()


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


def other_installations(connection: S3Connection, owner: Owner) -> list[str]:
    """The ids of further installations that have rules in the bucket.

    Raises:
        StorageError: the rules cannot be read.
    """
    rules = connection.call(lambda client: _existing_rules(client, connection.bucket))
    names = {str(rule.get("ID", "")) for rule in rules} - {SHARED_EXPIRY}
    found = {name.removeprefix(EXPIRE_OBJECTS) for name in names if name.startswith(EXPIRE_OBJECTS)}
    return sorted(found - {owner.installation})


def _set(connection: S3Connection, required: dict[str, LifecycleRuleTypeDef], root: str) -> None:
    """Put `required` beside the rules of others, unless they are there already."""
    for _ in range(_TRIES):
        existing = connection.call(lambda client: _existing_rules(client, connection.bucket))
        rules = _beside(existing, required, root)
        if all(rule in existing for rule in rules):
            return
        _put(connection, rules)


def _put(
    connection: S3Connection, rules: list[LifecycleRuleTypeDef | LifecycleRuleOutputTypeDef]
) -> None:
    connection.call(
        lambda client: client.put_bucket_lifecycle_configuration(
            Bucket=connection.bucket, LifecycleConfiguration={"Rules": rules}
        )
    )


def _beside(
    existing: list[LifecycleRuleOutputTypeDef],
    required: dict[str, LifecycleRuleTypeDef],
    root: str,
) -> list[LifecycleRuleTypeDef | LifecycleRuleOutputTypeDef]:
    needed = max(rule["Expiration"]["Days"] for rule in required.values() if "Expiration" in rule)
    rules: list[LifecycleRuleTypeDef | LifecycleRuleOutputTypeDef] = []
    for rule in existing:
        if rule.get("ID") == SHARED_EXPIRY and "Expiration" in rule:
            # In the oldest notation, which excludes `Filter`, the prefix stands beside it.
            kept = {name: value for name, value in rule.items() if name != "Prefix"}
            days = max(rule["Expiration"].get("Days", 0), needed)
            limited = {"Filter": {"Prefix": root}, "Expiration": {"Days": days}}
            rules.append(cast("LifecycleRuleTypeDef", kept | limited))
        elif rule.get("ID") not in required:
            rules.append(rule)
    return [*rules, *required.values()]


def _rules_of(owner: Owner, retention_days: int) -> dict[str, LifecycleRuleTypeDef]:
    expire, abort = EXPIRE_OBJECTS + owner.installation, ABORT_UPLOADS + owner.installation
    return {
        expire: {
            "ID": expire,
            "Status": "Enabled",
            "Filter": {"Prefix": owner.prefix},
            # A day later than promised: some stores count from the start of the upload.
            "Expiration": {"Days": retention_days + 1},
            # A bucket that keeps versions keeps the bytes of what has expired, too.
            "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
        },
        abort: {
            "ID": abort,
            "Status": "Enabled",
            "Filter": {"Prefix": owner.prefix},
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
