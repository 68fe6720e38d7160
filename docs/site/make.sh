#!/usr/bin/env bash
# Makes the documentation's site, build/site/html: files that a browser opens without a server. A link that leads nowhere is an error.
set -euo pipefail
cd "$(dirname "$0")/../.."

tools=.deps/site-python
[ -x $tools/bin/mkdocs ] || { mkdir -p .deps && python3 -m venv $tools; }
$tools/bin/pip install -q --disable-pip-version-check -r docs/site/requirements.txt
python3 docs/site/pages.py build/site/pages
NO_MKDOCS_2_WARNING=1 $tools/bin/mkdocs build --strict --quiet -f docs/site/mkdocs.yml
echo "build/site/html/index.html"
