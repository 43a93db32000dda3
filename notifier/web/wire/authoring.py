"""The shapes of what /v1/templates and /v1/suppressions answer, for the description of the API alone."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from notifier.web.wire.schemas import FaultSchema, Time

State = Literal["draft", "published"]
Origin = Literal["folder", "api", "pages"]


class SummarySchema(BaseModel):
    """`version` is the published one; `draft` the newest, where it is another."""

    object: Literal["template"]
    name: str
    description: str
    version: int | None
    state: State
    draft: int | None
    changed_at: Time
    url: str


class TemplateListSchema(BaseModel):
    object: Literal["list"]
    data: list[SummarySchema]
    has_more: bool


class VersionSchema(BaseModel):
    """A version: numbered, immutable, the same wherever the hash is."""

    object: Literal["template_version", "template"]
    template: str
    version: int
    state: State
    hash: str
    origin: Origin
    author: str | None
    note: str | None
    created_at: Time
    published_at: Time | None


class VersionListSchema(BaseModel):
    object: Literal["list"]
    data: list[VersionSchema]
    has_more: bool


class PublishedSchema(VersionSchema):
    """`renewed` names the templates that got a new version with it."""

    name: str
    renewed: list[str]


class WholeSchema(VersionSchema):
    """A version with everything in it."""

    name: str
    description: str
    parts: dict[str, str]
    schema_: dict[str, Any] | None = Field(alias="schema")
    samples: dict[str, dict[str, Any]]
    settings: dict[str, Any]
    contract: dict[str, Any] | None
    declared: bool
    locales: list[str]


class SavedSchema(BaseModel):
    name: str
    version: int
    state: State
    hash: str
    contract: dict[str, Any] | None
    warnings: list[FaultSchema]
    renewed: list[str]


class ContractSchema(BaseModel):
    """What callers send. One that is inferred (`declared` is false) only informs."""

    name: str
    version: int
    declared: bool
    contract: dict[str, Any] | None


class PreviewSchema(BaseModel):
    subject: str
    text: str | None
    html: str | None
    locale: str | None
    warnings: list[FaultSchema]


class ValidSchema(BaseModel):
    valid: bool
    errors: list[FaultSchema]


class SuppressionSchema(BaseModel):
    object: Literal["suppression"]
    email: str
    scope: str
    reason: Literal["bounced", "complained", "unsubscribed", "manual"]
    source: str | None
    created_at: Time


class SuppressedSchema(BaseModel):
    object: Literal["list"]
    data: list[SuppressionSchema]
    has_more: bool


class SuppressionListSchema(SuppressedSchema):
    """`next` is what `after` takes to go on."""

    next: str | None


class ImportSchema(BaseModel):
    """`read` rows, of which `added` were new."""

    object: Literal["import"]
    read: int
    added: int
