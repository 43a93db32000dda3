"""The bodies and answers of /v1/templates."""

import base64
import binascii
import hashlib
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from notifier.domain.errors import Fault
from notifier.domain.template import Preview, Published, Saved, Source, Summary, Version, Whole
from notifier.web.wire.answers import instant


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, populate_by_name=True)


Parts = dict[str, str]
Wanted = Annotated[int, Field(ge=1, le=2**31 - 1)] | Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None
"""A version's number, or its content hash."""


def _octets(value: object) -> object:
    if isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except binascii.Error as error:
            raise ValueError(f"is not base64: {error}") from None
    return value


Assets = Annotated[dict[str, Annotated[bytes, BeforeValidator(_octets)]], Field(max_length=100)]


class TemplateBody(_Strict):
    """A whole template: what is not in it is not in the new version. `assets` (base64, by path: `assets/map.png`,
    `_assets/logo.png`) may be left out: then those of the version before stay. `shared` are layouts, partials and
    catalogues as the author has them, over those of the service."""

    description: str | None = Field(None, max_length=1000)
    parts: Parts = Field(default_factory=dict, max_length=200)
    assets: Assets | None = None
    shared: Parts = Field(default_factory=dict, max_length=200)
    schema_: dict[str, Any] | None = Field(None, alias="schema")
    samples: dict[str, dict[str, Any]] | None = Field(None, max_length=50)
    settings: dict[str, Any] | None = None
    note: str | None = Field(None, max_length=1000)

    @property
    def source(self) -> Source:
        return Source(self.parts, self.schema_, self.samples, self.settings, self.description, self.assets, self.shared)


class PublishBody(_Strict):
    version: int = Field(ge=1, le=2**31 - 1)
    force: bool = False


class PreviewBody(_Strict):
    """`data`, or the name of a `sample`; of a `version`, or of `parts` that are not saved."""

    data: dict[str, Any] | None = None
    sample: str | None = None
    locale: str | None = Field(None, max_length=35)
    timezone: str | None = Field(None, max_length=64)
    version: Wanted = None
    parts: Parts | None = Field(None, max_length=200)
    assets: Assets | None = None
    shared: Parts = Field(default_factory=dict, max_length=200)
    schema_: dict[str, Any] | None = Field(None, alias="schema")
    samples: dict[str, dict[str, Any]] | None = None
    settings: dict[str, Any] | None = None

    @property
    def source(self) -> Source | None:
        """What is not saved, if that is what to look at."""
        if self.parts is None:
            return None
        return Source(self.parts, self.schema_, self.samples, self.settings, assets=self.assets, shared=self.shared)


class ValidateBody(_Strict):
    data: dict[str, Any]
    locale: str | None = Field(None, max_length=35)
    timezone: str | None = Field(None, max_length=64)
    version: Wanted = None


def fault_json(fault: Fault) -> dict[str, str]:
    return {"field": fault.field, "code": fault.code, "message": fault.message}


def summary_json(one: Summary) -> dict[str, Any]:
    return {
        "object": "template",
        "name": one.name,
        "description": one.description,
        "version": one.published,
        "state": "draft" if one.published is None else "published",
        "draft": one.latest if one.latest != one.published else None,
        "changed_at": instant(one.changed_at),
        "url": f"/v1/templates/{one.name}",
    }


def version_json(one: Version, published: Published | None) -> dict[str, Any]:
    return {
        "object": "template_version",
        "template": one.template,
        "version": one.number,
        "state": "published" if published and published.number == one.number else "draft",
        "hash": one.hash,
        "origin": one.origin,
        "author": one.author,
        "note": one.note,
        "created_at": instant(one.created_at),
        "published_at": instant(one.published_at),
    }


def whole_json(whole: Whole, published: Published | None, *, contents: bool = False) -> dict[str, Any]:
    """`contents`: assets in base64, too."""
    source = whole.source
    return {
        **version_json(whole.version, published),
        "object": "template",
        "name": whole.version.template,
        "description": source.description or "",
        "parts": dict(source.parts),
        "schema": source.schema,
        "samples": dict(source.samples or {}),
        "settings": dict(source.settings or {}),
        "assets": {path: _asset_json(content, contents=contents) for path, content in (source.assets or {}).items()},
        "shared": {path: hashlib.sha256(text.encode()).hexdigest() for path, text in source.shared.items()},
        "contract": whole.contract,
        "declared": whole.declared,
        "locales": list(whole.locales),
    }


def _asset_json(content: bytes, *, contents: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    return {**told, "content": base64.b64encode(content).decode()} if contents else told


def preview_json(preview: Preview) -> dict[str, Any]:
    return {
        "subject": preview.subject,
        "text": preview.text,
        "html": preview.html,
        "locale": preview.locale,
        "warnings": [fault_json(fault) for fault in preview.warnings],
    }


def saved_json(saved: Saved) -> dict[str, Any]:
    return {
        "name": saved.version.template,
        "version": saved.version.number,
        "state": "published" if saved.published else "draft",
        "hash": saved.version.hash,
        "contract": saved.contract,
        "warnings": [fault_json(fault) for fault in saved.warnings],
        "renewed": list(saved.renewed),
        "drafted": list(saved.drafted),
    }
