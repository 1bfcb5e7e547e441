#!/bin/sh
# Builds the interceptor and puts it where the project looks for it.
set -eu
cd "$(dirname "$0")"
npm install --no-audit --no-fund --silent
node_modules/.bin/asc index.ts --config node_modules/@assemblyscript/wasi-shim/asconfig.json --use abort=abort_proc_exit \
    -O --shrinkLevel 2 --noAssert --outFile ../.NAME.wasm
# At once, so that a gateway that reloads never reads half of it.
mv -f ../.NAME.wasm ../NAME.wasm
