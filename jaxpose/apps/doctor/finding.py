"""What the doctor finds, and how it is written down. Needs no package but Python."""

import dataclasses
import json
import math
import textwrap
from collections.abc import Sequence

# Sections of the report, in this order.
TOPICS = ("software", "devices", "memory", "data", "disk")
# What installs, and brings up to date, all that jaxpose needs.
INSTALL = "pip install -e . in the project's folder"
_WIDTH = 88


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing found: a fact, or with a remedy a note, or broken as well a problem.

    Attributes:
        topic: section of the report, one of TOPICS.
        name: what it is about, such as `python`.
        text: what was found.
        remedy: what to do about it, in one line; empty where there is nothing to do.
        broken: whether jaxpose, or a part of it, cannot work before that is done.
    """

    topic: str
    name: str
    text: str
    remedy: str = ""
    broken: bool = False


def report(findings: Sequence[Finding]) -> str:
    """Facts by topic, then a line for each problem and each note."""
    facts = [finding for finding in findings if not finding.remedy]
    notes = [finding for finding in findings if finding.remedy and not finding.broken]
    problems = [finding for finding in findings if finding.broken]
    width = max((len(finding.name) for finding in facts), default=0)
    parts = []
    for topic in TOPICS:
        lines = [_fact(one, width) for one in facts if one.topic == topic]
        if lines:
            parts.append("\n".join([topic, *lines]))
    marked = [("!", one) for one in problems] + [("-", one) for one in notes]
    if marked:
        parts.append("\n".join(_advice(mark, one) for mark, one in marked))
    found = [_count(len(problems), "problem"), _count(len(notes), "note")]
    parts.append(", ".join(filter(None, found)) or "nothing is wrong")
    return "\n\n".join(parts)


def as_json(findings: Sequence[Finding]) -> str:
    """The same, for a bug report."""
    fields = {
        "broken": any(finding.broken for finding in findings),
        "findings": [dataclasses.asdict(finding) for finding in findings],
    }
    return json.dumps(fields, indent=2)


def size(num_bytes: float) -> str:
    """Bytes as a person reads them, in powers of ten: 12.3 GB."""
    power = min(int(math.log10(max(num_bytes, 1))) // 3, 4)
    value = num_bytes / 1000**power
    decimals = 1 if power and value < 100 else 0
    return f"{value:.{decimals}f} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"


def _fact(finding: Finding, width: int) -> str:
    return textwrap.fill(
        finding.text,
        _WIDTH,
        initial_indent=f"  {finding.name:{width}}  ",
        subsequent_indent=" " * (width + 4),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _advice(mark: str, finding: Finding) -> str:
    return f"{mark} {finding.name}: {finding.text}  ->  {finding.remedy}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number > 1 else ''}" if number else ""
