"""Attacks on the isolation: the kernel's knobs, the network, the host's files, devices, other users' processes."""

from tests.sandbox.attacks import program
from tests.sandbox.attacks.arena import ABSTRACT, PORT
from tests.sandbox.attacks.attack import ONE_USER, Attack, Escape, Seen
from tests.sandbox.attacks.program import LAST, typed

_KNOBS = (
    "/proc/sysrq-trigger /proc/sys/kernel/core_pattern /proc/sys/kernel/hostname /proc/sys/vm/drop_caches /proc/sys/fs/file-max "
    "/proc/sys/net/ipv4/ip_forward /proc/sys/user/max_user_namespaces /proc/1/oom_score_adj /proc/self/oom_score_adj /proc/self/uid_map "
    "/proc/self/gid_map /proc/irq/default_smp_affinity /proc/acpi/wakeup /proc/mtrr /sys/power/state /sys/kernel/uevent_helper "
    "/sys/kernel/mm/transparent_hugepage/enabled /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max "
    "/sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/release_agent"
)
_WRITTEN = f"for f in {_KNOBS}; do [ ! -e $f ] || (echo -1000 >$f) 2>/dev/null && [ -e $f ] && echo written: $f; done"
_OPEN_DIRECTORIES = (
    "for d in $(find / /dev /dev/shm /dev/mqueue /run /tmp /srv /usr/local /home -xdev -type d -writable 2>/dev/null | sort -u); do "
    "case $d in /tmp|/home/agent|/dev/shm) ;; *) (: >$d/x) && echo open: $d $(stat -fc %T $d) ;; esac; done 2>/dev/null"
)
_NO_FILTER = "no seccomp filter"
_NESTED = "the agent may make user namespaces of its own"


def _printed(name: str, escape: str) -> Escape:
    return lambda seen: f"{escape} {seen.printed[name]}".rstrip() if name in seen.printed else ""


def _arrived(seen: Seen) -> str:
    return f"{seen.reached} connections reached the host" if seen.reached else ""


def _worked(*numbers: str) -> Escape:
    """An escape if the program prints `errno: 0`: the kernel allowed the calls."""
    return lambda seen: ", ".join(name for name in numbers if seen.printed.get(name) == "0")


def _try(name: str, *calls: program.Call) -> str:
    return f"{typed(*calls)}; echo {name}: $?"


SHELL = [
    Attack("writes to /proc and /sys", (_WRITTEN,), _printed("written", "written:")),
    Attack(
        "writing anywhere else",
        (_OPEN_DIRECTORIES,),
        # message queues of the container, at most a few: see the attacks that fill directories
        lambda seen: "" if seen.printed.get("open") == "/dev/mqueue mqueue" else _printed("open", "open to the agent:")(seen),
        timeout_s=10.0,
    ),
    Attack(
        "rewriting the scenario's own files",
        ("chmod -R u+w /srv /usr/local 2>/dev/null; echo x 2>/dev/null >/srv/x && echo rewritten: /srv",),
        _printed("rewritten", "rewritten:"),
        weak={"bwrap_one_user": ONE_USER},
    ),
    Attack(
        "device files",
        (
            "mknod ~/sda b 8 0 2>/dev/null && echo made: sda; mknod /tmp/mem c 1 1 2>/dev/null && echo made: mem; "
            "for d in sda vda nvme0n1 mem kmem port kmsg kvm fuse loop0 net/tun; do [ ! -e /dev/$d ] || echo there: $d; done; "
            "find /dev -type b | sed 's/^/there: /'",
        ),
        lambda seen: _printed("made", "made:")(seen) or _printed("there", "there:")(seen),
    ),
    Attack(
        "setuid files",
        (
            "cp /bin/sh s; chmod 6755 s; ./s -pc 'echo runs as: $(id -u)'; chown 0:0 s 2>/dev/null && echo given: away; "
            "find / -xdev -perm /6000 -type f 2>/dev/null | sed 's/^/found: /'",
        ),
        lambda seen: (
            _printed("found", "found:")(seen)
            or _printed("given", "given")(seen)
            or ("runs as root" if seen.printed["runs as"] != "1000" else "")
        ),
    ),
    Attack(
        "descriptors and the terminal of whoever started it",
        (
            "(echo x >/dev/tty) 2>/dev/null && echo terminal: open; "
            "for f in /proc/$$/fd/*; do "
            "case $(readlink $f) in pipe:*|/dev/null|/dev/fd/3|'') ;; *) echo open: $f $(readlink $f) ;; esac; done",
        ),
        lambda seen: _printed("terminal", "terminal")(seen) or _printed("open", "open:")(seen),
    ),
    Attack(
        "memory and variables of the first and the control process",
        (
            "for p in /proc/[0-9]*; do p=${p#/proc/}; [ $p -ge $$ ] || { (: <$(ls -d /proc/$p/mem)) && echo opened: /proc/$p/mem; "
            "head -c 1 /proc/$p/environ | grep -q . && echo read: /proc/$p/environ; "
            "ls /proc/$p/fd >/dev/null && echo seen: /proc/$p/fd; }; done 2>/dev/null",
        ),
        lambda seen: _printed("opened", "opened")(seen) or _printed("read", "read")(seen) or _printed("seen", "seen")(seen),
        weak={"bwrap_one_user": ONE_USER},
    ),
    Attack(
        "names of other hosts (DNS)", ("getent ahosts example.com && echo resolved: yes",), _printed("resolved", "resolved"), timeout_s=15.0
    ),
    Attack(
        "the engine's socket",
        (
            "for s in $(find / -type s 2>/dev/null); do echo socket: $s; done; "
            "ls -d /var/run/docker* /run/docker* /run/containerd* /run/podman* 2>/dev/null | sed 's/^/socket: /'",
        ),
        _printed("socket", "there is"),
        timeout_s=10.0,
    ),
]

CODE = [
    Attack(
        "mounts",
        (_try("a mount", (program.MOUNT, [b"none", b"/tmp", b"tmpfs", 0, 0])),),
        _worked("a mount"),
    ),
    Attack(
        "user namespaces",
        (_try("a user namespace", (program.UNSHARE, [program.CLONE_NEWUSER])),),
        _worked("a user namespace"),
        weak={"bwrap": _NESTED},
    ),
    Attack(
        "mounts in a user namespace of its own",
        (
            _try(
                "mount",
                (program.UNSHARE, [program.CLONE_NEWUSER | program.CLONE_NEWNS]),
                (program.MOUNT, [b"none", b"/tmp", b"tmpfs", 0, 0]),
            ),
        ),
        _worked("mount"),
        weak={"bwrap": _NESTED},
    ),
    Attack(
        "raw and packet sockets",
        (
            _try("raw", (program.SOCKET, [program.AF_INET, program.RAW, 1])),
            _try("packet", (program.SOCKET, [program.AF_PACKET, program.RAW, 0])),
        ),
        _worked("raw", "packet"),
    ),
    Attack(
        "the metadata address 169.254.169.254",
        (
            _try(
                "metadata",
                (program.SOCKET, [program.AF_INET, program.STREAM, 0]),
                (program.CONNECT, [LAST, program.inet("169.254.169.254", 80), 16]),
            ),
        ),
        _worked("metadata"),
    ),
    Attack(
        "a name server by its address",
        (
            _try(
                "sent",
                (program.SOCKET, [program.AF_INET, program.DGRAM, 0]),
                (program.SENDTO, [LAST, b"x" * 12, 12, 0, program.inet("192.0.2.53", 53), 16]),
            ),
        ),
        _worked("sent"),
    ),
    Attack(
        "the host's loopback",
        (
            _try(
                "loopback",
                (program.SOCKET, [program.AF_INET, program.STREAM, 0]),
                (program.CONNECT, [LAST, program.inet("127.0.0.1", PORT), 16]),
            ),
        ),
        lambda seen: _arrived(seen) or _worked("loopback")(seen),
    ),
    Attack(
        "the host's abstract sockets",
        (
            _try(
                "abstract",
                (program.SOCKET, [program.AF_UNIX, program.STREAM, 0]),
                (program.CONNECT, [LAST, program.unix(ABSTRACT.encode()), 2 + len(ABSTRACT)]),
            ),
        ),
        lambda seen: _arrived(seen) or _worked("abstract")(seen),
    ),
    Attack(
        "ptrace of the first process",
        (_try("ptrace", (program.PTRACE, [program.PTRACE_SEIZE, 1, 0, 0])),),
        _worked("ptrace"),
        weak={"bwrap_one_user": ONE_USER},
    ),
    Attack(
        "keys of the kernel",
        (_try("add_key", (program.ADD_KEY, [b"user", b"sekft", b"x", 1, -3])),),
        _worked("add_key"),
        weak={"bwrap": _NO_FILTER, "bwrap_one_user": _NO_FILTER},
    ),
    Attack(
        "programs in the kernel (bpf)",
        (_try("bpf", (program.BPF, [0, b"\1\0\0\0\4\0\0\0\4\0\0\0\1\0\0\0" + bytes(100), 72])),),
        _worked("bpf"),
    ),
]

ATTACKS = [*SHELL, *(CODE if program.TYPEABLE else ())]
