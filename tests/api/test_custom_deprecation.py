"""What is said of a deprecated version of a custom kind."""

from __future__ import annotations

import pytest

from lifepod.api.custom_deprecation import deprecation_of


def version(name: str, **more: object) -> dict[str, object]:
    return {"name": name, "served": True, **more}


OLD = version("v1beta1", deprecated=True)


@pytest.mark.parametrize(
    ("about", "asked", "others", "said"),
    [
        ("a version that stays", version("v1"), [], ""),
        ("nothing better", OLD, [], "g.io/v1beta1 Widget is deprecated"),
        ("something better", OLD, [version("v1")], "g.io/v1beta1 Widget is deprecated; use g.io/v1 Widget"),
        ("the best of the better", OLD, [version("v1"), version("v10"), version("v2"), version("v11beta1")],
         "g.io/v1beta1 Widget is deprecated; use g.io/v10 Widget"),
        ("a newer beta", OLD, [version("v1beta2")], "g.io/v1beta1 Widget is deprecated; use g.io/v1beta2 Widget"),
        ("only worse ones", OLD, [version("v1alpha1"), version("other")], "g.io/v1beta1 Widget is deprecated"),
        ("one that is not served", OLD, [version("v1", served=False)], "g.io/v1beta1 Widget is deprecated"),
        ("one that is deprecated too", OLD, [version("v1", deprecated=True)], "g.io/v1beta1 Widget is deprecated"),
        ("words of its own", {**OLD, "deprecationWarning": "no more"}, [version("v1")], "no more"),
        ("words, but not deprecated", version("v1", deprecationWarning="no more"), [], ""),
    ],
)  # fmt: skip
def test_who_asks_for_a_deprecated_version_is_told(
    about: str, asked: dict[str, object], others: list[dict[str, object]], said: str
) -> None:
    spec = {"group": "g.io", "names": {"kind": "Widget"}, "versions": [asked, *others]}
    assert deprecation_of(spec, asked) == said, about
