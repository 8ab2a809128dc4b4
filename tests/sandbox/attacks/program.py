"""Machine code for attacks that need more than the image's tools: system calls as a tiny ELF program, typed with printf.

x86-64 Linux. A session has no compiler, but any bytes can be typed: the isolation must not depend on missing tools.
"""

import platform
import struct
from collections.abc import Sequence
from typing import Final

TYPEABLE = platform.machine() == "x86_64"

READ, WRITE, SOCKET, CONNECT, SENDTO, PTRACE = 0, 1, 41, 42, 44, 101
PTRACE_SEIZE = 0x4206
MOUNT, ADD_KEY, UNSHARE, BPF, CLONE_NEWUSER, CLONE_NEWNS = 165, 248, 272, 321, 0x10000000, 0x20000
AF_UNIX, AF_INET, AF_PACKET, STREAM, DGRAM, RAW = 1, 2, 17, 1, 2, 3


class Last:
    """An argument: the result of the previous call."""


LAST: Final = Last()
Argument = int | bytes | Last
Call = tuple[int, Sequence[Argument]]

_BASE, _HEADERS = 0x400000, 64 + 56
_REGISTERS = (b"\x48\xbf", b"\x48\xbe", b"\x48\xba", b"\x49\xba", b"\x49\xb8", b"\x49\xb9")  # rdi rsi rdx r10 r8 r9
_LAST_AS_FIRST = b"\x4c\x89\xe7"  # mov rdi, r12
_EXIT = b"\xb8" + struct.pack("<i", 60) + b"\x0f\x05"
_OR_EXIT_WITH_ERRNO = b"\x48\x85\xc0\x79\x0b\xf7\xd8\x89\xc7" + _EXIT + b"\x49\x89\xc4"  # and keep the result in r12


def typed(*calls: Call, path: str = "/tmp/program") -> str:
    """sh text that writes and runs the program, which ends with 0 or with the errno of the first call that failed."""
    text = "".join(f"\\{byte:03o}" for byte in elf(calls))
    return f"printf '{text}' >{path}; chmod +x {path}; {path}"


def elf(calls: Sequence[Call]) -> bytes:
    code = _code(calls, 0)[0]  # a first pass for the length, which does not depend on the addresses
    code, data = _code(calls, _BASE + _HEADERS + len(code))
    size = _HEADERS + len(code) + len(data)
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, _BASE + _HEADERS, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return header + struct.pack("<IIQQQQQQ", 1, 7, 0, _BASE, _BASE, size, size, 0x1000) + code + data


def inet(address: str, port: int) -> bytes:
    """A struct sockaddr_in."""
    return struct.pack("<H", AF_INET) + struct.pack(">H", port) + bytes(map(int, address.split("."))) + bytes(8)


def unix(name: bytes) -> bytes:
    """A struct sockaddr_un; a name that begins with NUL is of the network namespace, not of the file system."""
    return struct.pack("<H", AF_UNIX) + name


def _code(calls: Sequence[Call], data_at: int) -> tuple[bytes, bytes]:
    code, data = b"", b""
    for number, arguments in calls:
        for register, argument in zip(_REGISTERS, arguments, strict=False):
            if isinstance(argument, Last):
                assert register is _REGISTERS[0]
                code += _LAST_AS_FIRST
                continue
            value = argument if isinstance(argument, int) else data_at + len(data)
            data += argument + b"\0" if isinstance(argument, bytes) else b""
            code += register + struct.pack("<Q", value & (1 << 64) - 1)
        code += b"\xb8" + struct.pack("<i", number) + b"\x0f\x05" + _OR_EXIT_WITH_ERRNO
    return code + b"\x31\xff" + _EXIT, data
