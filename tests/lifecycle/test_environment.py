"""Environment, volumes, hosts and resolv.conf (lifecycle.md §9)."""

from __future__ import annotations

from typing import Any

import pytest

from lifepod.lifecycle.environment import ConfigError, Lookups, environment_of, expanded, expanded_all, map_text
from lifepod.lifecycle.pod_files import NodeNames, hostname_of, hosts_file, resolv_conf
from lifepod.lifecycle.volumes import MountError, VolumeFile, is_made_of_files, volume_files

MAPS = {"m": {"data": {"a": "1", "bad=key": "x"}, "binaryData": {"z": "AAE="}}}
SECRETS = {"s": {"data": {"k": "dmFsdWU="}}}


def service(name: str, namespace: str = "ns", ip: str = "10.96.0.1", port: int = 80) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"clusterIP": ip, "ports": [{"name": "web-port", "port": port, "protocol": "TCP"}]},
    }


LOOKUPS = Lookups(MAPS.get, SECRETS.get, (), {"cpu": "4", "memory": "8Gi"}, ("10.0.0.1",), ("10.1.0.5", "fd00::5"))


def pod(**spec: Any) -> dict[str, Any]:
    meta = {"name": "p", "namespace": "ns", "uid": "u", "labels": {"b": "2", "a": '1"'}, "annotations": {"k": "v"}}
    return {"metadata": meta, "spec": {"nodeName": "n", "serviceAccountName": "default", **spec}}


def env(*variables: dict[str, Any], lookups: Lookups = LOOKUPS, **more: Any) -> dict[str, str]:
    made = environment_of(pod(), {"name": "c", "env": list(variables), **more}, lookups)
    assert not isinstance(made, ConfigError), made
    return dict(made)


def test_surprise_48_a_variable_sees_only_those_above_it() -> None:
    assert env({"name": "A", "value": "$(B)"}, {"name": "B", "value": "1"})["A"] == "$(B)"
    assert env({"name": "B", "value": "1"}, {"name": "A", "value": "$(B)"})["A"] == "1"


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("$(A)", "1"),
        ("$$(A)", "$(A)"),
        ("$$", "$"),
        ("$(NO)", "$(NO)"),
        ("$A", "$A"),
        ("$(A", "$(A"),
        ("x$", "x$"),
        ("$$$(A)", "$1"),
    ],
)
def test_expansion(text: str, result: str) -> None:
    assert expanded(text, {"A": "1"}) == result
    assert expanded_all([text], (("A", "1"),)) == (result,)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("metadata.name", "p"),
        ("metadata.namespace", "ns"),
        ("metadata.uid", "u"),
        ("metadata.labels['b']", "2"),
        ("metadata.annotations['k']", "v"),
        ("metadata.labels", 'a="1\\""\nb="2"'),
        ("spec.nodeName", "n"),
        ("spec.serviceAccountName", "default"),
        ("status.hostIP", "10.0.0.1"),
        ("status.hostIPs", "10.0.0.1"),
        ("status.podIP", "10.1.0.5"),
        ("status.podIPs", "10.1.0.5,fd00::5"),
    ],
)
def test_field_references(path: str, text: str) -> None:
    assert env({"name": "A", "valueFrom": {"fieldRef": {"fieldPath": path}}}) == {"A": text}


@pytest.mark.parametrize(
    ("resource", "divisor", "text"),
    [
        ("limits.cpu", "1", "1"),
        ("limits.cpu", "1m", "500"),
        ("requests.cpu", "1m", "0"),
        ("limits.memory", "1Mi", "8192"),
        ("requests.memory", "1Mi", "1"),
        ("limits.ephemeral-storage", "0", "0"),
    ],
)
def test_resource_references_are_rounded_up_and_fall_back_to_the_node(resource: str, divisor: str, text: str) -> None:
    resources = {"limits": {"cpu": "500m"}, "requests": {"memory": "1000Ki"}}
    source = {"resourceFieldRef": {"resource": resource, "divisor": divisor}}
    assert env({"name": "A", "valueFrom": source}, resources=resources) == {"A": text}


def test_later_sources_win_and_env_overrides_env_from() -> None:
    made = env(
        {"name": "a", "value": "2"},
        {"name": "S", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        {"name": "E"},
        envFrom=[{"configMapRef": {"name": "m"}}, {"secretRef": {"name": "s"}, "prefix": "P_"}],
    )
    assert made == {"a": "2", "P_k": "value", "S": "value", "E": ""}


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ({"configMapKeyRef": {"name": "x", "key": "k"}}, 'configmap "x" not found'),
        ({"secretKeyRef": {"name": "x", "key": "k"}}, 'secret "x" not found'),
        ({"configMapKeyRef": {"name": "m", "key": "k"}}, "couldn't find key k in ConfigMap ns/m"),
        ({"secretKeyRef": {"name": "s", "key": "q"}}, "couldn't find key q in Secret ns/s"),
    ],
)
def test_what_is_missing_fails_the_start_unless_optional(source: dict[str, Any], text: str) -> None:
    container = {"name": "c", "env": [{"name": "A", "valueFrom": source}]}
    assert environment_of(pod(), container, LOOKUPS) == ConfigError(text)
    ((kind, ref),) = source.items()
    optional = {"name": "c", "env": [{"name": "A", "valueFrom": {kind: {**ref, "optional": True}}}]}
    assert environment_of(pod(), optional, LOOKUPS) == ()


def test_a_missing_source_of_env_from_fails_the_start_unless_optional() -> None:
    source = {"configMapRef": {"name": "x"}}
    assert environment_of(pod(), {"name": "c", "envFrom": [source]}, LOOKUPS) == ConfigError('configmap "x" not found')
    assert env(envFrom=[{"secretRef": {"name": "x", "optional": True}}]) == {}


def test_services_of_the_namespace_and_kubernetes_are_shown() -> None:
    services = (
        service("my-db"),
        service("kubernetes", "default"),
        service("other", "else"),
        service("none", ip="None"),
    )
    made = env({"name": "MY_DB_PORT", "value": "own"}, lookups=LOOKUPS._replace(services=services))
    assert made["MY_DB_SERVICE_HOST"] == "10.96.0.1"
    assert made["MY_DB_SERVICE_PORT_WEB_PORT"] == "80"
    assert made["MY_DB_PORT_80_TCP_ADDR"] == "10.96.0.1"
    assert made["MY_DB_PORT"] == "own"
    assert made["KUBERNETES_PORT"] == "tcp://10.96.0.1:80"
    assert not [k for k in made if k.startswith(("OTHER", "NONE"))]
    without = environment_of(pod(enableServiceLinks=False), {"name": "c"}, LOOKUPS._replace(services=services))
    assert not isinstance(without, ConfigError)
    assert not [k for k, _ in without if k.startswith("MY_DB")]


def files(volume: dict[str, Any]) -> Any:
    assert is_made_of_files({"name": "v", **volume})
    return volume_files(
        {"name": "v", **volume}, pod(containers=[{"name": "c"}]), LOOKUPS, lambda audience, seconds: b"t%d" % seconds
    )


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        (
            {"configMap": {"name": "m", "defaultMode": 0o400}},
            (VolumeFile("a", b"1", 0o400), VolumeFile("bad=key", b"x", 0o400), VolumeFile("z", b"\0\1", 0o400)),
        ),
        (
            {"configMap": {"name": "m", "items": [{"key": "a", "path": "d/a", "mode": 0o600}]}},
            (VolumeFile("d/a", b"1", 0o600),),
        ),
        ({"configMap": {"name": "x"}}, MountError('configmap "x" not found')),
        ({"configMap": {"name": "x", "optional": True}}, ()),
        (
            {"configMap": {"name": "m", "items": [{"key": "q", "path": "q"}]}},
            MountError("configmap references non-existent config key: q"),
        ),
        ({"configMap": {"name": "m", "optional": True, "items": [{"key": "q", "path": "q"}]}}, ()),
        ({"secret": {"secretName": "s"}}, (VolumeFile("k", b"value", 0o644),)),
        ({"secret": {"secretName": "x"}}, MountError('secret "x" not found')),
        (
            {"secret": {"secretName": "s", "items": [{"key": "q", "path": "q"}]}},
            MountError("references non-existent secret key: q"),
        ),
        (
            {"downwardAPI": {"items": [{"path": "n", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
            (VolumeFile("n", b"ns", 0o644),),
        ),
        (
            {
                "downwardAPI": {
                    "items": [{"path": "n", "resourceFieldRef": {"containerName": "c", "resource": "limits.cpu"}}]
                }
            },
            (VolumeFile("n", b"4", 0o644),),
        ),
        (
            {"downwardAPI": {"items": [{"path": "n", "fieldRef": {"fieldPath": "spec.nope"}}]}},
            MountError("unsupported fieldPath: spec.nope"),
        ),
        (
            {"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}, {"secret": {"name": "s"}}]}},
            (VolumeFile("token", b"t3600", 0o644), VolumeFile("k", b"value", 0o644)),
        ),
        ({"projected": {"sources": [{"configMap": {"name": "x"}}]}}, MountError('configmap "x" not found')),
        (
            {"projected": {"sources": [{"configMap": {"name": "x"}}, {"secret": {"name": "y"}}, {"downwardAPI": {}}]}},
            MountError('[configmap "x" not found, secret "y" not found]'),
        ),
    ],
)
def test_files_of_volumes(volume: dict[str, Any], expected: object) -> None:
    assert files(volume) == expected


def test_a_folder_is_not_made_of_files() -> None:
    assert not is_made_of_files({"name": "v", "emptyDir": {}})
    assert isinstance(
        volume_files({"name": "v", "emptyDir": {}}, pod(), LOOKUPS, lambda audience, seconds: b""), MountError
    )


NODE = NodeNames(
    "node-1", cluster_dns=("10.96.0.10",), nameservers=("8.8.8.8",), searches=("lan",), hosts="127.0.0.1 node-1\n"
)


def test_the_hosts_file_of_a_pod_with_a_subdomain_and_aliases() -> None:
    made = hosts_file(pod(subdomain="sub", hostAliases=[{"ip": "1.2.3.4", "hostnames": ["x", "y"]}]), NODE)
    assert made.splitlines()[0] == "# Kubernetes-managed hosts file."
    assert made.endswith("%POD_IP%\tp.sub.ns.svc.cluster.local\tp\n\n# Entries added by HostAliases.\n1.2.3.4\tx\ty\n")


def test_a_pod_on_the_hosts_network_has_the_nodes_names() -> None:
    assert hostname_of(pod(hostNetwork=True), NODE) == ("node-1", "")
    assert (
        hosts_file(pod(hostNetwork=True), NODE) == "# Kubernetes-managed hosts file (host network).\n127.0.0.1 node-1\n"
    )


def test_hostnames() -> None:
    assert hostname_of(pod(hostname="h"), NODE) == ("h", "")
    assert hostname_of({"metadata": {"name": "a" * 62 + "-b"}, "spec": {}}, NODE) == ("a" * 62, "")
    full = "p.s.ns.svc.cluster.local"
    assert hostname_of(pod(subdomain="s", setHostnameAsFQDN=True), NODE) == (full, full)
    assert f"{full}\tp\n" in hosts_file(pod(subdomain="s", setHostnameAsFQDN=True), NODE)


CLUSTER = "nameserver 10.96.0.10\nsearch ns.svc.cluster.local svc.cluster.local cluster.local lan\noptions ndots:5\n"


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({}, CLUSTER),
        ({"hostNetwork": True}, "nameserver 8.8.8.8\nsearch lan\n"),
        ({"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}, CLUSTER),
        ({"dnsPolicy": "Default"}, "nameserver 8.8.8.8\nsearch lan\n"),
        ({"dnsPolicy": "None"}, ""),
        (
            {
                "dnsPolicy": "None",
                "dnsConfig": {
                    "nameservers": ["1.1.1.1"],
                    "options": [{"name": "debug"}, {"name": "ndots", "value": "2"}],
                },
            },
            "nameserver 1.1.1.1\noptions debug ndots:2\n",
        ),
        ({"dnsConfig": {"options": [{"name": "ndots", "value": "1"}]}}, CLUSTER.replace("ndots:5", "ndots:1")),
    ],
)
def test_resolv_conf_by_dns_policy(spec: dict[str, Any], text: str) -> None:
    assert resolv_conf(pod(**spec), NODE) == text


def test_resolv_conf_has_limits() -> None:
    config = {"nameservers": ["1", "2", "3", "4"], "searches": ["x" * 300 + str(i) for i in range(9)]}
    made = resolv_conf(pod(dnsPolicy="None", dnsConfig=config), NODE).splitlines()
    assert len([line for line in made if line.startswith("nameserver")]) == 3
    assert len(made[-1]) <= 2048 + len("search ")


def test_the_whole_hosts_file() -> None:
    assert hosts_file(pod(), NODE) == (
        "# Kubernetes-managed hosts file.\n"
        "127.0.0.1\tlocalhost\n"
        "::1\tlocalhost ip6-localhost ip6-loopback\n"
        "fe00::0\tip6-localnet\n"
        "fe00::0\tip6-mcastprefix\n"
        "fe00::1\tip6-allnodes\n"
        "fe00::2\tip6-allrouters\n"
        "%POD_IP%\tp\n"
    )


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        ([], {"WEB_SERVICE_HOST": "10.96.0.1"}),
        (
            [{"port": 80}],
            {
                "WEB_SERVICE_HOST": "10.96.0.1",
                "WEB_SERVICE_PORT": "80",
                "WEB_PORT": "tcp://10.96.0.1:80",
                "WEB_PORT_80_TCP": "tcp://10.96.0.1:80",
                "WEB_PORT_80_TCP_PROTO": "tcp",
                "WEB_PORT_80_TCP_PORT": "80",
                "WEB_PORT_80_TCP_ADDR": "10.96.0.1",
            },
        ),
        (
            [{"name": "a-b", "port": 53, "protocol": "UDP"}, {"name": "c", "port": 54, "protocol": "TCP"}],
            {
                "WEB_SERVICE_HOST": "10.96.0.1",
                "WEB_SERVICE_PORT": "53",
                "WEB_SERVICE_PORT_A_B": "53",
                "WEB_SERVICE_PORT_C": "54",
                "WEB_PORT": "udp://10.96.0.1:53",
                "WEB_PORT_53_UDP": "udp://10.96.0.1:53",
                "WEB_PORT_53_UDP_PROTO": "udp",
                "WEB_PORT_53_UDP_PORT": "53",
                "WEB_PORT_53_UDP_ADDR": "10.96.0.1",
                "WEB_PORT_54_TCP": "tcp://10.96.0.1:54",
                "WEB_PORT_54_TCP_PROTO": "tcp",
                "WEB_PORT_54_TCP_PORT": "54",
                "WEB_PORT_54_TCP_ADDR": "10.96.0.1",
            },
        ),
    ],
)
def test_all_variables_of_a_service(ports: list[dict[str, Any]], expected: dict[str, str]) -> None:
    web = {"metadata": {"name": "web", "namespace": "ns"}, "spec": {"clusterIP": "10.96.0.1", "ports": ports}}
    made = env(lookups=LOOKUPS._replace(services=(web,)))
    assert {name: value for name, value in made.items() if name.startswith("WEB_")} == expected


@pytest.mark.parametrize(
    ("ref", "value"),
    [
        ({"resource": "limits.cpu"}, "4"),  # unset: the node's
        ({"resource": "limits.cpu", "containerName": "c"}, "2"),
        ({"resource": "limits.memory", "containerName": "i", "divisor": "1Mi"}, "64"),
        ({"resource": "limits.cpu", "containerName": "nobody"}, "4"),
    ],
)
def test_a_resource_may_be_that_of_another_container(ref: dict[str, Any], value: str) -> None:
    both = pod(
        containers=[{"name": "b"}, {"name": "c", "resources": {"limits": {"cpu": "2"}}}],
        initContainers=[{"name": "i", "resources": {"limits": {"memory": "64Mi"}}}],
    )
    own = {"name": "b", "env": [{"name": "V", "valueFrom": {"resourceFieldRef": ref}}]}
    assert environment_of(both, own, LOOKUPS) == (("V", value),)


def test_a_source_of_no_known_kind_gives_an_empty_value() -> None:
    assert env({"name": "V", "valueFrom": {"fileKeyRef": {"path": "x"}}})["V"] == ""


@pytest.mark.parametrize("resource", ["limits", "cpu", "wishes.cpu"])
def test_a_resource_that_is_neither_limit_nor_request_is_an_error(resource: str) -> None:
    container = {"name": "c", "env": [{"name": "V", "valueFrom": {"resourceFieldRef": {"resource": resource}}}]}
    assert environment_of(pod(), container, LOOKUPS) == ConfigError(f"unsupported container resource : {resource}")


def test_labels_in_a_file_keep_what_cannot_be_printed_as_go_would_write_it() -> None:
    assert map_text({"b": "\u00e4", "a": 'q"\x01\u200b'}) == 'a="q\\"\\x01\\u200b"\nb="\u00e4"'


def test_a_projected_source_of_no_known_kind_adds_no_files() -> None:
    sources = [
        {"clusterTrustBundle": {"path": "x"}},
        {"configMap": {"name": "m", "items": [{"key": "a", "path": "f"}]}},
    ]
    made = volume_files({"projected": {"sources": sources}}, pod(), LOOKUPS, lambda audience, seconds: b"t")
    assert not isinstance(made, MountError)
    assert [f.path for f in made] == ["f"]
