"""Settings of pages on other origins that may ask for exports."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import BaseModel, Field, field_validator

from waybill.infra.config.addresses import is_loopback


class EmbeddingSettings(BaseModel):
    """The part of `Settings` that names those origins."""

    embed_origins: str = Field(
        "",
        description="Origins, separated by commas, whose pages may show the `<waybill-export>` "
        "button: `https://shop.example.com`. They may start exports and download them with the "
        "login of the person in front of them. Default: none.",
    )

    @field_validator("embed_origins")
    @classmethod
    def _each_is_an_origin(cls, value: str) -> str:
        origins = [item.strip() for item in value.split(",") if item.strip()]
        for origin in origins:
            parts = urlsplit(origin)
            plain = f"{parts.scheme}://{parts.netloc}"
            if origin != plain or parts.username is not None or not parts.hostname or "*" in origin:
                raise ValueError("each must be https:// and a host, without a path and without *")
            if parts.scheme != "https" and not (
                parts.scheme == "http" and is_loopback(parts.hostname)
            ):
                raise ValueError("each must be https://; http:// is for this machine only")
        return ",".join(dict.fromkeys(origin.lower() for origin in origins))

    @property
    def embedding_origins(self) -> list[str]:
        """The origins, as browsers write them."""
        return self.embed_origins.split(",") if self.embed_origins else []
