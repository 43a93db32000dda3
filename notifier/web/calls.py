"""Every call of the API that takes or answers JSON: for its description, and for the test that holds it to that."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from notifier.web import examples
from notifier.web.wire import authoring, feedback, models, schemas, suppressions, templates, webhooks


@dataclass(frozen=True, slots=True)
class Call:
    """What a call takes and answers; `csv` is the example of one that takes CSV and no JSON. `also` are refusals beyond
    those that every call with a key has."""

    status: int
    answer: type[BaseModel] | None = None
    example: Any = None
    body: type[BaseModel] | None = None
    body_example: Any = None
    body_required: bool = True
    csv: str | None = None
    also: tuple[int, ...] = ()
    idempotent: bool = False
    open: bool = False


_ONE = Call(200, schemas.NotificationSchema, examples.NOTIFICATION, also=(404,))

CALLS: Final[Mapping[str, Call]] = {
    "send": Call(
        202, schemas.NotificationSchema, examples.NOTIFICATION, schemas.NotificationBody, examples.SEND, idempotent=True
    ),
    "send_batch": Call(
        202, schemas.TakenBatchSchema, examples.TAKEN_BATCH, models.BatchBody, examples.SEND_BATCH, idempotent=True
    ),
    "get_batch": Call(200, schemas.BatchSchema, examples.BATCH, also=(404,)),
    "list": Call(200, schemas.NotificationListSchema, examples.listed(examples.NOTIFICATION)),
    "get": _ONE,
    "timeline": Call(200, schemas.TimelineSchema, examples.listed(examples.EVENT), also=(404,)),
    "message": Call(200, schemas.MessageSchema, examples.MESSAGE, also=(404,)),
    "cancel": Call(200, schemas.NotificationSchema, examples.CANCELED, also=(404, 409)),
    "retry": Call(200, schemas.NotificationSchema, examples.NOTIFICATION, also=(404, 409)),
    "resend": Call(
        202,
        schemas.NotificationSchema,
        examples.NOTIFICATION,
        models.ResendBody,
        {"to": "zoe@example.com"},
        also=(404,),
        idempotent=True,
    ),
    "events": Call(200, schemas.FeedSchema, {**examples.listed(examples.EVENT), "next": examples.EVENT["id"]}),
    "list_pauses": Call(200, schemas.PauseListSchema, examples.listed(examples.PAUSE)),
    "get_pause": Call(200, schemas.PauseSchema, examples.PAUSE, also=(404,)),
    "pause": Call(
        200,
        schemas.PauseSchema,
        examples.PAUSE,
        models.PauseBody,
        {"reason": "the price is wrong"},
        also=(404,),
        body_required=False,
    ),
    "resume": Call(204, also=(404,)),
    "list_templates": Call(200, authoring.TemplateListSchema, examples.listed(examples.SUMMARY)),
    "get_template": Call(200, authoring.WholeSchema, examples.WHOLE, also=(404,)),
    "put_template": Call(
        200,
        authoring.SavedSchema,
        examples.SAVED,
        templates.TemplateBody,
        examples.TEMPLATE_BODY,
        also=(404, 409),
    ),
    "delete_template": Call(204, also=(404, 409)),
    "get_contract": Call(200, authoring.ContractSchema, examples.CONTRACT, also=(404,)),
    "list_versions": Call(200, authoring.VersionListSchema, examples.listed(examples.VERSION), also=(404,)),
    "get_version": Call(200, authoring.WholeSchema, examples.WHOLE, also=(404,)),
    "publish_template": Call(
        200,
        authoring.PublishedSchema,
        {**examples.VERSION, "name": "welcome", "renewed": []},
        templates.PublishBody,
        {"version": 2},
        also=(404, 409),
    ),
    "preview_template": Call(
        200,
        authoring.PreviewSchema,
        examples.PREVIEW,
        templates.PreviewBody,
        {"sample": "default", "locale": "fr"},
        also=(404,),
    ),
    "validate_data": Call(
        200,
        authoring.ValidSchema,
        {"valid": True, "errors": []},
        templates.ValidateBody,
        {"data": {"name": "Zoë"}},
        also=(404,),
    ),
    "list_suppressions": Call(
        200, authoring.SuppressionListSchema, {**examples.listed(examples.SUPPRESSION), "next": None}
    ),
    "import_suppressions": Call(
        200,
        authoring.ImportSchema,
        {"object": "import", "read": 1, "added": 1},
        csv="email,scope,reason\nzoe@example.com,all,manual\n",
    ),
    "get_suppression": Call(200, authoring.SuppressedSchema, examples.listed(examples.SUPPRESSION), also=(404,)),
    "suppress": Call(
        200,
        authoring.SuppressionSchema,
        examples.SUPPRESSION,
        suppressions.SuppressionBody,
        {"reason": "manual", "scope": "all"},
        body_required=False,
    ),
    "unsuppress": Call(204, also=(404,)),
    "list_webhooks": Call(200, feedback.WebhookListSchema, examples.listed(examples.WEBHOOK)),
    "create_webhook": Call(
        201, feedback.NewWebhookSchema, examples.NEW_WEBHOOK, webhooks.WebhookBody, examples.WEBHOOK_BODY, also=(409,)
    ),
    "get_webhook": Call(200, feedback.WebhookSchema, examples.WEBHOOK, also=(404,)),
    "change_webhook": Call(
        200,
        feedback.ChangedWebhookSchema,
        examples.NEW_WEBHOOK,
        webhooks.WebhookPatch,
        {"types": ["email.bounced"], "rotate_secret": True},
        also=(404,),
    ),
    "delete_webhook": Call(204, also=(404,)),
    "test_webhook": Call(200, feedback.WebhookTestSchema, examples.WEBHOOK_TEST, also=(404,)),
    "list_webhook_deliveries": Call(
        200, feedback.WebhookDeliveryListSchema, examples.listed(examples.WEBHOOK_DELIVERY), also=(404,)
    ),
    "redeliver_webhook": Call(202, feedback.RedeliverySchema, examples.REDELIVERY, also=(404,)),
    "feedback": Call(
        200,
        feedback.FeedbackSchema,
        {"object": "feedback", "read": 1, "changed": 1},
        feedback.FeedbackBody,
        examples.FEEDBACK,
        also=(401, 404, 422, 503),
        open=True,
    ),
    "list_keys": Call(200, schemas.KeyListSchema, examples.listed(examples.KEY)),
    "create_key": Call(201, schemas.NewKeySchema, examples.NEW_KEY, models.KeyBody, examples.KEY_BODY),
    "revoke_key": Call(204, also=(404,)),
    "livez": Call(200, schemas.LiveSchema, {"status": "ok"}, open=True),
    "readyz": Call(200, schemas.ReadySchema, examples.READY, open=True, also=(503,)),
    "metrics": Call(200, open=True),
}
