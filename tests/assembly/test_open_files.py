"""The limit of open files is raised as far as it may be."""

import subprocess
import sys

CODE = """
import resource
from lifepod.assembly.open_files import allow_many_files
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 900))
allow_many_files()
print(resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def test_the_soft_limit_becomes_the_hard_one() -> None:
    said = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True).stdout
    assert said == "(900, 900)\n"
