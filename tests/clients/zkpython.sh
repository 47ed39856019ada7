#!/usr/bin/env bash
# zkpython.sh ours - zkpython, the Python binding of Apache's C client, compiled against Debian's headers
# and run on the drop-in's libzookeeper_mt, with its own tests. (One of them takes a version with two
# digits, such as the 3.10 of our headers, for none.)
#   ZK_AGENT_BIN  our server
#   ZKPEER        directory above c-source/, which peers.sh fills
#   DROPIN        directory with libzookeeper_mt.so.2 (cargo xtask dropin)
#   CLIENTS_OUT   where the binding is built
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target=${1:?ours}
source=${ZKPEER:-/opt/zkpeer}/c-source/zkpython
out=${CLIENTS_OUT:?where the binding is built}/zkpython
python=/usr/bin/python3

rm -rf "$out"
mkdir -p "$out/tests" "$out/log"
# It is older than Python 3.10: lengths of buffers are Py_ssize_t there, and the type of files has to be
# imported.
sed -E 's/\bint (valuelen|buflen|certLen)\b/Py_ssize_t \1/; s/value, ?value_len, pystat/value, (Py_ssize_t)value_len, pystat/;
    s/buffer, ?buffer_len < 0 \? 0 : buffer_len/buffer, (Py_ssize_t)(buffer_len < 0 ? 0 : buffer_len)/' \
    "$source/src/c/zookeeper.c" > "$out/zookeeper.c"
[ "$(diff "$out/zookeeper.c" "$source/src/c/zookeeper.c" | grep -c '^<')" = 8 ]
cat > "$out/files.c" <<'C'
#include <Python.h>

PyTypeObject *files(void) {
    static PyObject *type;
    PyObject *io = type ? NULL : PyImport_ImportModule("_io");
    if (io) type = PyObject_GetAttrString(io, "_IOBase");
    return (PyTypeObject *)type;
}
C
# shellcheck disable=SC2046  # several words
cc -shared -fPIC -w -O1 $("$python-config" --includes) -DTHREADED -DPY_SSIZE_T_CLEAN \
    '-DPyIOBase_Type=(*files())' -I /usr/include/zookeeper -I "$source/src/c" \
    "$out/zookeeper.c" "$out/files.c" -o "$out/zookeeper.so" \
    -L "${DROPIN:?where the drop-in is}" -lzookeeper_mt -Wl,-rpath,"$DROPIN"
ldd "$out/zookeeper.so" | grep -F "$DROPIN/libzookeeper_mt.so.2"

cp "$source"/src/test/*.py "$out/tests"
tests() {
    local file count=0 ran
    sed -i "s/SERVER_PORT = 22182/SERVER_PORT = ${ZK_ADDRESS##*:}/; s/localhost:/127.0.0.1:/" "$out/tests/zktestbase.py"
    cd "$out/tests"
    for file in *_test.py; do
        echo "== $file"
        PYTHONPATH=$out ZKPY_LOG_DIR=$out/log timeout 100 "$python" -W ignore "$file" > "$out/said" 2>&1 || {
            cat "$out/said"
            return 1
        }
        ran=$(sed -n 's/^Ran \([0-9]*\) tests\{0,1\} .*/\1/p' "$out/said")
        grep -E '^(Ran|OK)' "$out/said"
        count=$((count + ${ran:-0}))
    done
    echo "zkpython: $count tests"
    [ "$count" -ge 30 ]
}
export -f tests
export out python
"$here/with-server.sh" "$target" bash -euc tests
