"""Checks the links of README.md, CONTRIBUTING.md and docs/: files that exist, headings that are there. Addresses of other hosts are left alone.

    python3 tests/document_links.py [FOLDER]
"""
import pathlib
import re
import sys

LINK = re.compile(r"\]\(([^)\s]+)\)")


def without_code(text):
    """Blocks and spans of code hold no links."""
    text = re.sub(r"^```.*?^```", lambda block: "\n" * block.group().count("\n"), text, flags=re.M | re.S)
    return re.sub(r"`[^`\n]*`", lambda span: re.sub(r"[\[\]()]", "", span.group()), text)


def anchors_of(document):
    """The names of its headings, as GitHub makes them."""
    names, times = [], {}
    for heading in re.findall(r"^#{1,6} +(.*?) *$", without_code(document.read_text()), flags=re.M):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        name = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        times[name] = times.get(name, -1) + 1
        names.append(f"{name}-{times[name]}" if times[name] else name)
    return names


def problems(root):
    documents = [root / "README.md", root / "CONTRIBUTING.md", *sorted((root / "docs").glob("*.md"))]
    for document in filter(pathlib.Path.exists, documents):
        for number, line in enumerate(without_code(document.read_text()).splitlines(), 1):
            for link in LINK.findall(line):
                if re.match(r"[a-z]+:", link):
                    continue
                path, _, anchor = link.partition("#")
                target = (document.parent / path).resolve() if path else document
                if not target.exists():
                    yield f"{document}:{number}: there is no {path}"
                elif anchor and target.suffix == ".md" and anchor not in anchors_of(target):
                    yield f"{document}:{number}: {path or document.name} has no heading #{anchor}"


if __name__ == "__main__":
    found = list(problems(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
    print("\n".join(found) if found else "all links lead somewhere")
    sys.exit(1 if found else 0)
