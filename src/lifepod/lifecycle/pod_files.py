"""What stands in a pod's /etc/hosts and /etc/resolv.conf, and what is its hostname? (lifecycle.md §9.4)"""

from __future__ import annotations

from typing import NamedTuple

from lifepod.api.objects import JsonObject

POD_IP = "%POD_IP%"
MAX_NAMESERVERS, MAX_SEARCHES, MAX_SEARCH_CHARACTERS = 3, 32, 2048


class NodeNames(NamedTuple):
    """What of the node and the cluster shows in these files."""

    node_name: str
    cluster_domain: str = "cluster.local"
    cluster_dns: tuple[str, ...] = ()
    hosts: str = ""
    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


def hostname_of(pod: JsonObject, node: NodeNames) -> tuple[str, str]:
    """(hostname, its full name or "").

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kubelet_pods.go: GeneratePodHostNameAndDomain
    """
    spec, meta = pod["spec"], pod["metadata"]
    if spec.get("hostNetwork"):
        return node.node_name, ""
    name = (spec.get("hostname") or meta["name"])[:63].rstrip("-.")
    if not spec.get("subdomain"):
        return name, ""
    full = f"{name}.{spec['subdomain']}.{meta.get('namespace', '')}.svc.{node.cluster_domain}"
    return (full, full) if spec.get("setHostnameAsFQDN") else (name, full)


def hosts_file(pod: JsonObject, node: NodeNames) -> str:
    """/etc/hosts, with `%POD_IP%` where the pod's address goes.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kubelet_pods.go: ensureHostsFile, managedHostsFileContent
    """
    if pod["spec"].get("hostNetwork"):
        return "# Kubernetes-managed hosts file (host network).\n" + node.hosts + _aliases(pod)
    name, full = hostname_of(pod, node)
    if full == name:
        name = full.partition(".")[0]
    lines = [
        "# Kubernetes-managed hosts file.",
        "127.0.0.1\tlocalhost",
        "::1\tlocalhost ip6-localhost ip6-loopback",
        "fe00::0\tip6-localnet",
        "fe00::0\tip6-mcastprefix",
        "fe00::1\tip6-allnodes",
        "fe00::2\tip6-allrouters",
        f"{POD_IP}\t{full}\t{name}" if full else f"{POD_IP}\t{name}",
    ]
    return "\n".join(lines) + "\n" + _aliases(pod)


def _aliases(pod: JsonObject) -> str:
    aliases = pod["spec"].get("hostAliases") or ()
    if not aliases:
        return ""
    lines = ["", "# Entries added by HostAliases."]
    lines += ["\t".join((a["ip"], *(a.get("hostnames") or ()))) for a in aliases]
    return "\n".join(lines) + "\n"


def resolv_conf(pod: JsonObject, node: NodeNames) -> str:
    """resolv.conf by dnsPolicy, dnsConfig merged on top.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/network/dns/dns.go: GetPodDNS
    """
    spec = pod["spec"]
    policy = spec.get("dnsPolicy") or "ClusterFirst"
    if policy == "ClusterFirst" and spec.get("hostNetwork"):
        policy = "Default"
    servers: list[str] = []
    searches: list[str] = []
    options: list[str] = []
    if policy in ("ClusterFirst", "ClusterFirstWithHostNet") and node.cluster_dns:
        domain = node.cluster_domain
        servers = list(node.cluster_dns)
        searches = [f"{pod['metadata'].get('namespace', '')}.svc.{domain}", f"svc.{domain}", domain, *node.searches]
        options = ["ndots:5"]
    elif policy != "None":
        servers, searches, options = list(node.nameservers), list(node.searches), list(node.options)
    config = spec.get("dnsConfig") or {}
    servers = list(dict.fromkeys([*servers, *(config.get("nameservers") or ())]))[:MAX_NAMESERVERS]
    searches = _fitting(list(dict.fromkeys([*searches, *(config.get("searches") or ())])))
    options = _merged_options(options, config.get("options") or [])
    lines = [f"nameserver {s}" for s in servers]
    if searches:
        lines.append("search " + " ".join(searches))
    if options:
        lines.append("options " + " ".join(options))
    return "\n".join(lines) + "\n" if lines else ""


def _fitting(searches: list[str]) -> list[str]:
    kept = searches[:MAX_SEARCHES]
    while len(" ".join(kept)) > MAX_SEARCH_CHARACTERS:
        kept.pop()
    return kept


def _merged_options(options: list[str], wanted: list[JsonObject]) -> list[str]:
    """dnsConfig's options override those of the same name."""
    by_name = {o.partition(":")[0]: o for o in options}
    for o in wanted:
        value = o.get("value")
        by_name[o["name"]] = o["name"] if value in (None, "") else f"{o['name']}:{value}"
    return list(by_name.values())
