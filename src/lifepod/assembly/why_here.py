"""`lifepod why`: gather the picture of one pod from an API and tell the findings.

A lifepod cluster also gives the decisions of its core (`/lifepod/decisions/<uid>`), so that the cause is read from the decision
itself; any other cluster's pods are judged by their objects and events alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import click
import orjson

from lifepod.api.objects import JsonObject, dig, format_micro_time
from lifepod.api.writes import ApiError
from lifepod.assembly.clusters import running, state_home
from lifepod.assembly.decision_pages import decisions_from
from lifepod.assembly.errors import StartError
from lifepod.assembly.real_time import RealClock
from lifepod.client import kubeconfig
from lifepod.client.base import Client
from lifepod.client.errors import KubeconfigError
from lifepod.diagnosis.findings import Finding, Picture
from lifepod.diagnosis.why import why
from lifepod.lifecycle.vocabulary import Because
from lifepod.ui.plain import finding_lines
from lifepod.ui.story import container_statuses


class WhyOptions(NamedTuple):
    """What the command line said."""

    pod: str
    namespace: str | None = None
    name: str | None = None
    context: str | None = None
    kubeconfig: str | None = None
    output: str = "text"


async def why_pod(options: WhyOptions) -> int:
    """Print the findings; 0 when nothing is wrong, 1 when something is. Raises LifepodError."""
    from lifepod.client.http import Http

    access = _access(options)
    client = Client(Http(access))
    try:
        picture = await _picture(client, options.namespace or access.namespace, options.pod)
    except ApiError as exc:
        raise StartError(str(exc)) from exc
    finally:
        await client.close()
    findings = why(picture)
    _tell(picture, findings, options)
    return 0 if all(f.cause.startswith("Nothing is wrong") for f in findings) else 1


def _access(options: WhyOptions) -> kubeconfig.Access:
    if options.context or options.kubeconfig:
        paths = [Path(options.kubeconfig)] if options.kubeconfig else kubeconfig.default_paths(os.environ)
        return kubeconfig.load(paths, options.context)
    up = [c for c in running(state_home(os.environ)) if c.up and options.name in (None, c.name)]
    if len(up) == 1:
        return kubeconfig.load([up[0].kubeconfig])
    if up:
        raise StartError(f"several clusters are up ({', '.join(c.name for c in up)}): say --name")
    try:
        return kubeconfig.load(kubeconfig.default_paths(os.environ))
    except KubeconfigError as exc:
        raise StartError(f"no lifepod cluster is up, and {exc}") from exc


async def _picture(client: Client, namespace: str, name: str) -> Picture:
    core = f"/api/v1/namespaces/{namespace}"
    pod = await client.get(f"{core}/pods/{name.removeprefix('pod/').removeprefix('pods/')}")
    meta = pod["metadata"]
    events = await client.get(f"{core}/events", {"fieldSelector": f"involvedObject.uid={meta['uid']}"})
    services = await client.get(f"{core}/services")
    there = {("services", namespace, s["metadata"]["name"]): s for s in services["items"]}
    found = sorted(
        events["items"],
        key=lambda e: e.get("lastTimestamp") or e.get("eventTime") or e["metadata"]["creationTimestamp"],
    )
    return Picture(
        pod,
        RealClock().now(),
        tuple(found),
        _finder(there),
        await _decisions(client, meta["uid"]),
        await _last_lines(client, f"{core}/pods/{meta['name']}", pod),
    )


def _finder(there: dict[tuple[str, str, str], JsonObject]) -> Callable[[str, str, str], JsonObject | None]:
    return lambda resource, namespace, name: there.get((resource, namespace, name))


async def _decisions(client: Client, uid: str) -> tuple[Because, ...]:
    try:
        return decisions_from(await client.get(f"/lifepod/decisions/{uid}"))
    except ApiError:
        return ()


async def _last_lines(client: Client, path: str, pod: JsonObject) -> tuple[tuple[str, str], ...]:
    lines: list[tuple[str, str]] = []
    for status in container_statuses(pod):
        if not status.get("containerID"):
            continue
        try:
            chunks = [c async for c in client.stream(f"{path}/log", {"container": status["name"], "tailLines": "1"})]
        except ApiError:
            continue
        text = b"".join(chunks).decode(errors="replace").strip()
        if text:
            lines.append((status["name"], text))
    return tuple(lines)


def _tell(picture: Picture, findings: tuple[Finding, ...], options: WhyOptions) -> None:
    pod = picture.pod
    if options.output == "json":
        shown = [
            {
                "container": f.subject,
                "cause": f.cause,
                "next": f.happens,
                "at": format_micro_time(f.at) if f.at else None,
                "remedy": list(f.remedy),
                "evidence": list(f.evidence),
            }
            for f in findings
        ]
        decided = [
            b._asdict() | {"until": format_micro_time(b.until) if b.until else None, "facts": dict(b.facts)}
            for b in picture.decisions
        ]
        click.echo(orjson.dumps({"pod": pod["metadata"]["name"], "findings": shown, "decisions": decided}).decode())
        return
    click.echo(f"pod/{pod['metadata']['name']}  {dig(pod, 'status', 'phase') or 'Pending'}")
    for finding in findings:
        for line in finding_lines(finding, picture.now):
            click.echo(f"  {line}")
    if picture.decisions:
        click.echo("  decided by:")
        for because in tuple(dict.fromkeys(picture.decisions[::-1]))[:3]:
            facts = ", ".join(f"{name} {text}" for name, text in because.facts if text)
            click.echo(
                f"    {because.rule}{f' ({because.subject})' if because.subject else ''}: {because.verdict}{f' — {facts}' if facts else ''}"
            )
