"""What the benchmarks run with, installed once, all of it below this folder: an environment for Python, the packages of
the Node peer, Postfix's smtp-sink and smtp-source (unpacked, not installed: no daemon is started). PostgreSQL and
redis-server are programs of the machine."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
PYTHON = HERE / ".venv/bin/python"
POSTFIX = HERE / ".tools/postfix"
NODE_PEER = HERE / "peers/bullmq"


def install() -> None:
    """Everything that is missing."""
    python_environment()
    postfix()
    if shutil.which("npm") and not (NODE_PEER / "node_modules/bullmq").is_dir():
        _say("npm: the packages of the Node peer")
        _run(["npm", "install", "--no-audit", "--no-fund", "--silent"], cwd=NODE_PEER)


def python_environment() -> None:
    """As `requirements.txt` locks it, and the peers on top."""
    wanted = (ROOT / "requirements.txt").read_bytes() + (HERE / "requirements.txt").read_bytes()
    stamp = HERE / ".venv/.installed"
    if stamp.is_file() and stamp.read_bytes() == wanted:
        return
    _say("pip: notifier's requirements, the peers, the profilers")
    if not PYTHON.exists():
        _run([sys.executable, "-m", "venv", HERE / ".venv"])
    pip: list[str | Path] = [PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    _run([*pip, "--require-hashes", "-r", ROOT / "requirements.txt"])
    _run([*pip, "-r", HERE / "requirements.txt"])
    stamp.write_bytes(wanted)


def postfix() -> None:
    """smtp-sink and smtp-source out of Debian's package."""
    if (POSTFIX / "usr/sbin/smtp-sink").exists():
        return
    if not shutil.which("apt-get"):
        sys.exit(
            "smtp-sink is missing: on Debian it is fetched by itself, elsewhere unpack Postfix into " + str(POSTFIX)
        )
    _say("apt: Postfix, unpacked for smtp-sink and smtp-source")
    POSTFIX.mkdir(parents=True, exist_ok=True)
    POSTFIX.chmod(0o777)  # apt's own user writes here
    _run(["apt-get", "download", "-qq", "postfix"], cwd=POSTFIX)
    (package,) = POSTFIX.glob("postfix_*.deb")
    _run(["dpkg", "-x", package, POSTFIX])


def enter(module: str = "benchmarks") -> None:
    """Go on in the environment, if this is another Python."""
    if Path(sys.prefix).resolve() != (HERE / ".venv").resolve():
        os.execv(PYTHON, [str(PYTHON), "-m", module, *sys.argv[1:]])  # noqa: S606 - ourselves


def _say(text: str) -> None:
    print(f"installing (once): {text} ...", file=sys.stderr, flush=True)


def _run(command: Sequence[str | Path], cwd: Path = ROOT) -> None:
    subprocess.run([str(part) for part in command], cwd=cwd, check=True)
