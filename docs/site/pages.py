"""Writes the site's pages: README.md as index.md, CONTRIBUTING.md and docs/*.md, with links among them as they are there.

    pages.py FOLDER

Files of the source that pages link to become text files of the site, source/<path>.txt; folders, a list of what is in them.
"""
import pathlib
import re
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
LINK = re.compile(r"\]\(([^)\s#]+)(#[^)\s]*)?\)")


def make(pages):
    shutil.rmtree(pages, ignore_errors=True)
    pages.mkdir(parents=True)
    documents = {ROOT / "README.md": "index.md", ROOT / "CONTRIBUTING.md": "CONTRIBUTING.md"}
    documents.update({path: path.name for pattern in ("*.md", "*.png") for path in (ROOT / "docs").glob(pattern)})

    def place_of(target):
        if target in documents:
            return documents[target]
        copy = pages / "source" / f"{target.relative_to(ROOT)}.txt"
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text("".join(f"{path.relative_to(ROOT)}\n" for path in sorted(target.rglob("*")) if path.is_file())
                        if target.is_dir() else target.read_text())
        return str(copy.relative_to(pages))

    for document, name in documents.items():
        if document.suffix != ".md":
            shutil.copy(document, pages / name)
            continue

        def as_on_site(link):
            path, anchor = link.group(1), link.group(2) or ""
            if re.match(r"[a-z]+:", path):
                return link.group()
            return f"]({place_of((document.parent / path).resolve())}{anchor})"

        (pages / name).write_text(LINK.sub(as_on_site, document.read_text()))


if __name__ == "__main__":
    make(pathlib.Path(sys.argv[1]))
