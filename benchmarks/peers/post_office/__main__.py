"""Queues mails in Django's database and sends what is queued, as the command `send_queued_mail` does."""

import os
import sys

import django
from django.conf import settings
from django.core.management import call_command

from benchmarks.message import SENDER, TEMPLATES, data, recipient

settings.configure(
    SECRET_KEY="benchmark",
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "post_office"],
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", **dict(
        zip(("HOST", "PORT", "USER", "NAME"), os.environ["DJANGO_DATABASE"].split(), strict=True))}},
    EMAIL_BACKEND="post_office.EmailBackend",
    EMAIL_HOST="127.0.0.1",
    EMAIL_PORT=int(os.environ["MAIL_PORT"]),
    POST_OFFICE={"BACKENDS": {"default": "django.core.mail.backends.smtp.EmailBackend"}, "BATCH_SIZE": 1000},
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    USE_TZ=True,
)  # fmt: skip
django.setup()

from post_office import mail  # noqa: E402 - Django has to be set up first
from post_office.models import EmailTemplate  # noqa: E402


def django_source(name: str) -> str:
    source = (TEMPLATES / "order" / name).read_text("utf-8")
    return source.replace('|money("EUR")', "|floatformat:2").replace("loop.index", "forloop.counter")


if sys.argv[1] == "fill":
    call_command("migrate", verbosity=0)
    EmailTemplate.objects.create(
        name="order", subject=django_source("subject.txt").strip(),
        content=django_source("body.txt"), html_content=django_source("body.html"),
    )  # fmt: skip
    for start in range(0, int(sys.argv[2]), 500):
        mail.send_many([
            {"recipients": [recipient(n)], "sender": SENDER, "template": "order", "context": data(n),
             "render_on_delivery": True}
            for n in range(start, min(start + 500, int(sys.argv[2])))
        ])  # fmt: skip
else:
    call_command("send_queued_mail")
