#!/bin/bash
# Installs the collector from URL if the file's SHA-256 is as told, and starts it. Anything else installs nothing: the
# instance then never becomes healthy and gets no mirrored packet. Run again at any time; the last good program stays.
# PREPARE is run first, if given: the program is started in what that leaves.
set -euo pipefail

if [ "$#" -lt 2 ] || [ "$#" -gt 3 ]; then
  echo "usage: enigma-collector-install URL SHA256 [PREPARE]" >&2
  exit 64
fi
url=$1
sha256=$2
prepare=${3:-}
config=/etc/enigma/collector.toml

fail() {
  echo "enigma-collector-install: $1" >&2
  exit 1
}

if [ -n "$prepare" ]; then
  "$prepare" || fail "prepare_script ended with $?: nothing was installed"
fi

# Not in /tmp, which hardened images mount without the right to run anything.
work=$(mktemp --directory --tmpdir="${TMPDIR:-/usr/local/lib}" enigma-collector.XXXXXX)
trap 'rm -rf "$work"' EXIT

# A new instance may boot before its routes and endpoints answer: ten tries within about five minutes.
curl --fail --silent --show-error --location --proto '=https' --proto-redir '=https' --tlsv1.2 \
  --connect-timeout 10 --max-time 600 --retry 10 --retry-delay 15 --retry-max-time 300 --retry-all-errors \
  --output "$work/artifact" "$url" ||
  fail "the artifact could not be fetched from ${url%%\?*}: check the route, the endpoint and the egress rule for TCP 443"

found=$(sha256sum "$work/artifact" | cut -d ' ' -f 1)
if [ "$found" != "$sha256" ]; then
  fail "the artifact's SHA-256 is $found, not $sha256 as configured: nothing was installed"
fi

case ${url%%\?*} in
  *.tar.gz | *.tgz)
    tar --extract --gzip --no-same-owner --file "$work/artifact" --directory "$work" enigma-collector ||
      fail "the archive has no enigma-collector at its top"
    ;;
  *) mv "$work/artifact" "$work/enigma-collector" ;;
esac
chmod 0755 "$work/enigma-collector"

# With the fetched program, before it replaces an installed one.
"$work/enigma-collector" check-config "$config" ||
  fail "the artifact does not accept $config, for the reasons above: correct more_configuration or prepare_script, or take an artifact and a module of one version"

install -o root -g root -m 0755 "$work/enigma-collector" /usr/local/bin/enigma-collector
sysctl --quiet --load /etc/sysctl.d/60-enigma-collector.conf
systemd-tmpfiles --create /etc/tmpfiles.d/enigma-collector.conf
systemctl daemon-reload
systemctl enable --quiet enigma-collector.service
systemctl restart enigma-collector.service
