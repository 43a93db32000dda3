#!/bin/sh
# Builds what notifier/web/admin/static/vendor holds (and the tests' axe-core) from npm. Needs node; nothing at run time
# does. Versions are pinned in package.json.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
static="$here/../static/vendor"
axe="$here/../../../../tests/browser/vendor"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here/package.json" "$here/editor.mjs" "$work"
cd "$work"
npm install --no-package-lock --no-audit --no-fund --silent
node_modules/.bin/esbuild editor.mjs --bundle --minify --format=iife --target=es2022 --legal-comments=none \
  --log-level=warning --outfile="$static/codemirror.js"
cp node_modules/htmx.org/dist/htmx.min.js "$static/htmx.js"
cp node_modules/@picocss/pico/css/pico.min.css "$static/pico.css"
mkdir -p "$axe"
cp node_modules/axe-core/axe.min.js "$axe/axe.js"
cp node_modules/axe-core/LICENSE "$axe/LICENSE-axe-core"
for package in codemirror htmx.org @picocss/pico; do
  name=$(echo "${package#@}" | tr / - )
  cp "$(ls node_modules/$package/LICENSE*)" "$static/LICENSE-$name"
done
