"""What the figures were taken on, and how fast its disk makes things safe."""

import os
import platform
import shutil
import subprocess
import time
from importlib.metadata import version
from pathlib import Path

_PACKAGES = ("fastapi", "uvicorn", "uvloop", "sqlalchemy", "jinja2", "fastapi-mail", "celery", "django-post_office")


def described() -> str:
    """One line."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return f"{os.cpu_count()} x {models[0] if models else platform.machine()}, {memory:.0f} GiB, {platform.system()}"


def versions() -> str:
    """One line."""
    told = [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in _PACKAGES)]
    for program, flag in (("postgres", "-V"), ("redis-server", "-v"), ("node", "-v")):
        if shutil.which(program):
            told.append(
                subprocess.run([program, flag], capture_output=True, text=True).stdout.split("malloc")[0].strip()
            )
    return ", ".join(told)


def fdatasync_ms(folder: Path, times: int = 300) -> tuple[float, float]:
    """The median and the 99th percentile of a 4 KiB write made durable."""
    took = []
    file = os.open(folder / "fdatasync", os.O_RDWR | os.O_CREAT)
    try:
        for _ in range(times):
            os.pwrite(file, os.urandom(4096), 0)
            started = time.perf_counter()
            os.fdatasync(file)
            took.append(1000 * (time.perf_counter() - started))
    finally:
        os.close(file)
    took.sort()
    return took[times // 2], took[int(times * 0.99)]
