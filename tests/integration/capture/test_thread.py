"""The server in a thread, for tests that have no loop."""

import smtplib
import threading

import pytest

from notifier.capture import Capture, CaptureThread, NoSuchMail


def send(server: CaptureThread, subject: str = "Hello") -> None:
    with smtplib.SMTP(server.host, server.port, timeout=5) as client:
        client.sendmail("a@x.test", ["b@x.test"], f"Subject: {subject}\r\n\r\nhi\r\n")


def test_mail_is_sent_and_waited_for_without_a_loop() -> None:
    with CaptureThread() as server:
        sender = threading.Timer(0.05, send, [server])
        sender.start()
        message = server.messages.wait(to="b@x.test")
        sender.join()
        assert (message.subject, list(server.messages), len(server.messages)) == ("Hello", [message], 1)
        assert server.ledger[0].captured == message.id
        with pytest.raises(NoSuchMail, match="subject 'Hello'"):
            server.messages.wait(subject="Other", timeout=0)
    assert server.messages[0] is message


def test_faults_are_scripted_from_the_test_s_thread() -> None:
    with CaptureThread(hostname="relay.test") as server:
        server.fail_next(rcpt="b@x.test", code=550)
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            send(server)
        send(server, "second")
        assert server.messages.wait().subject == "second"
        assert server.total_connections == 2


def test_nothing_runs_on_after_stop() -> None:
    server = CaptureThread()
    server.start()
    client = smtplib.SMTP(server.host, server.port, timeout=5)
    server.stop()
    server.stop()
    client.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "notifier-capture"]


def test_a_port_that_is_taken_is_told_and_leaves_no_thread() -> None:
    with CaptureThread() as server, pytest.raises(OSError):
        CaptureThread(port=server.port).start()
    assert not [thread for thread in threading.enumerate() if thread.name == "notifier-capture"]


def test_the_thread_has_every_word_of_the_server() -> None:
    public = {name for name in dir(Capture()) if not name.startswith("_")}
    assert public <= set(dir(CaptureThread()))
