"""kubeconfig files: merged, resolved, written and left alone as client-go would."""

import base64
import stat

import pytest
import yaml

from lifepod.client.errors import KubeconfigError
from lifepod.client.kubeconfig import Credentials, load, merge_into, remove_from, rendered, write

OURS = rendered("lifepod-dev", Credentials("https://127.0.0.1:6443", b"CA", b"CERT", b"KEY"))


def test_what_is_written_can_be_loaded_and_only_its_owner_may_read_it(tmp_path):
    path = tmp_path / "state" / "kubeconfig"
    write(path, OURS)
    access = load([path])
    assert (access.server, access.ca_pem, access.client_cert_pem) == ("https://127.0.0.1:6443", b"CA", b"CERT")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["kubeconfig"]


def test_of_several_files_the_first_definition_of_a_name_wins(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text(yaml.dump({"clusters": [{"name": "c", "cluster": {"server": "https://one"}}]}))
    second.write_text(
        yaml.dump(
            {
                "clusters": [{"name": "c", "cluster": {"server": "https://two"}}],
                "contexts": [{"name": "x", "context": {"cluster": "c", "namespace": "n"}}],
                "current-context": "x",
            }
        )
    )
    access = load([first, second])
    assert (access.server, access.namespace) == ("https://one", "n")


def test_relative_file_names_are_relative_to_the_kubeconfig(tmp_path):
    (tmp_path / "ca.pem").write_bytes(b"PEM")
    path = tmp_path / "config"
    path.write_text(
        yaml.dump(
            {
                "clusters": [{"name": "c", "cluster": {"server": "https://s", "certificate-authority": "ca.pem"}}],
                "contexts": [{"name": "x", "context": {"cluster": "c"}}],
                "current-context": "x",
            }
        )
    )
    assert load([path]).ca_pem == b"PEM"


def test_merging_keeps_what_others_wrote_and_removing_takes_only_ours(tmp_path):
    path = tmp_path / "config"
    theirs = {
        "clusters": [{"name": "prod", "cluster": {"server": "https://p"}}],
        "contexts": [],
        "users": [],
        "preferences": {"x": 1},
    }
    path.write_text(yaml.dump(theirs))
    merge_into(path, OURS)
    merged = yaml.safe_load(path.read_text())
    assert [c["name"] for c in merged["clusters"]] == ["prod", "lifepod-dev"]
    assert merged["current-context"] == "lifepod-dev"
    assert merged["preferences"] == {"x": 1}
    assert remove_from(path, "lifepod-dev")
    left = yaml.safe_load(path.read_text())
    assert left["clusters"] == theirs["clusters"]
    assert left["current-context"] == ""
    assert not remove_from(path, "lifepod-dev")
    assert not (tmp_path / "config.lock").exists()


def test_an_exec_plugin_gives_the_token(tmp_path):
    plugin = tmp_path / "plugin"
    plugin.write_text('#!/bin/sh\necho \'{"status":{"token":"from-plugin"}}\'\n')
    plugin.chmod(0o755)
    path = tmp_path / "config"
    path.write_text(
        yaml.dump(
            {
                "clusters": [{"name": "c", "cluster": {"server": "https://s"}}],
                "users": [
                    {
                        "name": "u",
                        "user": {"exec": {"command": str(plugin), "apiVersion": "client.authentication.k8s.io/v1"}},
                    }
                ],
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "x",
            }
        )
    )
    assert load([path]).token == "from-plugin"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "no kubeconfig at"),
        ("clusters: []\n", "no current-context"),
        ("current-context: nope\n", 'there is no context "nope"'),
        ("- a list\n", "is no kubeconfig"),
        ("a: [\n", "is no YAML"),
    ],
)
def test_what_is_wrong_is_said_with_the_file(tmp_path, text, words):
    path = tmp_path / "config"
    if text is not None:
        path.write_text(text)
    with pytest.raises(KubeconfigError, match=words) as caught:
        load([path])
    assert str(path) in str(caught.value)


def test_pem_data_is_base64(tmp_path):
    assert base64.b64decode(OURS["clusters"][0]["cluster"]["certificate-authority-data"]) == b"CA"
