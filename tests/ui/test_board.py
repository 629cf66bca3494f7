"""What the board shows, as plain text of a terminal's size."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from lifepod.ui.board import Header, LiveBoard, colour_of, render
from lifepod.ui.story import LogLine


def shown(told, width=100, height=40, **console):
    out = io.StringIO()
    header = Header("lifepod run", ("join in: export KUBECONFIG=/tmp/x",))
    picture = render(told.story, header, told.findings(), told.now, width, height)
    Console(file=out, width=width, height=height, **console).print(picture)
    return out.getvalue()


def test_every_pod_stands_as_kubectl_prints_it_with_its_containers_and_causes(told):
    lines = [line.rstrip() for line in shown(told, 110).splitlines()]
    assert lines == [
        "lifepod run",
        "join in: export KUBECONFIG=/tmp/x",
        "",
        "NAME       READY  STATUS            RESTARTS    AGE",
        "crash      0/1    CrashLoopBackOff  2 (5s ago)  10s",
        "myapp-pod  0/1    Init:0/2          0           10s",
        "",
        "  crash  ● PodScheduled  ○ Ready",
        "    app  Waiting CrashLoopBackOff  ━━━━━━━━━━━━ again in 5s  Exit code 1.",
        "  myapp-pod  ● PodScheduled  ○ Ready",
        '    init-myservice  Running                  8s  No Service is called "myservice".',
        "    init-mydb       Waiting PodInitializing",
        "    myapp           Waiting PodInitializing",
        "  job/work  Running  active 1",
        "",
        "events",
        next(line for line in lines if "BackOff (x3)" in line),
        "",
        "logs",
        "  init-myservice │ waiting for myservice",
    ]


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
@pytest.mark.parametrize("height", [10, 24, 60])
def test_it_fits_every_terminal(told, width, height):
    for n in range(100):
        told.story.on_log(LogLine("myapp-pod", "init-myservice", f"line {n} " + "wide 字 " * 40))
    lines = shown(told, width, height).splitlines()
    assert max(cell_len(line) for line in lines) <= width
    assert any("line 99" in line for line in lines)
    assert any("myapp-pod" in line for line in lines)


@pytest.mark.parametrize("width", range(20, 60))
def test_a_condition_s_mark_stays_with_its_word_and_notes_are_told_whole(told, width):
    lines = [line.rstrip() for line in shown(told, width).splitlines()]
    assert not [line for line in lines if line.endswith(("●", "○"))]
    assert "".join(lines[1:4]).replace(" ", "").startswith("joinin:exportKUBECONFIG=/tmp/x")


def test_a_container_s_control_codes_do_not_reach_the_terminal(told):
    told.story.on_log(LogLine("crash", "app", "\x1b[2J\x1b[31mred\x07\r\x00 [bold]as it is[/bold] :smile:"))
    said = shown(told, 100, force_terminal=True, color_system=None)
    assert "\x1b[2J" not in said
    assert "\x07" not in said
    assert "[bold]as it is[/bold] :smile:" in said


@pytest.mark.parametrize(
    ("status", "colour"),
    [
        ("Running", "green"),
        ("Completed", "green"),
        ("Init:0/2", "yellow"),
        ("PodInitializing", "yellow"),
        ("Terminating", "yellow"),
        ("CrashLoopBackOff", "red"),
        ("Init:Error", "red"),
        ("OOMKilled", "red"),
    ],
)
def test_colours_say_good_under_way_or_bad(status, colour):
    assert colour_of(status) == colour


def test_it_is_drawn_at_most_four_times_a_second():
    board = LiveBoard(Console(file=io.StringIO(), width=80))
    drawn = [board.draw("x", moment / 100) for moment in range(100)]
    assert drawn.count(True) == 4
