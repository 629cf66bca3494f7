"""Named clusters: one folder each, held by a lock."""

import os

import pytest

from lifepod.assembly.clusters import Place, forget, running, state_home
from lifepod.assembly.errors import NameTaken, StartError


def test_a_taken_place_is_up_and_cannot_be_taken_again(tmp_path):
    place = Place(tmp_path, "dev")
    place.take()
    place.describe("https://127.0.0.1:1", "sim", "2025-01-01T00:00:00Z", "")
    (found,) = running(tmp_path)
    assert (found.name, found.up, found.pid, found.runtime) == ("dev", True, os.getpid(), "sim")
    with pytest.raises(NameTaken, match="lifepod down dev"):
        Place(tmp_path, "dev").take()
    place.leave()
    assert running(tmp_path) == []


def test_what_a_killed_cluster_left_is_shown_as_gone_and_can_be_cleared(tmp_path):
    pid = os.fork()
    if pid == 0:
        place = Place(tmp_path, "dead")
        place.take()
        place.describe("https://127.0.0.1:1", "sim", "", "")
        os._exit(0)
    os.waitpid(pid, 0)
    (found,) = running(tmp_path)
    assert (found.name, found.up) == ("dead", False)
    forget(tmp_path, "dead")
    assert running(tmp_path) == []


def test_the_name_can_be_taken_again_after_a_kill(tmp_path):
    pid = os.fork()
    if pid == 0:
        Place(tmp_path, "dev").take()
        os._exit(0)
    os.waitpid(pid, 0)
    again = Place(tmp_path, "dev")
    again.take()
    again.leave()


@pytest.mark.parametrize("name", ["", "A", "a/b", "-a", "a" * 64])
def test_names_that_are_no_label_are_refused(tmp_path, name):
    with pytest.raises(StartError, match="no good name"):
        Place(tmp_path, name)


def test_the_state_folder_follows_the_environment():
    assert str(state_home({"LIFEPOD_HOME": "/a", "HOME": "/h"})) == "/a"
    assert str(state_home({"XDG_STATE_HOME": "/x"})) == "/x/lifepod"
    assert str(state_home({"HOME": "/h"})) == "/h/.local/state/lifepod"
