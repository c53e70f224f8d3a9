"""Settings of the object store: where it is, its bucket, and how files are encrypted there."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from waybill.infra.config.value_types import OptionalSecret, OptionalText
from waybill.storage.endpoints import check_endpoint, check_virtual_addressing

EMBEDDED = "embedded"
AWS = "aws"


class StoreSettings(BaseModel):
    """The part of `Settings` that is about the object store."""

    s3_endpoint_url: str = Field(
        EMBEDDED,
        description="`embedded` (a local S3 server, one per WAYBILL_HOME), `aws`, or a URL.",
    )
    s3_public_endpoint_url: OptionalText = Field(
        None, description="Host in signed links, as browsers reach it. Default: the endpoint above."
    )
    s3_bucket: str = Field("waybill-exports", description="Bucket; created if it is missing.")
    s3_addressing: Literal["auto", "path", "virtual"] = Field(
        "auto",
        description="Where the bucket stands in requests and links. `path`: `host/bucket/key`; "
        "`virtual`: `bucket.host/key`; `auto`: as AWS has it, and by path for other servers "
        "unless they ask for the other.",
    )
    s3_access_key_id: OptionalText = Field(None, description="Default: the usual AWS chain.")
    s3_secret_access_key: OptionalSecret = Field(None, description="Default: the usual AWS chain.")
    s3_region: OptionalText = Field(
        None, description="Default: the usual AWS chain; links get the region the bucket is in."
    )
    s3_sse: Literal["AES256", "aws:kms", "aws:kms:dsse"] | None = Field(
        None,
        description="Server-side encryption that each file is stored with: `AES256`, `aws:kms` or "
        "`aws:kms:dsse`. Default: what the bucket has.",
    )
    s3_sse_kms_key_id: OptionalText = Field(
        None, description="Key of `aws:kms`. Default: the one the store keeps for the account."
    )
    s3_equal_parts: bool = Field(
        False,
        description="The store wants the parts of an upload to be of one size: large exports are "
        "then sets of files. Cloudflare R2 is known by its host.",
    )

    @field_validator("s3_endpoint_url")
    @classmethod
    def _endpoint_is_an_address(cls, value: str) -> str:
        return value if value in (EMBEDDED, AWS) else check_endpoint(value)

    @field_validator("s3_public_endpoint_url")
    @classmethod
    def _public_endpoint_is_an_address(cls, value: str | None) -> str | None:
        return None if value is None else check_endpoint(value)

    @field_validator("s3_addressing")
    @classmethod
    def _bucket_fits_into_the_host(cls, value: str, info: ValidationInfo) -> str:
        endpoint = info.data.get("s3_endpoint_url")
        if value == "virtual" and endpoint != EMBEDDED and "s3_bucket" in info.data:
            urls = (endpoint, info.data.get("s3_public_endpoint_url"))
            check_virtual_addressing(
                info.data["s3_bucket"], *(None if url == AWS else url for url in urls)
            )
        return value

    @field_validator("s3_sse_kms_key_id")
    @classmethod
    def _key_has_a_use(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and not (info.data.get("s3_sse") or "").startswith("aws:kms"):
            raise ValueError("needs WAYBILL_S3_SSE to be aws:kms or aws:kms:dsse")
        return value
