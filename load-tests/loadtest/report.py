"""What is written down: the table of a run and its judgement."""

from dataclasses import dataclass
from statistics import median


@dataclass
class Target:
    """One promise, and whether the run kept it."""

    what: str
    found: str
    most: str
    kept: bool | None
    """None: not measured."""


def at_most(what, found, most, unit=""):
    """A number that must not be over another."""
    digits = 3 if not unit else 1
    if found is None:
        return Target(what, "not measured", f"{most}{unit}", None)
    return Target(what, f"{found:.{digits}f}{unit}", f"{most}{unit}", found <= most)


def rows(contestants, samples, instructions, starts):
    """The table of contestants; medians of the rounds, with the least and the greatest where it matters."""
    head = ["", "CPU s/100k", "of it user", "× bare", "instr/req", "× bare", "req/s", "p50 ms", "p99 ms", "RSS MiB", "idle", "start ms"]
    lines = [row(head), row(["---"] + ["--:"] * (len(head) - 1))]
    for contestant in contestants:
        name = contestant.name
        base = peer(contestant)
        of = lambda key: [getattr(sample, key) for sample in samples.get(name, [])]
        cpu = of("cpu")
        if not cpu:
            continue
        counted = instructions.get(name)
        seconds, sizes = starts.get(name, ([], []))
        lines.append(
            row(
                [
                    name,
                    f"**{median(cpu):.2f}** ({min(cpu):.2f}–{max(cpu):.2f})",
                    f"{median(of('user')):.2f}",
                    number(cpu_ratio(samples, name, base)),
                    f"{counted:,.0f}" if counted else "–",
                    number(ratio(instructions, name, base)),
                    f"{median(of('rate')):,.0f}",
                    f"{median(of('p50')):.2f}",
                    f"{median(of('p99')):.2f}",
                    f"{median(of('rss')):.0f}",
                    f"{median(sizes):.0f}" if sizes else "–",
                    f"{median(seconds) * 1e3:.0f} ({seconds[0] * 1e3:.0f}–{seconds[-1] * 1e3:.0f})" if seconds else "–",
                ]
            )
        )
    return "\n".join(lines)


TOKENS = "bare Pingora, requests with a token"
FULL = "bare Pingora, requests with a full token"
IDENTITY = "Tollgate, identity chain"


def peer(contestant):
    """Who is sent the same bytes by the same client and forwards them without looking."""
    if contestant.tls:
        return "bare Pingora, TLS"
    if contestant.full:
        return FULL
    return TOKENS if contestant.token or contestant.carries else "bare Pingora"


def number(value):
    return f"{value:.2f}" if value else "–"


def ratio(values, name, base):
    return values[name] / values[base] if values.get(name) and values.get(base) else None


def cpu_ratio(samples, name, base):
    """Median of the ratios of the same round: what else ran on the machine then, ran for both."""
    pairs = list(zip(samples.get(name, []), samples.get(base, [])))
    return median(one.cpu / other.cpu for one, other in pairs) if pairs else None


def show(value):
    return f"{value:.3f}" if value else "not measured"


def row(cells):
    return "| " + " | ".join(cells) + " |"


def targets(samples, instructions, starts, extra):
    """What the project has promised of its own cost."""
    bare, ours, jwt = "bare Pingora", "Tollgate", "Tollgate, jwt (cached token)"
    seconds, sizes = starts.get(ours, ([], []))
    six, many = extra.get("six"), extra.get("many")
    return [
        at_most("pass-through, instructions over bare Pingora", ratio(instructions, ours, bare), 1.15),
        at_most("pass-through, CPU over bare Pingora", cpu_ratio(samples, ours, bare), 1.15),
        at_most("jwt with a cached token, instructions over bare Pingora with the same requests", ratio(instructions, jwt, TOKENS), 1.20),
        at_most("jwt with a cached token, CPU over bare Pingora with the same requests", cpu_ratio(samples, jwt, TOKENS), 1.20),
        at_most("identity chain, CPU over bare Pingora with the same requests", cpu_ratio(samples, IDENTITY, FULL), 1.35),
        at_most("identity chain, instructions over bare Pingora with the same requests", ratio(instructions, IDENTITY, FULL), 1.35),
        Target("for comparison: identity chain, CPU over bare Pingora without a token", show(cpu_ratio(samples, IDENTITY, bare)), "–", None),
        Target("for comparison: identity chain, instructions over the same", show(ratio(instructions, IDENTITY, bare)), "–", None),
        Target("for comparison: jwt, instructions over bare Pingora without a token", show(ratio(instructions, jwt, bare)), "–", None),
        at_most("a new token with RS256, time over the libraries alone", extra.get("RS256"), 1.10),
        at_most("a new token with ES256, time over the libraries alone", extra.get("ES256"), 1.10),
        at_most("start to first answer, median", median(seconds) * 1e3 if seconds else None, 60, " ms"),
        at_most("idle memory", median(sizes) if sizes else None, 30, " MiB"),
        at_most("idle memory with the real API descriptions", extra.get("real_rss"), 150, " MiB"),
        at_most("6,000 operations, instructions over 6", many / six if six and many else None, 1.02),
    ]


def page(facts, settings, table, judged):
    """The whole page of a run."""
    lines = [f"# Load test of {settings['date']}", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += [
        f"- {settings['rounds']} rounds in rotated order, {settings['seconds']} s each after {settings['warm']} s, 64 connections, 1 KiB answers",
        "- backend (nginx) and wrk on core 0, the contestant with one worker thread on core 1; the machine is not ours alone:",
        "  trust instructions first, then ratios, then seconds, and requests a second last",
        "- CPU is user and system of the process tree; ratios of CPU are medians of the ratios within a round",
        "- every answer was checked for 200, before and after each round for its body; stranger's and missing tokens got 401 before,",
        "  during and after each round of a contestant that checks tokens",
        "",
        table,
        "",
        "| target | found | at most | |",
        "| --- | --: | --: | --- |",
    ]
    words = {True: "kept", False: "**missed**", None: "not judged"}
    lines += [row([target.what, target.found, target.most, words[target.kept]]) for target in judged]
    return "\n".join(lines) + "\n"
