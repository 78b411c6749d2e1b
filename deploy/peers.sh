#!/bin/sh
# Installs the real peers that tests and benchmarks run against: Orthanc with its DICOMweb plugin, dcmtk, dicom3tools,
# PixelMed, and Chromium for the end-to-end tests. No service is started. Without root or without apt it says what is
# missing and ends well: the tests that need a peer then skip themselves and say so.
set -eu

PACKAGES="orthanc orthanc-dicomweb dcmtk dicom3tools pixelmed-apps libpixelmed-java default-jre-headless chromium"

missing_packages() {
    for package in $PACKAGES; do
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || printf ' %s' "$package"
    done
}

give_up() {
    echo "peers: $1" >&2
    echo "peers: tests marked 'peers' or 'browser' are skipped until an administrator runs:" >&2
    echo "  apt-get install --no-install-recommends$missing" >&2
    exit 0
}

# A package may not start its daemon: policy-rc.d answers 101, "forbidden by policy", while we install.
forbid_services() {
    policy=/usr/sbin/policy-rc.d
    [ -e "$policy" ] && return
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod 755 "$policy"
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT INT TERM
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    missing=" $PACKAGES"
    give_up "no apt-get, so no Debian; install Orthanc, dcmtk, dicom3tools, PixelMed and Chromium by other means"
fi

missing=$(missing_packages)
[ -z "$missing" ] && exit 0
[ "$(id -u)" = 0 ] || give_up "not root, so these Debian packages cannot be installed:$missing"

echo "peers: installing$missing"
forbid_services
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq || echo "peers: apt-get update failed; trying with the package lists at hand" >&2
# shellcheck disable=SC2086  # the list is meant to be split
apt-get install -y -qq --no-install-recommends $missing >/dev/null || give_up "apt-get could not install:$missing"
