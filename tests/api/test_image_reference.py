"""Image names, as the distribution project parses them."""

import pytest

from lifepod.api.image_reference import BadReference, parse


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("busybox", "docker.io/library/busybox"),
        ("busybox:1.36", "docker.io/library/busybox:1.36"),
        ("grafana/grafana", "docker.io/grafana/grafana"),
        ("quay.io/a/b/c:v1", "quay.io/a/b/c:v1"),
        ("localhost/x", "localhost/x"),
        ("localhost:5000/x:y", "localhost:5000/x:y"),
        ("index.docker.io/nginx", "docker.io/library/nginx"),
        ("registry.invalid/absent:1", "registry.invalid/absent:1"),
        ("a/b@sha256:" + "0" * 64, "docker.io/a/b@sha256:" + "0" * 64),
        ("[::1]:5000/x", "[::1]:5000/x"),
    ],
)
def test_short_names_are_filled_in(name, full):
    assert str(parse(name)) == full


def test_the_default_tag_is_latest_unless_a_digest_says_which():
    assert str(parse("busybox").with_default_tag) == "docker.io/library/busybox:latest"
    assert parse("a@sha256:" + "0" * 64).with_default_tag.tag == ""


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("busybox:1.28'", "invalid reference format"),
        ("busy box", "invalid reference format"),
        ("Busybox", "repository name \\(library/Busybox\\) must be lowercase"),
        ("UPPER//Name", "repository name \\(/Name\\) must be lowercase"),
        ("", "invalid reference format"),
        ("a:", "invalid reference format"),
        ("a/" + "b" * 256, "more than 255"),
        ("f" * 64, "64-byte hexadecimal"),
        ("a@sha256:12", "invalid reference format"),
    ],
)
def test_what_does_not_parse_is_refused_in_upstreams_words(name, words):
    with pytest.raises(BadReference, match=words):
        parse(name)
