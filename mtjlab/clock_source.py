"""What this computer's wall clock follows, as far as the system tells."""

from __future__ import annotations

import platform
import subprocess

UNKNOWN = "system clock"
_TIMEOUT_SECONDS = 5.0


def clock_source(system: str = platform.system()) -> str:
    """In words: "system clock", and whether and by what it is kept right where the system says so."""
    if system == "Windows":  # w32tm names the server, or "Local CMOS Clock"
        server = _said("w32tm", "/query", "/source")
        return f"{UNKNOWN}, follows {server}" if server else UNKNOWN
    if system == "Linux":  # systemd asks the kernel, whichever program keeps the clock
        is_kept = _said("timedatectl", "show", "--property=NTPSynchronized", "--value")
        return {"yes": f"{UNKNOWN}, kept by NTP", "no": f"{UNKNOWN}, kept by nothing"}.get(is_kept, UNKNOWN)
    return UNKNOWN


def _said(*words: str) -> str:
    """The first line that a program prints; "" if it cannot say."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = done.stdout.strip().splitlines()
    return lines[0].strip() if done.returncode == 0 and lines else ""
