#!/usr/bin/env python3
"""Compiles every header alone: each includes what it uses, whatever stands before it in a source file.

    tests/headers_alone.py BUILD_DIRECTORY        after `cmake --preset ...`; prints the compiler's errors, exits with 1 on any

What a header includes anyway may be compiled before it, and only that: the large headers of HEAVY, once for all that include the
same ones; and of the project's headers, one that includes another comes behind it in one run of the compiler. Good results are kept
in BUILD_DIRECTORY/headers by the content of all that was read of the project.
"""

import concurrent.futures
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEAVY = ["filesystem", "nlohmann/json.hpp", "ATen/core/Tensor.h", "ATen/ATen.h"]
INCLUDED_BY = {"nlohmann/json.hpp": "filesystem", "ATen/ATen.h": "ATen/core/Tensor.h"}
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^">]+)[">]', re.M)


@lru_cache(None)
def included(header):
    """The headers of the project that `header` includes, directly or not, and the names of the others."""
    own, others = set(), set()
    for name in INCLUDE.findall(header.read_text()):
        path = next((folder / name for folder in (ROOT / "src", ROOT) if (folder / name).is_file()), None)
        if path:
            below = included(path)
            own |= {path} | below[0]
            others |= below[1]
        else:
            others.add(name)
    return frozenset(own), frozenset(others)


def heavy(header):
    """Those of HEAVY that `header` includes."""
    names = included(header)[1]
    names |= {INCLUDED_BY[name] for name in names if name in INCLUDED_BY}
    return tuple(name for name in HEAVY if name in names)


def chains(headers):
    """As few lists as possible with every header in one of them, behind headers alone that it includes."""
    behind = {}  # header -> the one before it

    def place(header, seen):
        for other in headers:
            if header in included(other)[0] and other not in seen:
                seen.add(other)
                if other not in behind or place(behind[other], seen):
                    behind[other] = header
                    return True
        return False

    for header in headers:
        place(header, set())
    before = {first: second for second, first in behind.items()}
    lists = []
    for header in headers:
        if header not in behind:
            chain = [header]
            while chain[-1] in before:
                chain.append(before[chain[-1]])
            lists.append(chain)
    return lists


def compiler_of(build):
    """The compiler of the build with the flags of the tests, without precompiled headers, optimisation and outputs."""
    commands = json.loads((build / "compile_commands.json").read_text())
    command = next(shlex.split(c["command"]) for c in commands if "base_tests.dir" in c["command"] and "cmake_pch" not in c["file"])
    start = next(i for i, word in enumerate(command) if re.search(r"(\+\+|clang\+\+)[-0-9.]*$", word))
    words, kept = iter(command[start + 1:]), [command[start]]
    for word in words:
        if word in ("-include", "-o", "-c", "-MT", "-MF", "-Xclang"):
            next(words)
        elif word not in ("-MD", "-Winvalid-pch") and not word.startswith("-O"):
            kept.append(word)
    return kept + ["-O0", "-w"]


def compile_text(flags, names, *more):
    text = "".join(f'#include "{name}"\n' for name in names)
    return subprocess.run([*flags, *more, "-"], input=text, capture_output=True, text=True)


def precompiled(flags, names, folder):
    """The flags that begin with the headers `names`, compiled once."""
    if not names:
        return flags + ["-x", "c++"]
    # (Clang reads of its file only what is asked for, if the templates were instantiated before: ten times as fast as GCC.)
    clang = "clang" in Path(flags[0]).name
    suffix, more = (".h.pch", ["-fpch-instantiate-templates"]) if clang else (".h.gch", [])
    header = folder / (hashlib.sha256(repr((flags, names)).encode()).hexdigest()[:16] + ".h")
    compiled = header.with_suffix(suffix)
    if not compiled.exists():
        header.write_text("".join(f"#include <{name}>\n" for name in names))
        subprocess.run([*flags, *more, "-x", "c++-header", header, "-o", compiled], check=True)
    return flags + ["-x", "c++", *(("-include-pch", str(compiled)) if clang else ("-include", str(header)))]


def check(flags, chain, folder):
    """The compiler's errors about a chain, empty if it has none."""
    read = sorted({*chain, *(path for header in chain for path in included(header)[0])})
    key = hashlib.sha256(repr((flags, chain, [(path, path.read_bytes()) for path in read])).encode()).hexdigest()
    if (folder / key).exists():
        return ""
    result = compile_text(flags, chain, "-fsyntax-only")
    if result.returncode == 0:
        (folder / key).touch()
    return "" if result.returncode == 0 else result.stderr


def main():
    build = Path(sys.argv[1]).resolve()
    folder = build / "headers"
    folder.mkdir(exist_ok=True)
    headers = sorted(path for top in ("src", "tests", "bench") for path in (ROOT / top).rglob("*.h"))
    groups = {}
    for header in headers:
        groups.setdefault(heavy(header), []).append(header)
    flags = compiler_of(build)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        begun = {names: pool.submit(precompiled, flags, names, folder) for names in sorted(groups, key=len, reverse=True)}
        checks = [pool.submit(check, begun[names].result(), chain, folder) for names in begun for chain in chains(groups[names])]
        errors = [text for text in (one.result() for one in checks) if text]
    print("\n".join(errors), end="", file=sys.stderr)
    if errors:
        print(f"headers_alone: {len(errors)} of {len(checks)} groups of headers do not compile alone", file=sys.stderr)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
