"""Every mistake in a manifest is told with file, line, column, object and field, and what to do; then nothing is applied."""

import pytest

from lifepod.api.builtin import builtin_kinds
from lifepod.api.kinds import KindRegistry
from lifepod.client.manifests import BadManifests, read_manifests, steps

KINDS = KindRegistry(builtin_kinds())
POD = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n"
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"


def mistakes_of(tmp_path, text, name="web.yaml"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(BadManifests) as caught:
        read_manifests([str(path)], KINDS)
    return [str(m).replace(f"{tmp_path}/", "") for m in caught.value.mistakes]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            POD + "  containners:\n  - name: a\n    image: busybox\n",
            'web.yaml:6:3: Pod "web": spec.containners: there is no such field\n  Did you mean `containers`?',
        ),
        (
            POD + "  containers:\n  - name: a\n    image: busybox:1.28'\n",
            'web.yaml:8:5: Pod "web": spec.containers[0].image: Invalid value: "busybox:1.28\'": invalid reference format\n'
            "  image: busybox:1.28'\n                     ^ a quote that does not belong here\n  Write `image: busybox:1.28`.",
        ),
        (
            POD + "  containers:\n  - {name: a, image: b}\n  initContainers:\n  - name:init-mydb\n",
            'web.yaml:9:5: Pod "web": spec.initContainers[0]: a map is wanted here, not the text "name:init-mydb"\n'
            "  Put a space after the colon: `name: init-mydb`.",
        ),
        (
            POD + "  containers:\n  - name:init-mydb\n    image: b\n",
            "web.yaml:8:10: mapping values are not allowed in this context\n  Line 7: put a space after the colon of `name:`.",
        ),
        (
            POD + "\tcontainers: []\n",
            "web.yaml:6:1: found character that cannot start any token\n"
            "  Line 6 is indented with a tab. YAML allows only spaces there.",
        ),
        (
            POD + "  containers:\n  - name: a\n    name: b\n    image: x\n",
            'web.yaml:8:5: the key "name" stands here twice, first in line 7\n  Remove one of the two.',
        ),
        (
            POD + "  containers: hello\n",
            'web.yaml:6:3: Pod "web": spec.containers: a list is wanted here, not the text "hello"\n'
            "  Each entry of a list starts with `- `.",
        ),
        (
            POD + "  containers:\n  - {name: a, image: x, env: [{name: B, value: yes}]}\n",
            'web.yaml:7:41: Pod "web": spec.containers[0].env[0].value: text is wanted here, not true\n  Put it in quotes: "yes".',
        ),
        (
            POD + "  containers:\n  - {name: a, image: x, ports: [{containerPort: '80'}]}\n",
            'web.yaml:7:34: Pod "web": spec.containers[0].ports[0].containerPort: a whole number is wanted here, not the text "80"\n  Take the quotes away: 80.',
        ),
        (
            POD + "  containers:\n  - {name: a, image: x, resources: {limits: {memory: 12Mx}}}\n",
            'web.yaml:7:46: Pod "web": spec.containers[0].resources.limits.memory: a quantity such as 500m or 64Mi is wanted here, not the text "12Mx"',
        ),
        (
            "apiVersion: v1\nkind: Pood\nmetadata: {name: a}\n",
            'web.yaml:2:1: no kind "Pood" is known in version "v1"\n  Did you mean `kind: Pod` (apiVersion: v1)?',
        ),
        (
            "apiVersion: v1\nkind: Deployment\nmetadata: {name: a}\n",
            'web.yaml:2:1: no kind "Deployment" is known in version "v1"\n  Deployment is in `apiVersion: apps/v1`.',
        ),
        (
            f"{CONFIG_MAP}---\n{CONFIG_MAP}",
            'web.yaml:5:1: ConfigMap "a" stands here a second time; first in web.yaml:1\n  Rename one of the two, or remove it.',
        ),
        ("", "web.yaml: there is no object in it\n  A manifest starts with `apiVersion:` and `kind:`."),
        (
            b"\x7fELF\x02\x01\x00\x00\xff\xfe",
            "web.yaml:1:9: not text: the byte 0xff is not UTF-8\n  Save the file as UTF-8.",
        ),
        ("[" * 100_000, "web.yaml:1:129: nested deeper than 128 levels"),
        ("- 1\n", "web.yaml:1:1: an object is a map with apiVersion, kind and metadata, not a list"),
        (
            POD + "  containers: &c\n  - {name: a, image: b}\n  initContainers: *d\n",
            "web.yaml:8:19: the alias *d names no anchor before it\n"
            "  Put a text that begins with `*` in quotes; an anchor is set by `&` before its value.",
        ),
        (
            POD + "  hostname: a: b\n",
            "web.yaml:6:14: mapping values are not allowed in this context\n"
            "  Put a text that holds `: ` in quotes; a key begins a line of its own, below its neighbours.",
        ),
        (
            POD + "  hostname: a\n subdomain: b\n",
            "web.yaml:7:2: did not find expected key\n"
            "  The keys of one map begin in the same column; see how far this line and those above are indented.",
        ),
        (
            POD + "  hostname: \"a  # it's\n  containers: []\n",
            "web.yaml:8:1: found unexpected end of stream\n  The quote in line 6 is not closed.",
        ),
        (
            POD + "  containers: [{name: a, image: b}\n",
            "web.yaml:7:1: did not find expected ',' or ']'\n"
            "  A comma is missing before this place, or what was opened with `{` or `[` is not closed.",
        ),
        (
            POD + "  hostname: {{ .Values.host }}\n",
            "web.yaml:6:14: a key of a map must be a plain word, not a list or a map\n"
            "  `{{` belongs to a template: `helm template`, say, makes the manifest of it.",
        ),
        (
            POD + "  nodeSelector: [a]\n  containers: [{name: a, image: b}]\n",
            'web.yaml:6:3: Pod "web": spec.nodeSelector: a map is wanted here, not a list\n  Write `key: value` lines, without `- `.',
        ),
        (
            POD + "  hostNetwork: 'yes'\n  containers: [{name: a, image: b}]\n",
            'web.yaml:6:3: Pod "web": spec.hostNetwork: true or false is wanted here, not the text "yes"\n'
            "  Write true or false, without quotes.",
        ),
        (
            POD + "  containers:\n  - {name: a, image: x, resources: {limits: {memory: 1GB}}}\n",
            'web.yaml:7:46: Pod "web": spec.containers[0].resources.limits.memory: a quantity such as 500m or 64Mi is wanted here, '
            'not the text "1GB"\n  Write 1Gi (powers of 1024) or 1G (powers of 1000).',
        ),
        (
            POD + "  restartPolicy: always\n  containers: [{name: a, image: b}]\n",
            'web.yaml:6:3: Pod "web": spec.restartPolicy: Unsupported value: "always": supported values: "Always", "OnFailure", "Never"\n'
            "  Write `restartPolicy: Always`.",
        ),
        (
            POD + "  containers:\n  - {name: a, image: x, volumeMounts: [{name: v, mountPath: /v}]}\n",
            'web.yaml:7:41: Pod "web": spec.containers[0].volumeMounts[0].name: Not found: "v"\n'
            "  Add a volume named `v` under `volumes:`, or name one that is there.",
        ),
        (
            POD + "  containers:\n  - {name: a, image: x, lifecycle: {preStop: {}}}\n",
            'web.yaml:7:37: Pod "web": spec.containers[0].lifecycle.preStop: Required value: must specify a handler type\n'
            "  Write one of `exec:`, `httpGet:` or `tcpSocket:` under `preStop:`.",
        ),
        ("kind: Pod\n", "web.yaml:1:1: apiVersion: Required value\n  Add a line such as `apiVersion: v1`."),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_to_do(tmp_path, text, told):
    assert mistakes_of(tmp_path, text) == [told]


def test_all_mistakes_of_all_files_are_told_at_once(tmp_path):
    (tmp_path / "a.yaml").write_text(POD + "  containners: []\n")
    (tmp_path / "b.yaml").write_text("a: 1\na: 2\n")
    with pytest.raises(BadManifests) as caught:
        read_manifests([str(tmp_path), str(tmp_path / "b.yml")], KINDS)
    sources = [m.source.rpartition("/")[2] for m in caught.value.mistakes]
    assert sources == ["a.yaml", "b.yaml", "b.yml"]
    assert caught.value.mistakes[-1].advice == (f"Did you mean {tmp_path / 'b.yaml'}?",)


def test_good_files_give_objects_with_their_namespace_and_place(tmp_path):
    path = tmp_path / "all.yaml"
    path.write_text(CONFIG_MAP + "---\n" + "apiVersion: v1\nkind: Namespace\nmetadata: {name: prod}\n")
    first, second = read_manifests([str(path)], KINDS, "team")
    assert (first.namespace, first.name, first.obj["metadata"]["namespace"]) == ("team", "a", "team")
    assert (second.namespace, second.place.line, second.obj["metadata"]) == ("", 5, {"name": "prod"})


def test_the_items_of_a_list_are_objects_of_their_own():
    text = b'{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}]}'
    (manifest,) = read_manifests(["-"], KINDS, stdin=lambda: text)
    assert (manifest.kind.kind, manifest.name, manifest.source) == ("ConfigMap", "a", "standard input")


def test_paths_are_split_into_steps():
    assert steps("spec.containers[0].image") == ("spec", "containers", 0, "image")
    assert steps("metadata.labels[a.b/c]") == ("metadata", "labels", "a.b/c")


def test_a_name_that_is_none_is_told_with_one_that_could_be(tmp_path):
    (told,) = mistakes_of(tmp_path, POD.replace("name: web", "name: My_Web.") + "  containers: [{name: a, image: b}]\n")
    assert told.endswith("\n  Write `name: my-web`, say.")


def test_the_mistakes_of_one_object_are_told_in_the_order_of_its_lines(tmp_path):
    text = (
        POD
        + "  restartPolicy: always\n  dnsPolicy: none\n  containers:\n  - {name: a, image: b, imagePullPolicy: never}\n"
    )
    assert [told.split(":")[1] for told in mistakes_of(tmp_path, text)] == ["6", "7", "9"]
