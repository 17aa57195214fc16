#!/usr/bin/env bash
# Kafka Connect standalone with kafka-connect-bigquery, for `make bench-peers`.
#
#   connect.sh fetch    download the jars named in connect.sha256 from Maven Central into the cache, and compile java/*.java
#   connect.sh dir      print the cache's directory, and fail unless everything is there
#
# Maven Central has one version of the connector, 2.0.0-alpha, without the jar kcbq-api that it names: the two types of it
# that the connector's code refers to are in java/, and with them a task without one of its faults.
#
# The cache is ${XDG_CACHE_HOME:-~/.cache}/tidemark/connect-<version>. Needs a JDK, 17 or later; fetch needs curl.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
list=$here/connect.sha256
version=$(sed -n 's|.*/connect-runtime-\(.*\)\.jar$|\1|p' "$list")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/tidemark/connect-$version
central=${MAVEN_CENTRAL:-https://repo.maven.apache.org/maven2}

die() { echo "connect.sh: $*" >&2; exit 1; }

checksums() { if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi; }

tool() { echo "${JAVA_HOME:+$JAVA_HOME/bin/}$1"; }

fetch() {
  command -v "$(tool javac)" >/dev/null || die "found no javac; install a JDK, 17 or later, or set JAVA_HOME"
  mkdir -p "$cache/runtime" "$cache/plugin/kcbq"
  while read -r sum kind path; do
    local jar=$cache/runtime/${path##*/}
    if [ "$kind" = plugin ]; then jar=$cache/plugin/kcbq/${path##*/}; fi
    if [ -f "$jar" ]; then continue; fi
    curl -fsS --retry 3 --max-time 120 -o "$jar.part" "$central/$path" || die "cannot download $path from Maven Central"
    echo "$sum  $jar.part" | checksums -c - >/dev/null || die "$path is not what connect.sha256 pins"
    mv "$jar.part" "$jar"
  done <"$list"
  rm -rf "$cache/classes" "$cache/plugin/kcbq/peers.jar"
  mkdir "$cache/classes"
  "$(tool javac)" --release 17 -cp "$cache/runtime/*:$cache/plugin/kcbq/*" -d "$cache/classes" "$here"/java/*.java
  (cd "$cache/classes" && "$(tool jar)" cf "$cache/plugin/kcbq/peers.jar" .)
  touch "$cache/complete"
  echo "Kafka Connect $version with kafka-connect-bigquery is in $cache"
}

case ${1:-} in
  fetch) fetch ;;
  dir) [ -f "$cache/complete" ] || die "Kafka Connect is not in $cache; run: local/measure/peers/connect.sh fetch"; echo "$cache" ;;
  *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "${BASH_SOURCE[0]}"; exit 2 ;;
esac
