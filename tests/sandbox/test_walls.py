"""What a life cannot do, whatever it types."""

import pytest

from sekft.sandbox.session import Backend, Place


def test_there_is_no_network(place: Place) -> None:
    assert place.run("cat /proc/net/dev | tail -n +3 | cut -d: -f1", 5).output.split() == ["lo"]


@pytest.mark.parametrize("path", ["/x", "/usr/bin/x", "/etc/passwd", "/etc/motd", "/dev/x", "/var/x", "/run/x", "/home/x"])
def test_nothing_but_home_and_tmp_can_be_written(place: Place, path: str) -> None:
    assert place.run(f"echo x 2>/dev/null >>{path}; mkdir {path}.d", 5).status != 0
    assert place.run(f"test -e {path}.d || grep -sx x {path}", 5).status != 0


def test_home_tmp_and_shared_memory_are_small(place: Place) -> None:
    turn = place.run("for d in ~ /tmp /dev/shm; do head -c 100000000 /dev/zero >$d/x; stat -c %s $d/x; rm $d/x; done 2>/dev/null", 20)
    home, tmp, shared = (int(size) for size in turn.output.split())
    assert home <= 32 << 20
    assert tmp <= 16 << 20
    assert shared <= 1 << 20


def test_a_fork_bomb_is_contained(walled: Backend) -> None:
    with walled.open({}) as place:
        place.run("b() { b | b & }; b 2>/dev/null", 1.0)
        checked = place.check("ps -u agent -o pid= | wc -l; exit 0", 10)
        assert checked.status == 0
        assert int(checked.output.split()[-1]) < 10


def test_a_memory_hog_is_stopped(place: Place) -> None:
    assert place.run("tail /dev/zero", 10).status not in (0, None)
    assert place.run("echo alive", 5).output == "alive\n"


def test_the_agent_is_one_user_without_powers(walled: Backend) -> None:
    with walled.open({}) as place:
        assert place.run("id -u; id -G; grep -c '^Cap[PE].*0000000000000000' /proc/self/status", 5).output == "1000\n1000\n2\n"
        assert place.run("kill -9 1; chmod 777 /srv; chown agent /usr/local", 5).output.count("Operation not permitted") == 3


def test_only_tools_of_the_root_file_system_are_there(place: Place) -> None:
    assert place.run("find / -xdev -perm /6000 -type f 2>/dev/null; command -v mount unshare apt-get perl python3", 10).output == ""


def test_host_variables_do_not_come_in(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_HOST", "x")
    assert "SECRET" not in place.run("env; cat /proc/1/environ 2>/dev/null | tr '\\0' '\\n'", 5).output
