"""Takes a process's rights away, from plain Python: what is left to it is to compute, read one pipe and write another.

On Linux on x86-64 and ARM64 a seccomp filter lets through only the system calls of `_CALLS`: no file, no socket, no
process, no signal, no clock but the time. Everywhere the limits of `limit` hold: with no descriptor left to open,
files and sockets are out of reach even without the filter; what then remains possible is what needs no descriptor (to
remove or rename a file, to signal processes of the same user). Not confined: how long it takes within its limits, and
what it answers.
"""

import ctypes
import platform
import resource
import struct
import sys

MAX_MEMORY_BYTES = 768 * 1024 * 1024
"""Of address space. The interpreter with its libraries takes 90 MB, a page of four million pixels some 60."""

MAX_CPU_SECONDS = 5
"""For one document. An ordinary page takes a twentieth of one second."""

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2

_CALLS = {
    # AUDIT_ARCH and call numbers: read write mmap mprotect munmap brk rt_sigreturn madvise mremap futex exit
    # exit_group sched_yield getrandom clock_gettime gettimeofday rseq membarrier
    "x86_64": (0xC000003E, (0, 1, 9, 10, 11, 12, 15, 28, 25, 202, 60, 231, 24, 318, 228, 96, 334, 324)),
    "aarch64": (0xC00000B7, (63, 64, 222, 226, 215, 214, 139, 233, 216, 98, 93, 94, 124, 278, 113, 169, 293, 283)),
}
"""What memory, locks, pipes and the end of a process take, by machine."""

_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
"""BPF: load a word of the call's description, jump if equal, return."""
_NUMBER_AT, _MACHINE_AT = 0, 4
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050001
"""The last: the call fails with EPERM, which libraries understand (a font that cannot be opened is done without)."""


def limit() -> None:
    """Bound memory, processor time, descriptors and files. For this process and those that it forks."""
    for name, value in (
        (resource.RLIMIT_AS, MAX_MEMORY_BYTES),
        (resource.RLIMIT_CPU, MAX_CPU_SECONDS),
        (resource.RLIMIT_CORE, 0),  # a dump would be the document on disk
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 0),  # what is open stays so
        (resource.RLIMIT_NPROC, 0),
    ):
        _, hard = resource.getrlimit(name)
        lower = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(name, (lower, lower))


def filter_calls() -> bool:
    """Refuse all system calls but those of computing, for good. False where this machine has no such filter."""
    known = _CALLS.get(platform.machine())
    if known is None or not sys.platform.startswith("linux"):
        return False
    program = _program(*known)
    code = ctypes.create_string_buffer(program, len(program))
    described = _Program(len(program) // 8, ctypes.cast(code, ctypes.c_void_p))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    return bool(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(described), 0, 0) == 0)


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]


def _program(machine: int, calls: tuple[int, ...]) -> bytes:
    """The filter: another machine's calls end the process; what is listed is allowed; the rest is refused."""
    steps = [(_LOAD, 0, 0, _MACHINE_AT), (_EQUAL, 1, 0, machine), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, _NUMBER_AT)]
    for place, call in enumerate(calls):
        steps.append((_EQUAL, len(calls) - place, 0, call))
    steps += [(_RETURN, 0, 0, _REFUSE), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("HBBI", *step) for step in steps)
