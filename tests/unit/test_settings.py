"""Settings: one sentence for what makes no sense, and `.env.example` says them all."""

import re
from pathlib import Path

import pytest

from notifier.domain.errors import ConfigurationError
from notifier.settings import Settings, read_settings

EXAMPLE = Path(__file__).parents[2] / ".env.example"


@pytest.fixture(autouse=True)
def _nothing_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.alias), raising=False)


def test_the_example_names_every_setting_and_no_other() -> None:
    named = set(re.findall(r"^([A-Z_]+)=", EXAMPLE.read_text(), re.MULTILINE))
    assert named == {field.alias for field in Settings.model_fields.values()}


def test_the_example_says_the_defaults(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(EXAMPLE.read_text())
    assert read_settings().model_dump() == Settings.model_construct().model_dump()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("250ms", 0.25), ("30", 30.0), ("30s", 30.0), ("5m", 300.0), ("2h", 7200.0), ("3d", 259200.0)],
)
def test_durations_take_units(text: str, expected: float) -> None:
    assert read_settings({"NOTIFIER_GIVE_UP_AFTER": text}).give_up_after == expected


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("NOTIFIER_LEASE", "soon", "250ms, 30, 30s, 5m, 2h or 3d"),
        ("NOTIFIER_MAX_BODY", "lots", "16MiB"),
        ("MAIL_PORT", "smtp", "integer"),
        ("MAIL_PORT", "0", "greater"),
        ("MAIL_FROM", "nobody", "not an address"),
        ("NOTIFIER_PUBLIC_URL", "example.com", "absolute"),
        ("NOTIFIER_TEAM_ADDRESSES", "ok@x.test, not an address", "neither an address nor a domain"),
        ("NOTIFIER_LOG_LEVEL", "loud", "debug"),
        ("MAIL_FROM_NAME", "Shop\nBcc: x@y.test", "line break"),
        ("MAIL_SERVER", "http://smtp.example.com", "no host"),
        ("MAIL_SERVER", "bad host", "no host"),
        ("NOTIFIER_API_KEY", "two words", "printable ASCII"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named_in_one_sentence(name: str, value: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as told:
        read_settings({name: value})
    assert str(told.value).startswith(name)
    assert says in str(told.value)
    assert "\n" not in str(told.value)


def test_tls_twice_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="exclude each other"):
        read_settings({"MAIL_STARTTLS": "1", "MAIL_SSL_TLS": "1"})


def test_a_secret_may_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("ntf_live_from_a_file\n")
    monkeypatch.setenv("NOTIFIER_API_KEY_FILE", str(tmp_path / "key"))
    key = read_settings().api_key
    assert key is not None
    assert key.get_secret_value() == "ntf_live_from_a_file"


def test_a_secret_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_PASSWORD_FILE", "/nowhere/password")
    with pytest.raises(ConfigurationError, match="MAIL_PASSWORD_FILE"):
        read_settings()


def test_a_user_name_means_credentials_unless_told_otherwise() -> None:
    given = {"MAIL_USERNAME": "u", "MAIL_PASSWORD": "p"}
    assert read_settings(given).with_credentials
    assert not read_settings({**given, "USE_CREDENTIALS": "0"}).with_credentials
    with pytest.raises(ConfigurationError, match="MAIL_PASSWORD"):
        read_settings({"MAIL_USERNAME": "u"})


def test_secrets_do_not_show_when_settings_are_printed() -> None:
    shown = repr(read_settings({"MAIL_USERNAME": "u", "MAIL_PASSWORD": "hush", "NOTIFIER_API_KEY": "hush"}))
    assert "hush" not in shown


@pytest.mark.parametrize(("name", "value"), [("NOTIFIER_API_KEY", "hush hush"), ("MAIL_PASSWORD", ["hush"])])
def test_a_secret_that_makes_no_sense_is_not_shown(name: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=name) as told:
        read_settings({name: value})
    assert "hush" not in str(told.value)
