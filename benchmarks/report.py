"""The results of a run as text for a terminal."""

from collections.abc import Mapping
from typing import Any


def table(results: Mapping[str, Any]) -> str:
    """Everything that was measured, and on what."""
    ratios = {(each["target"], each["workload"]): each for each in results["ratios_to_floor"]}
    about = results["machine"]
    plan = results["plan"]
    lines = [
        f"{about['cores']} cores, {about['processor']}, Python {about['python']}; {about['load']};",
        f"{plan['rounds']} rounds of {plan['seconds']:g} s, {plan['connections']} connections, "
        f"{plan['persons']} persons;"
        f" a sync to disk takes {about['sync_of_4_kb_ms']} ms",
        "",
        f"{'target':24}{'workload':24}{'CPU ms':>8}{'x floor':>9}{'req/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'other':>8}",
    ]
    for each in results["figures"]:
        ratio = ratios.get((each["target"], each["workload"]))
        lines.append(
            f"{each['target']:24}{each['workload']:24}{each['cpu_ms']:8.2f}"
            f"{'' if ratio is None else format(ratio['cpu'], '.2f'):>9}"
            f"{each['per_second']:9.0f}{each['p50_ms']:9.1f}{each['p99_ms']:9.1f}{each['unexpected']:8.1%}"
        )
    lines += ["", "`other`: answers that were not the one expected (503 where all places were taken).", ""]
    lines += [f"cold start of `vitrine serve`: {results['cold_start_s']} s"]
    lines += [f"memory of a worker: {name}, {megabytes} MB" for name, megabytes in results["memory_mb"].items()]
    lines += ["", "one step by itself, one thread, µs of CPU:"]
    lines += [f"  {name:38}{taken:9.1f}" for name, taken in results["steps_us"].items()]
    return "\n".join(lines)
