#!/bin/sh
# Builds the plugin and fetches the viewer that the agent serves, into ohif-extension/. What is there already is left as
# it is, so that a second run costs nothing. Usage: deploy/viewer.sh [optional]
# Without "optional" it fails when something is missing; with it, it says what is missing and ends well: the agent works
# without the viewer too.
set -eu

OLDEST_NODE=20.19
wish=${1:-}
stamps=$PWD/.stamps
cd ohif-extension
# Who only wants the demo is soon told that there is no network.
[ "$wish" != optional ] || export npm_config_fetch_retries=1 npm_config_fetch_retry_mintimeout=2000 npm_config_fetch_timeout=60000

give_up() {
    echo "viewer: $1" >&2
    [ "$wish" = optional ] || exit 1
    echo "viewer: going on without it; 'make viewer' tries again" >&2
    exit 0
}

# Debian's packages, where Node.js is not there at all and we may install it.
install_node() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 0
    echo "viewer: installing Node.js and npm"
    soon="-o Acquire::Retries=0 -o Acquire::http::Timeout=20"
    # shellcheck disable=SC2086  # several words
    apt-get $soon update -qq || echo "viewer: apt-get update failed; trying with the package lists at hand" >&2
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get $soon install -y -qq --no-install-recommends nodejs npm >/dev/null || true
}

new_enough() {
    node -e '
        const [major, minor] = process.versions.node.split(".").map(Number);
        const [leastMajor, leastMinor] = process.argv[1].split(".").map(Number);
        process.exit(major > leastMajor || (major === leastMajor && minor >= leastMinor) ? 0 : 1);
    ' "$OLDEST_NODE"
}

content_of() {
    # shellcheck disable=SC2046  # names in this folder have no spaces
    cat $(find "$@" -type f | LC_ALL=C sort) | sha256sum | cut -d' ' -f1
}

# Runs a command unless it ran with the same content before. Usage: once NAME "FILES AND FOLDERS" MADE COMMAND...
once() {
    name=$1 content=$(content_of $2) made=$3
    shift 3
    [ -e "$made" ] && [ "$(cat "$stamps/$name" 2>/dev/null)" = "$content" ] && return
    echo "viewer: making ohif-extension/$made"
    "$@" || return 1
    mkdir -p "$stamps"
    echo "$content" > "$stamps/$name"
}

command -v npm >/dev/null && command -v node >/dev/null || install_node
command -v npm >/dev/null && command -v node >/dev/null ||
    give_up "Node.js $OLDEST_NODE or newer and npm are missing (Debian: apt-get install nodejs npm, or https://nodejs.org)"
new_enough || give_up "this needs Node.js $OLDEST_NODE or newer, here is $(node --version); see https://nodejs.org"

once plugin-packages "package.json package-lock.json" node_modules npm ci --silent ||
    give_up "npm could not install the packages of ohif-extension/package-lock.json; is there a network, or a mirror of npm?"
once plugin-build "package.json package-lock.json tsconfig.json scripts/build.mjs src" dist/extension.js npm run --silent build ||
    give_up "the plugin could not be built; the messages are above"
once viewer "viewer.json scripts/fetch-viewer.mjs scripts/viewer-files.mjs" viewer/viewer-build.json npm run --silent fetch-viewer ||
    give_up "the viewer could not be fetched; the messages are above"
