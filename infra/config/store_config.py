"""The object store as the settings have it."""

from __future__ import annotations

from waybill.infra.config.errors import BadSettings
from waybill.infra.config.settings import Settings
from waybill.infra.config.store_settings import AWS
from waybill.storage.config import S3Config


def s3_config(settings: Settings) -> S3Config:
    """The object store of the settings.

    Raises:
        BadSettings: they do not fit together.
    """
    secret = settings.s3_secret_access_key
    try:
        return S3Config(
            endpoint_url=None if settings.s3_endpoint_url == AWS else settings.s3_endpoint_url,
            public_endpoint_url=settings.s3_public_endpoint_url,
            bucket=settings.s3_bucket,
            region=settings.s3_region,
            addressing=settings.s3_addressing,
            encryption=settings.s3_sse,
            kms_key_id=settings.s3_sse_kms_key_id,
            equal_parts=settings.s3_equal_parts,
            access_key_id=settings.s3_access_key_id,
            secret_access_key=secret.get_secret_value() if secret else None,
        )
    except ValueError as error:
        raise BadSettings(f"WAYBILL_S3_…: {error}.") from None
