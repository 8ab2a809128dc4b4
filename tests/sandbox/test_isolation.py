"""What an agent cannot do, whatever it types."""

import pytest

from sekft.sandbox.session import Backend, Session


def test_there_is_no_network(session: Session) -> None:
    assert session.run("cat /proc/net/dev | tail -n +3 | cut -d: -f1", 5).output.split() == ["lo"]


@pytest.mark.parametrize("path", ["/x", "/usr/bin/x", "/etc/passwd", "/etc/motd", "/dev/x", "/var/x", "/run/x", "/home/x"])
def test_nothing_but_home_and_tmp_can_be_written(session: Session, path: str) -> None:
    assert session.run(f"echo x 2>/dev/null >>{path}; mkdir {path}.d", 5).status != 0
    assert session.run(f"test -e {path}.d || grep -sx x {path}", 5).status != 0


def test_home_tmp_and_shared_memory_are_small(session: Session) -> None:
    turn = session.run("for d in ~ /tmp /dev/shm; do head -c 100000000 /dev/zero >$d/x; stat -c %s $d/x; rm $d/x; done 2>/dev/null", 20)
    home, tmp, shared = (int(size) for size in turn.output.split())
    assert home <= 32 << 20
    assert tmp <= 16 << 20
    assert shared <= 1 << 20


def test_a_fork_bomb_is_contained(two_user_backend: Backend) -> None:
    with two_user_backend.open({}) as session:
        session.run("b() { b | b & }; b 2>/dev/null", 1.0)
        checked = session.check("ps -u agent -o pid= | wc -l; exit 0", 10)
        assert checked.status == 0
        assert int(checked.output.split()[-1]) < 10


def test_a_memory_hog_is_stopped(session: Session) -> None:
    assert session.run("tail /dev/zero", 10).status not in (0, None)
    assert session.run("echo alive", 5).output == "alive\n"


def test_the_agent_is_one_user_without_powers(two_user_backend: Backend) -> None:
    with two_user_backend.open({}) as session:
        assert session.run("id -u; id -G; grep -c '^Cap[PE].*0000000000000000' /proc/self/status", 5).output == "1000\n1000\n2\n"
        assert session.run("kill -9 1; chmod 777 /srv; chown agent /usr/local", 5).output.count("Operation not permitted") == 3


def test_only_tools_of_the_root_file_system_exist(session: Session) -> None:
    assert session.run("find / -xdev -perm /6000 -type f 2>/dev/null; command -v mount unshare apt-get perl python3", 10).output == ""


def test_variables_of_the_host_are_not_visible(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_HOST", "x")
    assert "SECRET" not in session.run("env; cat /proc/1/environ 2>/dev/null | tr '\\0' '\\n'", 5).output
