"""What the cluster's names stand for."""

from __future__ import annotations

import struct

import pytest

from lifepod.net import dns_message as wire
from lifepod.net.dns import Names
from lifepod.net.service_table import Endpoint, ServiceEntry, ServicePort, ServiceTable

TABLE = ServiceTable(
    (
        ServiceEntry("default", "web", "10.96.0.7", (ServicePort("http", 80, "TCP", ()),), ()),
        ServiceEntry(
            "default",
            "db",
            "",
            (),
            (Endpoint("10.244.0.5", "db-0", (("sql", "TCP", 5432),)), Endpoint("10.244.0.6", "", ())),
        ),
        ServiceEntry("default", "none", "", (), ()),
        ServiceEntry("default", "out", "", (), (), external_name="example.org"),
    ),
    frozenset({"default"}),
)
ZONE = "default.svc.cluster.local"


@pytest.mark.parametrize(
    ("name", "kind", "exists", "payloads"),
    [
        (f"web.{ZONE}", wire.A, True, [bytes([10, 96, 0, 7])]),
        (f"web.{ZONE}", wire.AAAA, True, []),
        (f"db.{ZONE}", wire.A, True, [bytes([10, 244, 0, 5]), bytes([10, 244, 0, 6])]),
        (f"db-0.db.{ZONE}", wire.A, True, [bytes([10, 244, 0, 5])]),
        (f"10-244-0-6.db.{ZONE}", wire.A, True, [bytes([10, 244, 0, 6])]),
        (f"none.{ZONE}", wire.A, False, []),
        (f"absent.{ZONE}", wire.A, False, []),
        ("web.other.svc.cluster.local", wire.A, False, []),
        (ZONE, wire.A, True, []),
        (f"out.{ZONE}", wire.A, True, [wire.encode_name("example.org")]),
        (f"_http._tcp.web.{ZONE}", wire.SRV, True, [wire.service_data(80, f"web.{ZONE}", 100)]),
        (f"_sql._tcp.db.{ZONE}", wire.SRV, True, [wire.service_data(5432, f"db-0.db.{ZONE}", 100)]),
        ("10-244-0-9.default.pod.cluster.local", wire.A, True, [bytes([10, 244, 0, 9])]),
        ("7.0.96.10.in-addr.arpa", wire.PTR, True, [wire.encode_name(f"web.{ZONE}")]),
        ("5.0.244.10.in-addr.arpa", wire.PTR, True, [wire.encode_name(f"db-0.db.{ZONE}")]),
    ],
)
def test_a_name_stands_for(name, kind, exists, payloads):
    found = Names(TABLE).find(name, kind)
    assert (found.exists, [record.data for record in found.answers]) == (exists, payloads)


def test_a_reply_repeats_the_question_as_it_was_spelled():
    packet = struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + wire.encode_name(f"WEB.{ZONE}") + struct.pack(">2H", wire.A, 1)
    reply = Names(TABLE).reply(wire.parse_question(packet))
    assert reply[:2] == packet[:2]
    assert reply[12 : len(packet)] == packet[12:]
    assert reply.endswith(bytes([10, 96, 0, 7]))
    absent = struct.pack(">6H", 7, 0, 1, 0, 0, 0) + wire.encode_name(f"x.{ZONE}") + struct.pack(">2H", wire.A, 1)
    assert Names(TABLE).reply(wire.parse_question(absent))[3] & 0xF == wire.NAME_ERROR
