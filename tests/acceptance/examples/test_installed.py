"""The kit as it ships: a sample service whose environment has the built wheel and nothing else of ours."""

from pathlib import Path

from tests.acceptance.examples.installation import installed, requirements, wheel
from tests.acceptance.examples.projects import copied, environment, run

WHERE = "from notifier.app.templates import shipped_templates; print(shipped_templates())"


def test_a_service_tests_its_mail_with_the_wheel_alone(tmp_path: Path) -> None:
    project = copied("orders", tmp_path)
    python = installed(tmp_path / "venv", requirements(project, wheel(tmp_path / "dist")))
    env = environment(python.parent)
    shipped = Path(run([python, "-P", "-c", WHERE], project, env).strip())
    assert shipped.is_relative_to(tmp_path / "venv")
    assert (shipped / "welcome" / "template.toml").is_file()
    said = run([python, "-m", "pytest", "-n", "2", "-p", "no:cacheprovider"], project, env)
    assert " passed in " in said, said
