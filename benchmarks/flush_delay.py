"""A disk whose flush takes a given time: what a child process must have in its environment. Needs a C compiler and /dev/shm.

Files lie in memory, where a flush costs nothing; a preloaded library lets each `fsync` and `fdatasync` take so long.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

SOURCE = """
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

static struct timespec delay;

__attribute__((constructor)) static void start(void) {
    long nanoseconds = atof(getenv("FLUSH_MS")) * 1e6;
    delay.tv_sec = nanoseconds / 1000000000;
    delay.tv_nsec = nanoseconds % 1000000000;
    prctl(PR_SET_TIMERSLACK, 1);
}

int fsync(int file) { clock_nanosleep(CLOCK_MONOTONIC, 0, &delay, NULL); return 0; }
int fdatasync(int file) { clock_nanosleep(CLOCK_MONOTONIC, 0, &delay, NULL); return 0; }
"""


def delayed(milliseconds: float, folder: Path) -> dict[str, str]:
    """The environment of a process whose temporary files lie on such a disk; the library is built in `folder`."""
    library = folder / "flush_delay.so"
    if not library.exists():
        build = ["cc", "-O", "-shared", "-fPIC", "-x", "c", "-o", str(library), "-"]
        subprocess.run(build, input=SOURCE, text=True, check=True)
    return {**os.environ, "LD_PRELOAD": str(library), "FLUSH_MS": str(milliseconds), "TMPDIR": "/dev/shm"}
