# SPDX-License-Identifier: Apache-2.0
"""What a number is worth nothing without: which machine, which versions, what else was running."""

import os
import pathlib
import subprocess


def first_line(command, **more):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, **more).stdout.strip().splitlines()[0]
    except (OSError, IndexError):
        return None


def versions(build):
    found = {"weir": first_line([str(build / "bin/weir"), "version"]), "ZeroMQ": first_line(["pkg-config", "--modversion", "libzmq"]),
             "compiler": first_line(["cc", "--version"]), "Go": first_line(["go", "version"]),
             "nng": first_line(["dpkg-query", "-W", "-f", "${Version}\\n", "libnng-dev"]),
             "parallel": first_line(["parallel", "--version"]), "grep": first_line(["grep", "--version"]),
             "awk": first_line(["sh", "-c", "awk -W version 2>&1 || awk --version"], stdin=subprocess.DEVNULL),
             "xargs": first_line(["xargs", "--version"])}
    return {name: version for name, version in found.items() if version}


def processor_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return os.uname().machine


def load():
    return round(os.getloadavg()[0], 2)


def cpu_ticks():
    """(all, stolen) of all processors since the start of the system."""
    words = pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    ticks = [int(word) for word in words[:8]]
    return sum(ticks), ticks[7]


class Watch:
    """What else the machine did during a run."""

    def __init__(self):
        self.load_before, self.ticks = load(), cpu_ticks()

    def result(self):
        total, stolen = (late - early for late, early in zip(cpu_ticks(), self.ticks))
        return {"processors": os.cpu_count(), "processor": processor_name(), "load_before": self.load_before, "load_after": load(),
                "stolen_percent": round(100 * stolen / max(total, 1), 2), "system": f"{os.uname().sysname} {os.uname().release}"}
