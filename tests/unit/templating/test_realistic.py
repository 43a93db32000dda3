"""Ten templates as people write them, in two locales each, and those that ship."""

from datetime import datetime
from pathlib import Path

import pytest

from notifier.templating import compile_bundle, read_folder
from notifier.templating.lint import lint

FIXTURES = Path(__file__).parent / "fixtures"
NBSP, NARROW = "\u00a0", "\u202f"

EXPECTED = (
    ("invoice", "en", "Invoice 2026-17: €1,234.50", ["- Support: €1,000.00", "January 31, 2026", "VAT on request"]),
    ("invoice", "fr", f"Facture 2026-17 : 1{NARROW}234,50{NBSP}€", ["31 janvier 2026", "TVA sur demande"]),
    ("shipping", "en", "Your parcel is on its way", ["1. Lyon", "2. Montréal", "(https://ship.example.com/?id=1&lang=en)"]),
    ("shipping", "fr", "Votre colis est en route", ["Bonjour Zoë,", "31/01/2026 09:00", "02/02/2026 13:00!"]),
    ("magic-link", "en", "Your code is 424 242", ["https://app.example.com/login?next=%2F&code=424%20242"]),
    ("magic-link", "de", "Ihr Code ist 424 242", ["Er gilt 10 Minuten."]),
    ("verify-email", "en", "Confirm zoe_martin+test@example.com", ["Saint-Denis [Réunion]", "v?t=a_b*c&x=1)"]),
    ("verify-email", "fr", "Confirmez zoe_martin+test@example.com", ["1 févr. 2026, 13:00:00", "Acme Ltd"]),
    ("trial-ending", "en", "Acme Notes: 3 days left", ["Tuesday, February 3, 2026", "- Notes\n- Search"]),
    ("trial-ending", "de", "Acme Notes: noch 3 Tage", ["Dienstag, 3. Februar 2026", "Das bleibt Ihnen"]),
    ("weekly-digest", "en", "Your week: 3 things", ["A rather long title...", "Views: 112,351, 12.3%"]),
    ("weekly-digest", "fr", "Votre semaine : 3 choses", [f"Vues : 112{NARROW}351, 12,3{NBSP}%"]),
    ("payment-failed", "en", "Payment of CHF99.00 failed", ["charge VISA 1234", "Next try Feb 2, 2026."]),
    ("payment-failed", "de", f"Zahlung über 99,00{NBSP}CHF fehlgeschlagen", ["Kein Grund genannt."]),
    ("team-invite", "en", "Ann O'Neil invites you to R&D", ["Hi!\nCome <soon>.", "Bo, Cy, Di and more"]),
    ("team-invite", "fr", "Ann O'Neil vous invite dans R&D", ["Bo, Cy, Di et d’autres"]),
    ("comments", "en", "2 new comments", ["Hello Zoë,", "- Bo: First\n  - Cy: Second\n- Di: <b>Third</b>"]),
    ("comments", "de", "2 neue Kommentare", ["Hallo Zoë,"]),
    ("settings-changed", "en", "Your settings were changed", ["none to 20", "9:00:00\u202fPM", "2 changes"]),
    ("settings-changed", "de", "Ihre Einstellungen wurden geändert", ["nichts auf 20", "21:00:00"]),
)  # fmt: skip


@pytest.mark.parametrize(("name", "locale", "subject", "fragments"), EXPECTED, ids=lambda value: str(value)[:30])
def test_a_realistic_template_reads_as_it_should(
    at: datetime, name: str, locale: str, subject: str, fragments: list[str]
) -> None:
    template = compile_bundle(read_folder(FIXTURES).bundles[name])

    rendered = template.render(template.samples["default"], locale=locale, at=at)

    assert (rendered.subject, rendered.locale) == (subject, locale)
    assert rendered.text is not None
    for fragment in fragments:
        assert fragment in rendered.text
    assert "\u034f" not in rendered.text
    if rendered.html is not None and name != "verify-email":
        assert f'<html lang="{locale}">' in rendered.html


@pytest.mark.parametrize("folder", [FIXTURES, Path(__file__).parents[3] / "templates"], ids=["fixtures", "shipped"])
def test_every_template_is_free_of_faults_and_warnings(folder: Path) -> None:
    read = read_folder(folder)

    assert read.faults == {}
    assert len(read.bundles) >= 3
    assert {name: lint(compile_bundle(bundle)) for name, bundle in read.bundles.items()} == dict.fromkeys(
        read.bundles, ()
    )


def test_every_template_says_what_its_callers_must_send() -> None:
    required = {
        name: compile_bundle(bundle).inferred.get("required") for name, bundle in read_folder(FIXTURES).bundles.items()
    }
    assert required["invoice"] == ["currency", "due", "issued", "number", "paid", "rows", "total"]
    assert required["payment-failed"] == ["amount", "attempts", "card", "currency", "url"]
    assert required["comments"] == ["comments", "name"]
    assert required["team-invite"] == ["inviter", "members", "note", "team", "url"]


def test_the_shipped_templates_take_the_least_that_is_documented(at: datetime, shipped: Path) -> None:
    bundles = read_folder(shipped).bundles
    least = {
        "order-confirmation": {"name": "Zoë", "order_id": "A-1001"},
        "password-reset": {"reset_url": "https://app.example.com/reset?token=1"},
        "welcome": {"name": "Zoë"},
    }
    for name, data in least.items():
        for locale in ("en", "fr-CA"):
            verdict = compile_bundle(bundles[name]).verdict(data, locale=locale, at=at)
            assert verdict.faults == ()
            assert verdict.rendered is not None
            assert verdict.rendered.html is not None
            assert [part.filename for part in verdict.rendered.inline] == ["logo.png"]


def test_a_hosted_picture_is_no_part_of_the_mail(at: datetime, shipped: Path) -> None:
    template = compile_bundle(read_folder(shipped).bundles["welcome"], public_url="https://mail.example.com/")

    rendered = template.render({"name": "Zoë"}, at=at)

    assert rendered.inline == ()
    assert rendered.html is not None
    assert 'src="https://mail.example.com/assets/' in rendered.html
