"""The plugin as pytest loads it, in test runs of their own."""

import re
import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]

PLUGIN = ("-p", "no:cacheprovider")  # the kit is there by its entry point, as for everybody who installed it


def test_a_failed_wait_shows_what_came_and_what_was_refused_and_keeps_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import smtplib

        import pytest

        def test_it(notifier_mail):
            with smtplib.SMTP(notifier_mail.host, notifier_mail.port) as smtp:
                smtp.sendmail("app@x.test", ["a@x.test"], "Subject: Your order\\r\\n\\r\\nhello")
                notifier_mail.fail_next(rcpt="b@x.test", code=550, text="5.1.1 Gone")
                with pytest.raises(smtplib.SMTPRecipientsRefused):
                    smtp.sendmail("app@x.test", ["b@x.test"], "Subject: Yours\\r\\n\\r\\nhello")
            notifier_mail.wait_for(to="b@x.test", timeout=0.05)
        """
    )
    result = pytester.runpytest_subprocess(*PLUGIN)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*no mail matched to=b@x.test within 0.05 s",
            "*received*to*subject*why not",
            "*a@x.test*Your order*to a@x.test",
            "*refused at rcpt: b@x.test: 550 5.1.1 Gone",
        ]
    )
    result.stdout.no_fnmatch_line("*capture/thread.py*")  # the way through the server explains nothing
    kept = re.search(r"all of it is kept in (\S+)", result.stdout.str())
    assert kept
    files = list(pytester.path.__class__(kept[1]).glob("*.eml"))
    assert [b"Subject: Your order" in file.read_bytes() for file in files] == [True]


def test_tests_run_side_by_side(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("n", range(3))
        def test_it(notifier_mail, notifier_client, n):
            sent = notifier_client.send(
                "password-reset", to="same@x.test", data={"reset_url": f"https://app.test/{n}"}
            )
            assert notifier_mail.wait_for(notification=sent.id).link("new password") == f"https://app.test/{n}"
            assert len(notifier_mail.mails) == 1
        """
    )
    result = pytester.runpytest_subprocess(*PLUGIN, "-p", "xdist", "-n", "2")
    result.assert_outcomes(passed=3)


def test_the_templates_of_the_tested_project_are_used(pytester: pytest.Pytester) -> None:
    folder = pytester.mkdir("templates") / "login-code"
    folder.mkdir()
    (folder / "subject.txt").write_text("Your code\n")
    (folder / "body.txt").write_text("Your code is {{ code }}.\n")
    pytester.makepyfile(
        """
        def test_it(notifier_mail, notifier_client):
            sent = notifier_client.send("login-code", to="a@x.test", data={"code": "914023"})
            assert notifier_mail.wait_for(notification=sent.id).code() == "914023"
        """
    )
    pytester.runpytest_subprocess(*PLUGIN).assert_outcomes(passed=1)


def test_a_service_that_cannot_start_says_why(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def notifier_settings():
            return {"NOTIFIER_RETRY_FIRST": "soon"}

        def test_it(notifier_server):
            pass
        """
    )
    result = pytester.runpytest_subprocess(*PLUGIN)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*ServerFailed: NOTIFIER_RETRY_FIRST: 'soon' is not a duration*"])


def test_the_service_ends_with_its_test_run(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import os

        def test_it(notifier_server, request):
            spares = request.getfixturevalue("_notifier_processes")
            for process in (notifier_server._process, spares._spare):
                print("process", process._process.pid)
            os._exit(3)  # no fixture is torn down

        def test_another(notifier_server):
            pass
        """
    )
    result = pytester.runpytest_subprocess(*PLUGIN, "-s")
    pids = [int(pid) for pid in re.findall(r"process (\d+)", result.stdout.str())]
    assert len(pids) == 2
    for pid in pids:
        # tail ends once the process is gone; a hang of it is a failure
        subprocess.run(["tail", f"--pid={pid}", "-s", "0.05", "-f", "/dev/null"], timeout=10, check=True)


def test_loading_the_plugin_costs_next_to_nothing() -> None:
    code = "import sys, notifier.testing.plugin; print(*(m for m in sys.modules if m.startswith('notifier')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["notifier", "notifier.testing", "notifier.testing.plugin"]
