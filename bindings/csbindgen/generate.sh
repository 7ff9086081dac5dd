#!/bin/sh
# Regenerates bindings/MsHpc.Interop/NativeMethods.g.cs (or the file named as the argument) from native/include/mshpc.h.
# Needs bindgen and cargo. The crate csbindgen comes from a folder of vendored sources when there is one (shared/csbindgen/vendor.tar.gz
# in a folder above the checkout, or MSHPC_CSBINDGEN_VENDOR), else from the crate registry.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
output=${1:-$root/bindings/MsHpc.Interop/NativeMethods.g.cs}
work=$root/artifacts/csbindgen
mkdir -p "$work"

bindgen "$root/native/include/mshpc.h" --allowlist-function 'msh_.*' --allowlist-type 'msh_.*' --allowlist-var 'MSH_.*' \
    --blocklist-type '__.*' --default-macro-constant-type signed --no-layout-tests > "$work/mshpc.rs"

vendor=${MSHPC_CSBINDGEN_VENDOR:-}
above=$root
while [ -z "$vendor" ] && [ "$above" != / ]; do
    above=$(dirname "$above")
    [ -f "$above/shared/csbindgen/vendor.tar.gz" ] && vendor=$above/shared/csbindgen/vendor.tar.gz
done
export CARGO_TARGET_DIR="$work/target"
build() { (cd "$here" && cargo build --release --quiet "$@"); }
if [ -n "$vendor" ]; then
    [ -d "$work/vendor" ] || tar xzf "$vendor" -C "$work"
    build --offline --config 'source.crates-io.replace-with="vendored"' --config "source.vendored.directory=\"$work/vendor\""
else
    build
fi
"$CARGO_TARGET_DIR/release/mshpc-bindings" "$work/mshpc.rs" "$work/raw.cs"

# Line ends, trailing blanks and the final newline follow .editorconfig.
tr -d '\r' < "$work/raw.cs" | sed -e 's/[[:space:]]*$//' | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}' > "$output"
