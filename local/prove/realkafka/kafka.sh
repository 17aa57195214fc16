#!/usr/bin/env bash
# Apache Kafka 4 for the tests: one node, KRaft, on loopback.
#
#   kafka.sh fetch                    download the jars named in jars.sha256 from Maven Central into the cache
#   kafka.sh start DIR PORT CPORT     run Kafka in the foreground on its data in DIR; PORT is for clients, CPORT for the
#                                     controller. Formats DIR when it is empty. The process is Kafka's: kill it as you like.
#
# The cache is ${XDG_CACHE_HOME:-~/.cache}/tidemark/kafka-<version>. $TIDEMARK_KAFKA_DIR names a directory with the jars
# of another version instead (and slf4j-simple). Needs Java 17 or later; fetch needs curl.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
list=$here/jars.sha256
version=$(sed -n 's|.*/kafka_2.13-\(.*\)\.jar$|\1|p' "$list")
cache=${TIDEMARK_KAFKA_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/tidemark/kafka-$version}
central=${MAVEN_CENTRAL:-https://repo.maven.apache.org/maven2}

die() { echo "kafka.sh: $*" >&2; exit 1; }

checksums() { if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi; }

fetch() {
  mkdir -p "$cache"
  while read -r sum path; do
    local jar=$cache/${path##*/}
    if [ -f "$jar" ]; then continue; fi
    curl -fsS --retry 3 --max-time 120 -o "$jar.part" "$central/$path"
    echo "$sum  $jar.part" | checksums -c - >/dev/null || die "$path is not what jars.sha256 pins"
    mv "$jar.part" "$jar"
  done <"$list"
  echo "Apache Kafka $version is in $cache"
}

properties() {
  cat <<EOF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$3
listeners=PLAINTEXT://127.0.0.1:$2,CONTROLLER://127.0.0.1:$3
advertised.listeners=PLAINTEXT://127.0.0.1:$2
controller.listener.names=CONTROLLER
log.dirs=$1/data
# One node: every internal topic has one replica, and few partitions, so that starting again is quick.
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
auto.create.topics.enable=false
# A dead member, and a broker that was killed, are noticed within seconds.
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
group.consumer.min.session.timeout.ms=1000
group.consumer.session.timeout.ms=3000
group.consumer.min.heartbeat.interval.ms=200
group.consumer.heartbeat.interval.ms=500
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
# Low on memory and threads.
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=2097152
log.cleaner.threads=1
log.segment.bytes=67108864
# A deleted topic is gone at once.
log.segment.delete.delay.ms=100
EOF
}

start() {
  [ $# -eq 3 ] || die "want: start DIR PORT CPORT"
  local dir=$1
  mkdir -p "$dir"
  properties "$@" >"$dir/server.properties"
  local java=${JAVA_HOME:+$JAVA_HOME/bin/}java
  # A short-lived node: compiling with C1 alone starts faster than it would ever win by C2.
  local run=("$java" -Xmx512m -Xms128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:+ExitOnOutOfMemoryError
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=${KAFKA_LOG_LEVEL:-warn}" -Dorg.slf4j.simpleLogger.showDateTime=true
    -cp "$cache/*")
  if [ ! -f "$dir/data/meta.properties" ]; then
    "${run[@]}" kafka.tools.StorageTool format --cluster-id tidemark-tests-000000A --config "$dir/server.properties"
  fi
  if [ -n "${KAFKA_DIES_WITH_STDIN:-}" ]; then # so that a test that is killed leaves no Kafka behind
    exec 3<&0
    { cat >/dev/null; kill -KILL $$; } <&3 >/dev/null 2>&1 &
    exec 3<&-
  fi
  exec "${run[@]}" kafka.Kafka "$dir/server.properties"
}

case ${1:-} in
  fetch) fetch ;;
  start) shift; start "$@" ;;
  *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "${BASH_SOURCE[0]}"; exit 2 ;;
esac
