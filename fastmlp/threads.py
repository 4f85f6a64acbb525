"""How many threads to use where the caller does not say."""

import math
import os
from pathlib import Path


def default_threads() -> int:
    """OMP_NUM_THREADS if it holds a positive integer, but at most most_threads(), else the processors that this process may use.

    Those are the ones in its affinity mask, or fewer where a container's CPU quota allows less.
    """
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if asked.isdecimal() and int(asked) >= 1:
        return min(int(asked), most_threads())
    return max(1, math.ceil(min(_processors(), cpu_quota())))


def most_threads() -> int:
    """As many threads as any work here can use: more than the processors only wait for each other."""
    return max(64, os.cpu_count() or 1)


def _affinity() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


AT_IMPORT = _affinity()  # before OpenMP's library binds this thread to one processor, where these ask it to
BINDING = "OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY"


def _processors() -> int:
    return AT_IMPORT if any(os.environ.get(name) for name in BINDING) else _affinity()


def cpu_quota(root: str | Path = "/sys/fs/cgroup", membership: str | Path = "/proc/self/cgroup") -> float:
    """The processors' worth of time that Linux control groups (version 2 or 1) allow; infinity without a limit."""
    quota = math.inf
    for line in _lines(membership):
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        mount = Path(root, controllers) if controllers else Path(root)
        # A limit on any group above ours holds for us too. Inside a container the path may name nothing here.
        relative = Path(path.lstrip("/"))
        for group in (relative, *relative.parents):
            quota = min(quota, _group_quota(mount / group))
    return quota


def _group_quota(group: Path) -> float:
    fields = " ".join(_lines(group / "cpu.max")).split()
    fields = fields or _lines(group / "cpu.cfs_quota_us") + _lines(group / "cpu.cfs_period_us")
    if len(fields) == 2 and all(field.isdecimal() for field in fields) and int(fields[0]) and int(fields[1]):
        return int(fields[0]) / int(fields[1])
    return math.inf  # "max" and -1 stand for no limit


def _lines(path: str | Path) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except (OSError, ValueError):
        return []
