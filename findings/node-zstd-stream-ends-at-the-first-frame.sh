#!/usr/bin/env bash
# zlib.createZstdDecompress of Node 24.21.0 (npm package "node"), Linux x64.
#
# Guess: a Zstandard file of several frames (RFC 8878, 3: frames may be concatenated, and decode to their contents one after another) is unpacked whole, as
# createGunzip does with several members of gzip.
# Seen: where a second frame begins in the same chunk as the first ends, the stream ends after the first frame, without an error; only bytesWritten, which is less than
# what was given, tells. Where the second frame comes in a chunk of its own, both are unpacked: what is lost depends on how a file happens to be cut into chunks.
# zstdDecompressSync gives the first frame alone, too. Two members of gzip are unpacked whole.
# So: after unpacking .zst, compare bytesWritten with what was written, or part of the data is lost silently.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund node@24.21.0
cat > frames.mjs <<'JS'
import * as zlib from "node:zlib";

/** What a stream unpacks of some chunks, or its error. */
function unpacked(stream, chunks) {
  return new Promise((done) => {
    let text = "";
    stream.on("data", (piece) => { text += piece; });
    stream.on("error", (error) => done(`error ${error.code}`));
    stream.on("end", () => done(`"${text}" of ${stream.bytesWritten}`));
    for (const chunk of chunks) stream.write(chunk);
    stream.end();
  });
}

const zstd = ["first", "second"].map((text) => zlib.zstdCompressSync(text));
const gzip = ["first", "second"].map((text) => zlib.gzipSync(text));
const size = Buffer.concat(zstd).length;
const together = await unpacked(zlib.createZstdDecompress(), [Buffer.concat(zstd)]);
const apart = await unpacked(zlib.createZstdDecompress(), zstd);
const once = zlib.zstdDecompressSync(Buffer.concat(zstd)).toString();
const members = await unpacked(zlib.createGunzip(), [Buffer.concat(gzip)]);
console.log(`${process.version}, ${size} bytes in two frames: together ${together}, apart ${apart}, at once "${once}"; gzip ${members}`);
const asSeen = together === `"first" of ${zstd[0].length}` && apart === `"firstsecond" of ${size}` && once === "first" && members.startsWith('"firstsecond"');
process.exit(asSeen ? 0 : 1);
JS
node_modules/.bin/node frames.mjs
