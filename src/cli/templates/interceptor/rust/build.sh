#!/bin/sh
# Builds the interceptor and puts it where the project looks for it.
set -eu
cd "$(dirname "$0")"
cargo build --release --target wasm32-wasip1 --target-dir target
cp target/wasm32-wasip1/release/interceptor.wasm ../.NAME.wasm
# At once, so that a gateway that reloads never reads half of it.
mv -f ../.NAME.wasm ../NAME.wasm
