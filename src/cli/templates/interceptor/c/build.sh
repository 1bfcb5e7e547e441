#!/bin/sh
# Builds the interceptor and puts it where the project looks for it.
set -eu
cd "$(dirname "$0")"
if command -v zig > /dev/null; then
    zig=zig
elif python3 -c 'import ziglang' 2> /dev/null; then
    zig='python3 -m ziglang'
else
    echo "zig is missing: pip install ziglang" >&2
    exit 2
fi
# Without a size for the stack it gets 16 MiB, which is more memory than a module may have.
$zig cc -target wasm32-wasi -mexec-model=reactor -Os -s -Wall -Wextra -Wl,-z,stack-size=65536 -o ../.NAME.wasm interceptor.c
# At once, so that a gateway that reloads never reads half of it.
mv -f ../.NAME.wasm ../NAME.wasm
