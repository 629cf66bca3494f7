"""What of a machine's own name resolution its pods are given: the node's resolv.conf as values."""

from __future__ import annotations

from lifepod.lifecycle.pod_files import NodeNames


def node_names(node: str, cluster_dns: str, resolv_conf: str) -> NodeNames:
    """`resolv_conf` is the text of the machine's file; the last `search` and `options` lines count, as resolvers read it."""
    servers: list[str] = []
    searches: list[str] = []
    options: list[str] = []
    for line in resolv_conf.splitlines():
        match line.split():
            case ["nameserver", address, *_]:
                servers.append(address)
            case ["search" | "domain", *names]:
                searches = names
            case ["options", *words]:
                options = words
    dns = (cluster_dns,) if cluster_dns else ()
    return NodeNames(
        node, cluster_dns=dns, nameservers=tuple(servers), searches=tuple(searches), options=tuple(options)
    )
