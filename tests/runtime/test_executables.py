"""What a command's first word names, an image's name, a signal's, and an attempt's number."""

from __future__ import annotations

import os
import signal

import pytest

from lifepod.runtime.executables import NotExecutable, find_executable
from lifepod.runtime.image_names import (
    InvalidImageName,
    can_never_be_pulled,
    image_reference,
    pull_error,
    stand_in_reference,
)
from lifepod.runtime.levels import LevelFinding, best_level
from lifepod.runtime.process.log_files import next_attempt
from lifepod.runtime.process.stop import signal_number


@pytest.fixture
def root(tmp_path):
    """A container's root: /bin/tool runs, /bin/data does not, /usr/bin/data does, /app/own runs."""
    for path, mode in (("bin/tool", 0o755), ("bin/data", 0o644), ("usr/bin/data", 0o755), ("app/own", 0o755)):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
        os.chmod(tmp_path / path, mode)
    (tmp_path / "bin" / "broken").symlink_to("nowhere")
    return tmp_path


@pytest.mark.parametrize(
    ("word", "path", "found"),
    [
        ("tool", "/bin", "/bin/tool"),
        ("tool", "/usr/bin:/bin", "/bin/tool"),
        ("data", "/bin:/usr/bin", "/usr/bin/data"),  # the first may not be executed
        ("/bin/tool", "", "/bin/tool"),
        ("./own", "", "/app/./own"),
        ("own", ".", "/app/./own"),
        ("absent", "/bin", 'exec: "absent": executable file not found in $PATH'),
        ("data", "/bin", 'exec: "data": permission denied'),
        ("/bin/data", "", 'exec: "/bin/data": permission denied'),
        ("/bin/absent", "", 'exec: "/bin/absent": stat /bin/absent: no such file or directory'),
        ("/bin/broken", "", 'exec: "/bin/broken": stat /bin/broken: no such file or directory'),
        ("/bin", "", 'exec: "/bin": is a directory'),
    ],
)
def test_the_first_word_is_looked_for_as_runc_does(root, word, path, found):
    def real(name):
        return str(root) + name

    if not found.startswith("exec:"):
        assert find_executable(word, path, "/app", real) == found
        return
    with pytest.raises(NotExecutable) as refused:
        find_executable(word, path, "/app", real)
    assert str(refused.value) == found


@pytest.mark.parametrize(
    ("image", "full", "never"),
    [
        ("busybox", "docker.io/library/busybox:latest", False),
        ("busybox:1.28", "docker.io/library/busybox:1.28", False),
        ("me/app", "docker.io/me/app:latest", False),
        ("registry.invalid/app:1", "registry.invalid/app:1", True),
        ("registry.invalid:5000/app:1", "registry.invalid:5000/app:1", True),
        ("invalid/app", "docker.io/invalid/app:latest", False),  # without a dot it is no registry
        ("notinvalid.example/app:1", "notinvalid.example/app:1", False),
    ],
)
def test_only_names_under_invalid_can_never_be_pulled(image, full, never):
    reference = image_reference(image)
    assert (str(reference), can_never_be_pulled(reference)) == (full, never)
    assert stand_in_reference(reference).startswith("sha256:")


def test_a_pull_that_cannot_succeed_says_so_in_containerd_s_words():
    said = pull_error(image_reference("registry.invalid:5000/a/b:1"))
    assert said.endswith(
        'Head "https://registry.invalid:5000/v2/a/b/manifests/1": dial tcp: lookup registry.invalid: no such host'
    )


@pytest.mark.parametrize("image", ["busybox:1.28'", "Upper", "a b", ":1"])
def test_a_name_that_does_not_parse_is_said(image):
    with pytest.raises(InvalidImageName, match="couldn't parse image name"):
        image_reference(image)


@pytest.mark.parametrize(
    ("name", "number"),
    [("TERM", 15), ("SIGKILL", 9), ("sigint", 2), ("15", 15), ("RTMIN+3", signal.SIGRTMIN + 3), ("NONSENSE", 15)],
)
def test_a_signal_by_any_of_its_names(name, number):
    assert signal_number(name) == number


@pytest.mark.parametrize(
    ("logs", "asked", "attempt"),
    [((), 0, 0), (("0.log",), 0, 1), (("0.log", "7.log", "notes"), 1, 8), (("0.log",), 5, 5)],
)
def test_an_attempt_is_never_counted_twice(tmp_path, logs, asked, attempt):
    for name in logs:
        (tmp_path / name).touch()
    assert next_attempt(str(tmp_path), asked) == attempt


@pytest.mark.levels("stand-in")
@pytest.mark.parametrize(
    ("works", "best"),
    [
        (("sandbox", "network", "overlay", "host"), "sandbox"),
        (("sandbox", "overlay", "host"), None),
        (("sandbox", "network", "host"), None),
        (("host",), None),  # plain processes are never chosen unasked
        ((), None),
    ],
)
def test_the_sandbox_is_chosen_only_when_all_of_it_works(works, best):
    names = ("sandbox", "network", "overlay", "host")
    assert best_level(tuple(LevelFinding(name, name in works) for name in names)) == best
