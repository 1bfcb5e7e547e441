"""One run: install, build, measure in rotated order, write down, judge."""

import argparse
import datetime
import sys
import tempfile
from pathlib import Path

from . import measure, report, tollgate
from .keys import Keys
from .machine import HERE, Failed, build, describe, install, verification
from .parts import Contestant, Field

COUNTED = (
    "bare Pingora",
    "bare Pingora, requests with a token",
    "Tollgate",
    "Tollgate, access log on",
    "Tollgate, five limits",
    "Tollgate, jwt (cached token)",
    report.FULL,
    report.IDENTITY,
    "nginx",
    "HAProxy",
    "nginx, five limits",
    "HAProxy, three limits",
)
COUNTED_TLS = ("bare Pingora, TLS", "Tollgate, TLS")


def main():
    arguments = parse()
    install()
    if not arguments.no_build:
        build()
    with tempfile.TemporaryDirectory(prefix="tollgate-load-") as folder:
        try:
            return run(arguments, Path(folder))
        except Failed as failure:
            print(f"the run proves nothing: {failure}", file=sys.stderr)
            return 2


def parse():
    parser = argparse.ArgumentParser(description="Compares the gateway with bare Pingora, nginx, HAProxy and Envoy in one run.")
    parser.add_argument("--rounds", type=int, default=3, help="rounds under load; 0 leaves them out")
    parser.add_argument("--seconds", type=int, default=6, help="length of a round")
    parser.add_argument("--warm", type=int, default=2, help="seconds before each round that do not count")
    parser.add_argument("--only", default="", help="only contestants whose name holds this, or one of these, separated by commas")
    parser.add_argument("--no-build", action="store_true", help="measure the binaries that are there")
    parser.add_argument("--no-instructions", action="store_true", help="leave callgrind out")
    parser.add_argument("--output", type=Path, help="where the page goes; default: results/ with date and commit")
    return parser.parse_args()


def run(arguments, folder):
    facts = describe()
    if arguments.no_build:
        facts["Tollgate"] += ", measured with a binary that was there before"
    field = Field(folder, Keys(folder))
    backend = field.backend()
    try:
        wanted = arguments.only.split(",")
        contestants = [each for each in field.contestants() if any(word in each.name for word in wanted)]
        starts = {each.name: say(each.name, "start", measure.start(field, each)) for each in contestants}
        samples = rounds(arguments, field, contestants)
        instructions, extra = {}, {}
        if not arguments.no_instructions:
            for each in contestants:
                if each.name in COUNTED + COUNTED_TLS:
                    instructions[each.name] = say(each.name, "instructions", measure.instructions(field, each))
        if not arguments.only:
            extra = special(arguments, field)
    finally:
        backend.stop()
    return conclude(arguments, facts, report.rows(contestants, samples, instructions, starts), report.targets(samples, instructions, starts, extra))


def rounds(arguments, field, contestants):
    """Each round begins with the next contestant, so that nobody always runs in the same place."""
    samples = {}
    for number in range(arguments.rounds):
        turn = number * len(contestants) // max(arguments.rounds, 1)
        for each in contestants[turn:] + contestants[:turn]:
            sample = measure.under_load(field, each, arguments.warm, arguments.seconds)
            samples.setdefault(each.name, []).append(say(each.name, f"round {number + 1}", sample))
    return samples


def special(arguments, field):
    """What only the gateway is asked: many operations, all the real descriptions."""
    gateway = tollgate.Tollgate(field)
    extra = {}

    def with_definitions(name, definitions):
        artifact = gateway.project(name, definitions)
        return Contestant(name, lambda port, **how: gateway.start(name, port, artifact=artifact, **how))

    if not arguments.no_instructions:
        for name, operations in (("six", 6), ("many", 6000)):
            one = with_definitions(name, {"load.json": tollgate.definition(operations)})
            extra[name] = say(f"{operations} operations", "instructions", measure.instructions(field, one))
    for algorithm, found in verification().items():
        extra[algorithm] = say(f"uncached {algorithm}", "over the libraries", found)
    definitions = tollgate.real()
    if definitions is None:
        print("the real API descriptions are absent", file=sys.stderr)
    else:
        seconds, sizes = measure.start(field, with_definitions("real", definitions), 3)
        extra["real_rss"] = say("real API descriptions", "idle MiB", sizes[1])
        say("real API descriptions", "start", seconds)
    return extra


def say(name, what, value):
    print(f"{name:32} {what:14} {value}", file=sys.stderr, flush=True)
    return value


def conclude(arguments, facts, table, judged):
    now = datetime.datetime.now(datetime.timezone.utc)
    settings = {"date": f"{now:%Y-%m-%d %H:%M} UTC", "rounds": arguments.rounds, "seconds": arguments.seconds, "warm": arguments.warm}
    page = report.page(facts, settings, table, judged)
    commit = facts["Tollgate"].split()[0]
    path = arguments.output or HERE / "results" / f"{now:%Y-%m-%d-%H%M}-{commit}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page)
    print(page)
    print(f"written to {path}", file=sys.stderr)
    return 1 if any(target.kept is False for target in judged) else 0
