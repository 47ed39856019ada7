#!/usr/bin/env bash
# binding.sh ours - the npm package zookeeper, compiled against the headers of the drop-in and linked
# to its libzookeeper_st instead of the client that the package brings: our steps, and its own tests
# that need a server.
#   ZK_AGENT_BIN  our server
#   ZKPEER        directory above node/node_modules, which peers.sh fills
#   DROPIN        directory with libzookeeper_st.so.2 (cargo xtask dropin)
#   CLIENTS_OUT   where the binding is built
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target=${1:?ours}
modules=${ZKPEER:-/opt/zkpeer}/node/node_modules
out=${CLIENTS_OUT:?where the binding is built}/binding
headers=$(node -p 'require("path").join(process.execPath, "../../include/node")')

rm -rf "$out"
mkdir -p "$out"
cp -r "$modules" "$out/node_modules"
package=$out/node_modules/zookeeper
rm -rf "$package/build" "$package/prebuilds" "$package/deps"
mkdir -p "$package/build/Release"
c++ -std=c++17 -fPIC -shared -w -O1 -DNODE_GYP_MODULE_NAME=zookeeper -DBUILDING_NODE_EXTENSION \
    -I "$headers" -I "$out/node_modules/nan" -I "$here/../../include/zookeeper" \
    "$package/src/node-zk.cpp" -o "$package/build/Release/zookeeper.node" \
    -L "${DROPIN:?where the drop-in is}" -lzookeeper_st -Wl,-rpath,"$DROPIN"
ldd "$package/build/Release/zookeeper.node" | grep -F "$DROPIN/libzookeeper_st.so.2"

# Its steps must be these files', whatever stands in the folders above.
cp "$here"/node/*.js "$out"
NODE_PATH=$out/node_modules SERVER_LINES=$'tickTime=500\nminSessionTimeout=1000' \
    timeout 120 "$here/with-server.sh" "$target" node "$out/native.js"

(cd "$out" && npm install --no-audit --no-fund --no-save --no-package-lock --ignore-scripts \
    --loglevel=error --prefix "$out/ava" ava@6.4.1)
tests() { # The package must not lie below node_modules, where the runner looks for no tests.
    cp -r "$package" "$out/package"
    ln -s "$out/ava/node_modules" "$out/package/node_modules"
    ln -s "$out/node_modules/node-gyp-build" "$out/ava/node_modules/node-gyp-build"
    cd "$out/package"
    timeout 120 "$here/with-server.sh" "$target" bash -c \
        '"$0/node_modules/.bin/ava" "tests/integration/*.js" -- "$ZK_ADDRESS"' "$out/ava"
}
tests
