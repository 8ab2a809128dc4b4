"""The root file system of every session: made once from a list of Debian packages, cached by the digest of its recipe."""

import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sekft.errors import SandboxError, one_line
from sekft.tracking.files import cache_folder, lock, sha256, write_text

if TYPE_CHECKING:
    import docker

RECIPE = Path(__file__).with_name("mkroot.sh")
REPOSITORY = "sekft-base"
OWN_BUILD = f"{REPOSITORY}:local"  # built by the user from the Dockerfile, where the host has no apt-get
BUILD_S = 600.0
ROOT_UID = 0x70000000  # owner of the unpacked files if we are root; sessions map it to their root, and no account has it


def root_tar(cache: Path | None = None) -> Path:
    """The tar of the root file system; the first call builds it in about ten seconds. Raises SandboxError."""
    folder = _folder(cache)
    tar = folder / "root.tar"
    if not tar.exists():
        with _building(folder) as work:
            if not tar.exists():
                build(work / "root", work / "root.tar")
                (work / "root.tar").rename(tar)
    return tar


def known_name(cache: Path | None = None) -> str:
    """The name of the image if it exists, else that of its recipe; nothing is built."""
    recipe = sha256(RECIPE)[:12]
    note = (cache or cache_folder()) / f"root-{recipe}" / "root.sha256"
    return f"{REPOSITORY}:{note.read_text()[:12]}" if note.exists() else f"to be made from recipe {recipe}"


def root_folder(cache: Path | None = None) -> Path:
    """The root file system, unpacked and readable by everyone. Raises SandboxError."""
    tar = root_tar(cache)
    folder = tar.with_name("root")
    if not folder.exists():
        with _building(tar.parent) as work:
            if not folder.exists():
                unpack(tar, work / "root")
                (work / "root").rename(folder)
    return folder


def docker_image(client: "docker.DockerClient", cache: Path | None = None) -> tuple[str, str]:
    """(tag, digest) of the image in this engine. A missing image is imported from the tar, never pulled. Raises SandboxError."""
    import docker.errors

    if not shutil.which("apt-get"):
        return _own_build(client)
    tar = root_tar(cache)
    digest = tar_digest(tar)
    tag = f"{REPOSITORY}:{digest[:12]}"
    try:
        if not _has(client, tag):
            with _building(tar.parent):  # two imports at the same time leave an image without a name
                if not _has(client, tag):
                    changes = ["ENV PATH=/usr/local/bin:/usr/bin:/bin", "ENV LANG=C.UTF-8", "WORKDIR /home/agent"]
                    changes += ["USER 1000:1000", 'CMD ["/bin/sh"]', "LABEL sekft=1"]
                    client.api.import_image_from_file(str(tar), repository=REPOSITORY, tag=digest[:12], changes=changes)
                    if not _has(client, tag):  # podman 4 ignores the tag and uses `latest`
                        client.api.tag(f"{REPOSITORY}:latest", REPOSITORY, digest[:12], force=True)
    except (docker.errors.DockerException, OSError) as error:
        raise SandboxError(f"the engine did not take the image {tag}: {one_line(error)}; is its disk full?") from None
    return tag, f"sha256:{digest}"


def build(folder: Path, tar: Path) -> None:
    """Run the recipe. Raises SandboxError with the last line of its errors."""
    try:
        done = subprocess.run(
            ["/bin/sh", str(RECIPE), str(folder), str(tar)], capture_output=True, text=True, timeout=BUILD_S, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SandboxError(f"the root file system was not built: {one_line(error)}; see {RECIPE.name}") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"{RECIPE.name} ended with status {done.returncode}"]
        raise SandboxError(f"the root file system was not built: {lines[-1]}")


def unpack(tar: Path, folder: Path) -> None:
    """Unpack tar into folder, owned by ROOT_UID if we are root. Raises SandboxError."""
    folder.mkdir(mode=0o755)
    try:
        with tarfile.open(tar) as archive:
            archive.extractall(folder, filter=_owned if os.geteuid() == 0 else "tar", numeric_owner=True)
    except (OSError, tarfile.TarError) as error:
        raise SandboxError(f"{tar} cannot be unpacked: {one_line(error)}; delete it and try again") from None


def tar_digest(tar: Path) -> str:
    """Hex SHA-256 of the tar, computed once and kept in a file beside it."""
    note = tar.with_name("root.sha256")
    if not note.exists():
        write_text(note, sha256(tar))
    return note.read_text()


def _owned(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo:
    checked = tarfile.tar_filter(member, path)
    return checked.replace(uid=ROOT_UID, gid=ROOT_UID, uname="", gname="", deep=False)


def _folder(cache: Path | None) -> Path:
    recipe = sha256(RECIPE)[:12]
    folder = (cache or cache_folder()) / f"root-{recipe}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for part in (folder, folder.parent):  # whatever our umask is: sessions run as another user
            part.chmod(0o755)
    except OSError as error:
        raise SandboxError(f"{folder} cannot be made: {error.strerror}; set XDG_CACHE_HOME to a folder you may write") from None
    return folder


@contextmanager
def _building(folder: Path) -> Iterator[Path]:
    """A scratch folder beside the result, under a lock, so that a killed build leaves nothing with the result's name."""
    taken = SandboxError(f"{folder / 'lock'} is held by another process for too long; end it and try again")
    try:
        with lock(folder / "lock", taken, timeout_s=2 * BUILD_S):
            for stale in folder.glob("work-*"):
                shutil.rmtree(stale, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix="work-", dir=folder, ignore_cleanup_errors=True) as work:
                Path(work).chmod(0o755)
                yield Path(work)
    except OSError as error:
        raise SandboxError(f"{folder}: {error.strerror or one_line(error)}; is the disk full?") from None


def _has(client: "docker.DockerClient", tag: str) -> bool:
    import docker.errors

    try:
        return bool(client.images.get(tag).id)
    except docker.errors.ImageNotFound:
        return False


def _own_build(client: "docker.DockerClient") -> tuple[str, str]:
    import docker.errors

    try:
        return OWN_BUILD, str(client.images.get(OWN_BUILD).id)
    except docker.errors.ImageNotFound:
        command = f"docker build -t {OWN_BUILD} {RECIPE.parent}"
        raise SandboxError(f"no image: this host has no apt-get to make one, and the engine has no {OWN_BUILD}; run: {command}") from None
    except docker.errors.DockerException as error:
        raise SandboxError(f"the engine gave no answer about the image {OWN_BUILD}: {one_line(error)}") from None
