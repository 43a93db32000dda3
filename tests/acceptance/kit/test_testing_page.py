"""docs/testing.md is what a newcomer copies: its tests pass, and its commands answer what is printed there."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.test_docs import differences
from tests.support.command import PROGRAM, environment

pytest_plugins = ["pytester"]

PAGE = (Path(__file__).parents[3] / "docs" / "testing.md").read_text("utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_tests_of_the_page_pass(pytester: pytest.Pytester) -> None:
    patient = [text.replace("timeout=5)", "timeout=30)") for text in blocks("python")]  # the machine is busy with tests
    pytester.makepyfile(**{f"test_block_{number}": text for number, text in enumerate(patient)})
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-o", "notifier_timeout=60")
    result.assert_outcomes(passed=sum(text.count("def test_") for text in blocks("python")))


def test_the_commands_of_the_page_answer_what_it_prints(tmp_path: Path) -> None:
    with subprocess.Popen(
        [PROGRAM, "capture", "--smtp-port", "0", "--http-port", "0"],
        cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True, encoding="utf-8",
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            told = dict(process.stdout.readline().split(maxsplit=1) for _ in range(2))
            places = {"INBOX": told["inbox"].strip(), "SMTP": f"smtp://{told['SMTP'].strip()}"}
            commands, answers = blocks("sh"), blocks("json")
            assert len(commands) == len(answers) == 3
            for command, answer in zip(commands, answers, strict=True):
                done = subprocess.run(
                    ["bash", "-euo", "pipefail", "-c", command], env=environment(**places), stdin=subprocess.DEVNULL,
                    capture_output=True, text=True, timeout=60,
                )  # fmt: skip
                assert done.returncode == 0, done.stderr
                assert differences(json.loads(answer), json.loads(done.stdout)) == [], done.stdout
        finally:
            process.kill()
