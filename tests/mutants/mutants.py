#!/usr/bin/env python3
"""Breaks the code in one line, again and again, and tells which test notices.

  mutants.py check                          every mutant of list.txt still finds its line, and every
                                            sentence of sentences.txt is made true by one
  mutants.py run [--jobs N] [NAME ...]      copies the sources, builds, breaks and tests them

run exits with 1 if a mutant survives without a reason, or has one and is caught. What each test said
of a mutant stays in DIRECTORY/said/NAME.txt.
"""
import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import queue
import re
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIST = pathlib.Path(__file__).with_name("list.txt")
SENTENCES = pathlib.Path(__file__).with_name("sentences.txt")
# Its table of rules and tests names every rule.
RULES = ROOT / "docs" / "PROTOCOL.md"
# Of mutants that break no numbered rule: of the decision log, of the coordinator's protocol, and of
# a participant's files.
OTHER_PREFIXES = ("LOG", "CORE", "FILES")
# A mutant may loop for ever. That a test takes so much longer than on good code proves nothing: a
# mutant has to fail an assertion or break an invariant.
SLOWER = 5
LEAST_SECONDS = 60
# What a test does unless the environment says otherwise. No mutant needs half of the images; how many
# worlds one needs is not known, since a test before the simulation has noticed each.
LESS = {"GTEST_FAIL_FAST": "1", "LOCKSTEP_SIMULATION_SEEDS": "3000",
        "LOCKSTEP_SIMULATION_SQLITE_SEEDS": "100", "LOCKSTEP_POWER_LOSS_IMAGES": "5000"}
NOT_COMPILED = "NOT COMPILED"
NOT_STARTED = "NOT STARTED"
NOT_ENDED = "NOT ENDED"
NO_PROOF = (NOT_COMPILED, NOT_STARTED, NOT_ENDED)


@dataclasses.dataclass
class Mutant:
    name: str
    paths: list = dataclasses.field(default_factory=list)
    changes: list = dataclasses.field(default_factory=list)  # of [path, old, new]
    sentences: list = dataclasses.field(default_factory=list)
    tests: list = dataclasses.field(default_factory=list)
    reason: str = ""

    def applied_to(self, path, text):
        """The file's changed text. No change sees another, so two lines can change places."""
        places = sorted((text.index(old), old, new)
                        for its, old, new in self.changes if its == path)
        for place, old, new in reversed(places):
            text = text[:place] + new + text[place + len(old):]
        return text


def parse(text):
    """The mutants, and the sentences that none can make true."""
    mutants, unbroken = [], []
    for number, line in enumerate(text.split("\n"), 1):
        word, _, rest = line.partition(" ")
        if not line.strip() or line.startswith("#"):
            continue
        if word == "in":
            mutants[-1].paths.append(rest)
        elif word == "breaks":
            mutants[-1].sentences += rest.split()
        elif word == "-":
            mutants[-1].changes.append([mutants[-1].paths[-1], rest, ""])
        elif word == "+":
            mutants[-1].changes[-1][2] = rest
        elif word == "by":
            mutants[-1].tests.append(rest.split())
        elif word == "survives":
            mutants[-1].reason = rest
        elif word == "unbroken":
            key, _, reason = rest.partition(" ")
            if not reason:
                raise SystemExit(f"{LIST.name}:{number}: it does not say why")
            unbroken.append(key)
        elif not rest:
            mutants.append(Mutant(word))
        else:
            raise SystemExit(f"{LIST.name}:{number}: {word} is no word of the list")
    return mutants, unbroken


def rules(text):
    return re.findall(r"^\| ([RP]\d+) \| `", text, re.MULTILINE)


def keys_of(text):
    """The keys of the sentences, RULE.WORD."""
    return [line.split()[0] for line in text.split("\n") if line.strip() and line[0] != "#"]


def rule_of(key):
    return re.split(r"[._]", key)[0]


def complaints(mutants, read):
    """What is wrong with the list, each as one sentence. `read` gives a file's text."""
    names = [mutant.name for mutant in mutants]
    for name in {name for name in names if names.count(name) > 1}:
        yield f"{name} stands there twice"
    for mutant in mutants:
        if not (mutant.changes and all(map(all, mutant.changes)) and mutant.tests):
            yield f"{mutant.name} is not whole"
            continue
        for path, old, _ in mutant.changes:
            if (times := read(path).count(old)) != 1:
                yield f"{mutant.name}: {path} has its line {times} times"


def unguarded(mutants, unbroken, keys, named):
    """What no mutant breaks and nobody excuses: of the `named` rules, and of the sentences."""
    broken = {key for mutant in mutants for key in mutant.sentences}
    for key in sorted({key for key in keys if keys.count(key) > 1}):
        yield f"{key} stands there twice"
    for mutant in mutants:
        rule = rule_of(mutant.name)
        if rule in named and rule not in map(rule_of, mutant.sentences):
            yield f"{mutant.name} breaks no sentence of {rule}"
    for rule in sorted({rule_of(name) for name in (*keys, *(its.name for its in mutants))}):
        if rule not in named and rule not in OTHER_PREFIXES:
            yield f"{rule} is no rule"
    for rule in named:
        if rule not in map(rule_of, keys):
            yield f"no sentence says what happens without {rule}"
    for key in sorted(broken | set(unbroken)):
        if key not in keys:
            yield f"{key} is no sentence"
    for key in keys:
        if key not in broken and key not in unbroken:
            yield f"no mutant breaks {key}"
        elif key in broken and key in unbroken:
            yield f"{key} is broken by a mutant"


def told_by(output, returncode):
    """Which test of a GoogleTest program failed, and how it ended if not by an assertion."""
    failed = re.search(r"^\[  FAILED  \] ([\w./]+)", output, re.MULTILINE)
    if failed:
        return failed[1]
    begun = re.findall(r"^\[ RUN      \] ([\w./]+)", output, re.MULTILINE)
    if not begun:
        return NOT_STARTED
    if returncode is None:
        return NOT_ENDED
    how = signal.Signals(-returncode).name if returncode < 0 else f"exit code {returncode}"
    stopped = re.search(r'"level":"critical","message":"([^"]+)"', output)
    return f"{begun[-1]} ({stopped[1] if stopped else how})"


class Workshop:
    """A copy of the sources with a build of its own, in which one mutant at a time is tried."""

    def __init__(self, directory, targets):
        self._source = directory / "source"
        self._build = directory / "build"
        self._said = directory.parent / "said"
        self._targets = targets
        self._environment = {**LESS, **os.environ, "CCACHE_BASEDIR": str(directory),
                             "CCACHE_NOHASHDIR": "true"}
        self.seconds = {}

    def prepare(self):
        self._said.mkdir(parents=True, exist_ok=True)
        self._copy()
        self._call(["cmake", "-S", self._source, "-B", self._build, "-G", "Ninja",
                    "-DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-O1 -g0"])
        if output := self._compile(self._targets):
            raise SystemExit(output[-4000:])

    def measure(self, tests):
        """On good code every test passes; how long it takes is the measure of a mutant's time."""
        for test in tests:
            started = time.monotonic()
            said = self._said / f"{test[0]}.txt"
            if failed := self._failed(test, None, said):
                raise SystemExit(f"{said.read_text(errors='replace')[-4000:]}\n"
                                 f"{' '.join(test)} fails without any mutant: {failed}")
            self.seconds[tuple(test)] = time.monotonic() - started
            print(f"{' '.join(test)} passes without a mutant ({self.seconds[tuple(test)]:.0f} s)",
                  flush=True)

    def try_out(self, mutant):
        """The test that notices; "" if none does."""
        said = self._said / f"{mutant.name}.txt"
        good = {path: (self._source / path).read_text() for path in mutant.paths}
        for path, text in good.items():
            (self._source / path).write_text(mutant.applied_to(path, text))
        try:
            for test in mutant.tests:
                if output := self._compile([f"tests/{test[0]}"]):
                    said.write_text(output)
                    return NOT_COMPILED
                seconds = max(LEAST_SECONDS, SLOWER * self.seconds[tuple(test)])
                if failed := self._failed(test, seconds, said):
                    return failed if failed in NO_PROOF else f"{' '.join(test)}: {failed}"
            return ""
        finally:
            for path, text in good.items():
                (self._source / path).write_text(text)

    def _copy(self):
        files = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT,
                               check=True, capture_output=True, text=True).stdout.split("\n")
        for name in filter(None, files):
            if not (ROOT / name).is_file():
                continue
            target = self._source / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists() or target.read_bytes() != (ROOT / name).read_bytes():
                shutil.copyfile(ROOT / name, target)

    def _compile(self, targets):
        """What the compiler complains of; "" if it does not."""
        done = self._call(["cmake", "--build", self._build, "--parallel", "1", "--target",
                           *targets], may_fail=True)
        return done.stdout + done.stderr if done.returncode != 0 else ""

    def _call(self, command, may_fail=False):
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True,
                              check=False)
        if done.returncode != 0 and not may_fail:
            raise SystemExit(done.stdout[-4000:] + done.stderr[-4000:])
        return done

    def _failed(self, test, seconds, said):
        """Who of the test's program noticed; "" if nobody did. What it says goes to `said`."""
        with open(said, "wb") as output:
            # A session of its own: tests have children, and none may outlive its test.
            process = subprocess.Popen([self._build / "tests" / test[0], *test[1:]], stdout=output,
                                       stderr=subprocess.STDOUT, env=self._environment,
                                       start_new_session=True)
        try:
            returncode = process.wait(seconds)
        except subprocess.TimeoutExpired:
            returncode = None
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        if returncode == 0:
            return ""
        return told_by(said.read_text(errors="replace"), returncode)


def verdict(mutant, caught_by):
    if caught_by in NO_PROOF:
        return f"IS {caught_by}", False
    if caught_by:
        return f"caught by {caught_by}", not mutant.reason
    return (f"survives: {mutant.reason}", True) if mutant.reason else ("SURVIVES", False)


def run(mutants, directory, jobs):
    tests = sorted({tuple(test) for mutant in mutants for test in mutant.tests})
    targets = sorted({f"tests/{test[0]}" for test in tests})
    workshops = [Workshop(directory / str(i), targets) for i in range(jobs)]
    free = queue.Queue()
    for workshop in workshops:
        workshop.prepare()
        free.put(workshop)
    workshops[0].measure(tests)
    for workshop in workshops[1:]:
        workshop.seconds = workshops[0].seconds

    def one(mutant):
        workshop = free.get()
        try:
            started = time.monotonic()
            caught_by = workshop.try_out(mutant)
            return mutant, time.monotonic() - started, *verdict(mutant, caught_by)
        finally:
            free.put(workshop)

    good = 0
    started = time.monotonic()
    width = max(len(mutant.name) for mutant in mutants)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for mutant, seconds, sentence, is_good in pool.map(one, mutants):
            good += is_good
            print(f"{mutant.name:{width}}  {seconds:4.0f} s  {sentence}", flush=True)
    minutes = (time.monotonic() - started) / 60
    print(f"{good} passed, {len(mutants) - good} failed, in {minutes:.0f} minutes")
    return good == len(mutants)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("check", "run"))
    parser.add_argument("names", nargs="*")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--directory", type=pathlib.Path, default=ROOT / "build-mutants")
    arguments = parser.parse_intermixed_args()
    mutants, unbroken = parse(LIST.read_text())
    wrong = [*complaints(mutants, lambda path: (ROOT / path).read_text()),
             *unguarded(mutants, unbroken, keys_of(SENTENCES.read_text()),
                        rules(RULES.read_text()))]
    for sentence in wrong:
        print(sentence)
    if arguments.what == "check" or wrong:
        print(f"{len(mutants)} mutants")
        return not wrong
    chosen = [mutant for mutant in mutants if not arguments.names or mutant.name in arguments.names]
    unknown = set(arguments.names) - {mutant.name for mutant in chosen}
    if unknown:
        raise SystemExit(f"there is no mutant {', '.join(sorted(unknown))}")
    return run(chosen, arguments.directory.resolve(), arguments.jobs)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
