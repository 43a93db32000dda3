"""`notifier capture`: the mail server for tests in any language, as a process, over SMTP and HTTP."""

import re
import signal
import smtplib
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx
import jsonschema
import pytest

from notifier.capture import CaptureThread, Filter
from tests.support.command import PROGRAM, environment, run

SECONDS = 30.0
WAIT = "/inbox/api/messages/wait"


@dataclass(frozen=True)
class Running:
    """A capture server. `relay` is where it may let mail go."""

    process: "subprocess.Popen[str]"
    smtp: tuple[str, int]
    http: httpx.Client
    relay: CaptureThread

    def mail(self, *to: str, subject: str = "Hello", text: str = "Your code is 482913.", **headers: str) -> None:
        """Sends one, in the plainest way."""
        more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        with smtplib.SMTP(*self.smtp, timeout=SECONDS) as smtp:
            smtp.sendmail("a@x.test", to, f"Subject: {subject}\r\n{more}\r\n{text}\r\n".encode())

    def wait(self, **query: Any) -> dict[str, Any]:
        answer = self.http.get(WAIT, params={"timeout": SECONDS, **query})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def start(folder: Path, **settings: str) -> "tuple[subprocess.Popen[str], str, tuple[str, int]]":
    command = [PROGRAM, "capture", "--smtp-port", "0", "--http-port", "0"]
    process = subprocess.Popen(
        command, cwd=folder, env=environment(**settings), stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    assert process.stdout is not None
    told = "".join(process.stdout.readline() for _ in range(4))
    smtp, url = re.search(r"SMTP +([\d.]+):(\d+)\n", told), re.search(r"inbox +(http://[^/]+)/inbox\n", told)
    assert smtp, told
    assert url, told
    return process, url[1], (smtp[1], int(smtp[2]))


def end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One for all tests of this module, which write to readers of their own."""
    with CaptureThread() as relay:
        process, url, smtp = start(
            tmp_path_factory.mktemp("capture"), MAIL_SERVER=relay.host, MAIL_PORT=str(relay.port)
        )
        with httpx.Client(base_url=url, timeout=SECONDS * 2, trust_env=False) as http:
            yield Running(process, smtp, http, relay)
        end(process)


def test_it_is_ready_and_ends_with_0(tmp_path: Path) -> None:
    process, url, _ = start(tmp_path)
    ready = run("ready", "--url", url, cwd=tmp_path)
    assert (ready.code, ready.out) == (0, '{"ready":true}\n')
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_a_port_that_is_taken_is_named_with_its_option(capture: Running, tmp_path: Path) -> None:
    smtp = run("capture", "--smtp-port", str(capture.smtp[1]), "--http-port", "0", cwd=tmp_path)
    assert (smtp.code, "--smtp-port takes another" in smtp.err) == (2, True), smtp
    http = run("capture", "--smtp-port", "0", "--http-port", str(capture.http.base_url.port), cwd=tmp_path)
    assert (http.code, "--http-port takes another" in http.err) == (2, True), http


def test_a_wait_finds_what_came_before(capture: Running) -> None:
    capture.mail("before@x.test", subject="Your code (1)", X_Notifier_Reference="r-1", X_Notifier_Template="code")
    found = capture.wait(to="BEFORE@x.test", subject="code (1)", reference="r-1", template="code")
    assert (found["rcpt_tos"], found["codes"]) == (["before@x.test"], ["482913"])
    assert capture.wait(to="before@x.test", timeout=0)["id"] == found["id"]


def test_a_wait_finds_what_comes_after_the_last_one_seen(capture: Running) -> None:
    capture.mail("after@x.test", subject="one")
    first = capture.wait(to="after@x.test")
    found: list[dict[str, Any]] = []
    waiting = threading.Thread(target=lambda: found.append(capture.wait(to="after@x.test", after=first["id"])))
    waiting.start()
    capture.mail("somebody.else@x.test")
    capture.mail("after@x.test", subject="two")
    waiting.join(SECONDS)
    assert [one["subject"] for one in found] == ["two"]
    assert capture.wait(to="after@x.test", after=first["received_at"])["subject"] == "two"


def test_a_wait_in_vain_tells_what_came_and_why_it_did_not_match(capture: Running) -> None:
    capture.mail("near@x.test", subject="Your order")
    last = capture.wait(to="near@x.test")
    answer = capture.http.get(WAIT, params={"to": "near@x.test", "subject": "reset", "timeout": 0})
    told = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (504, "application/problem+json")
    assert (told["code"], told["status"]) == ("no_such_mail", 504)
    near = next(one for one in told["near"] if one["id"] == last["id"])
    assert near["why_not"] == "subject 'Your order'"
    assert "no mail matched to=near@x.test, subject=reset within 0 s" in told["detail"]


def test_a_filter_that_is_misspelt_finds_and_deletes_nothing(capture: Running) -> None:
    capture.mail("kept@x.test")
    kept = capture.wait(to="kept@x.test")
    for method, path in (("GET", WAIT), ("DELETE", "/inbox/api/messages"), ("GET", "/inbox/api/messages")):
        answer = capture.http.request(method, path, params={"rcpt": "a@x.test", "to": "kept@x.test"})
        assert answer.status_code == 422
        assert [one["field"] for one in answer.json()["errors"]] == ["rcpt"]
    assert capture.wait(to="kept@x.test", timeout=0)["id"] == kept["id"]


def test_a_mail_is_read_whole_or_in_part(capture: Running) -> None:
    capture.mail("read@x.test", text="Go to https://x.test/reset?t=1, or type 482913.")
    id_ = capture.wait(to="read@x.test")["id"]
    place = f"/inbox/api/messages/{id_}"
    assert capture.http.get(place).json()["text"] == "Go to https://x.test/reset?t=1, or type 482913.\n"
    assert capture.http.get(f"{place}/links", params={"match": "RESET"}).json()["data"] == [
        {"text": "", "url": "https://x.test/reset?t=1"}
    ]
    assert capture.http.get(f"{place}/links", params={"match": "confirm"}).json()["data"] == []
    assert capture.http.get(f"{place}/codes").json() == {"object": "list", "data": ["482913"]}
    raw = capture.http.get(f"{place}/raw")
    assert raw.headers["content-type"] == "message/rfc822"
    assert raw.content.startswith(b"Subject: Hello\r\n")


def test_what_matches_is_deleted_and_nothing_else(capture: Running) -> None:
    for to in ("one@gone.test", "two@gone.test", "two@gone.test"):
        capture.mail(to)
    one = capture.wait(to="one@gone.test")["id"]
    assert capture.http.delete("/inbox/api/messages", params={"to": "two@gone.test"}).json() == {"deleted": 2}
    assert capture.http.delete(f"/inbox/api/messages/{one}").json() == {"deleted": 1}
    assert capture.http.delete(f"/inbox/api/messages/{one}").status_code == 404
    assert capture.http.get("/inbox/api/messages", params={"to": "one@gone.test"}).json()["data"] == []


def test_a_fault_meets_its_recipient_alone(capture: Running) -> None:
    fault = capture.http.post(
        "/inbox/api/faults", json={"kind": "fail", "rcpt": "put.off@x.test", "code": 452, "text": "4.2.2 Full"}
    )
    assert (fault.status_code, fault.json()["left"]) == (201, 1)
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        capture.mail("put.off@x.test")
    assert refused.value.recipients == {"put.off@x.test": (452, b"4.2.2 Full")}
    capture.mail("not.put.off@x.test")
    capture.mail("put.off@x.test")
    assert capture.wait(to="put.off@x.test")["subject"] == "Hello"
    listed = capture.http.get("/inbox/api/faults").json()["data"]
    assert [(one["rcpt"], one["left"], one["hits"]) for one in listed if one["id"] == fault.json()["id"]] == [
        ("put.off@x.test", 0, 1)
    ]


def test_a_mail_is_let_go_to_those_who_are_named_and_nobody_else(capture: Running) -> None:
    capture.relay.fail_next(rcpt="full@real.test", code=552, text="5.2.2 Full")
    capture.mail("release@x.test", subject="Look at this", text=".a line with a dot\n.\nMAIL FROM:<evil@x.test>")
    id_ = capture.wait(to="release@x.test")["id"]
    answer = capture.http.post(f"/inbox/api/messages/{id_}/release", json={"to": ["me@real.test", "full@real.test"]})
    assert answer.status_code == 200, answer.text
    assert [(one["email"], one["status"], one["reply"][:9]) for one in answer.json()["recipients"]] == [
        ("me@real.test", "sent", "250 2.0.0"),
        ("full@real.test", "failed", "552 5.2.2"),
    ]
    (mail,) = capture.relay.messages.find(Filter(to="me@real.test"))
    assert (mail.mail_from, mail.rcpt_tos) == ("a@x.test", ("me@real.test",))
    assert mail.raw == capture.http.get(f"/inbox/api/messages/{id_}/raw").content.replace(b"\r\n", b"\n").replace(
        b"\n", b"\r\n"
    )


@pytest.mark.parametrize(
    ("body", "status"),
    [({"to": []}, 422), ({}, 422), ({"to": ["me@real.test"], "relay": "evil.test"}, 422), ({"to": ["nobody"]}, 200)],
)
def test_nothing_is_let_go_that_is_asked_wrongly(capture: Running, body: dict[str, Any], status: int) -> None:
    capture.mail("wrong@x.test")
    id_ = capture.wait(to="wrong@x.test")["id"]
    before = len(capture.relay.messages)
    answer = capture.http.post(f"/inbox/api/messages/{id_}/release", json=body)
    assert answer.status_code == status, answer.text
    assert status != 200 or answer.json()["recipients"][0]["status"] == "failed"
    assert len(capture.relay.messages) == before


def test_another_sites_page_can_change_nothing(capture: Running) -> None:
    answer = capture.http.delete("/inbox/api/messages", headers={"sec-fetch-site": "cross-site"})
    assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")


def test_every_call_is_described_with_examples_that_are_true(capture: Running) -> None:
    found = capture.http.get("/openapi.json").json()
    assert capture.http.get("/inbox/api/openapi.json").json()["paths"].keys() == found["paths"].keys()
    assert {path.removeprefix("/api") for path in found["paths"]} == {
        "/messages", "/messages/wait", "/messages/{id}", "/messages/{id}/raw", "/messages/{id}/links",
        "/messages/{id}/codes", "/messages/{id}/release", "/faults", "/faults/{id}",
    }  # fmt: skip
    checked = 0
    for name, schema in found["components"]["schemas"].items():
        if "example" in schema:
            jsonschema.validate(schema["example"], {**found, "$ref": f"#/components/schemas/{name}"})
            checked += 1
    assert checked > 10


def test_the_description_needs_nothing_from_elsewhere(capture: Running) -> None:
    page = capture.http.get("/docs")
    urls = re.findall(r'(?:src|href)="(?!data:)([^"]+)"', page.text)
    assert len(urls) >= 3
    assert [capture.http.get(url).status_code for url in urls] == [200] * len(urls)


def test_no_request_is_answered_other_than_described(tmp_path: Path) -> None:
    process, url, _ = start(tmp_path)  # the faults that are scripted here are for everybody
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/openapi.json",
        "--exclude-path-regex", "/wait$", "--max-examples", "10", "--seed", "1", "--request-timeout", "60",
        "--no-color", "--checks",
        "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    end(process)
    assert done.returncode == 0, done.stdout


HOSTILE = [
    b"Subject: =?utf-7?q?+2AA-?=\r\nContent-Type: text/plain; charset=utf-7\r\n\r\n+2AA-",
    b"Content-Type: text/plain; charset=unicode_escape\r\n\r\n\\ud800",
    b"Content-Type: text/plain; charset=idna\r\n\r\nxn--\xff",
    b'Content-Type: text/plain; charset="\x00"\r\n\r\nhello',
    b"Content-Type: multipart/mixed; boundary*=idna''%ff\r\n\r\n--x",
    b"Content-Disposition: attachment; filename*=undefined''%ff\r\nContent-ID: <\xed\xa0\x80>\r\n\r\nhello",
    b"Content-Type: text/html\r\n\r\n<a href='http://['>x</a><img src='cid:\xed\xa0\x80'>",
    b"From: \xff\xfe\r\nTo: =?idna?b?/w==?= <\xed@x>\r\n\r\n",
]


@pytest.mark.parametrize("raw", HOSTILE)
def test_a_hostile_mail_is_shown_all_the_same(capture: Running, raw: bytes) -> None:
    to = f"hostile-{HOSTILE.index(raw)}@x.test"
    with smtplib.SMTP(*capture.smtp, timeout=SECONDS) as smtp:
        smtp.sendmail("a@x.test", [to], raw)
    id_ = capture.wait(to=to)["id"]
    for page in (f"api/messages/{id_}", f"messages/{id_}", f"messages/{id_}/html", "api/messages", "list"):
        assert capture.http.get(f"/inbox/{page}").status_code == 200, page
