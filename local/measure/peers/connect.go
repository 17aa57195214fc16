package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"tidemark/local/emulate/stack"
)

// connectDir is where connect.sh keeps Kafka Connect and the connector.
func connectDir(ctx context.Context) (string, error) {
	for _, tool := range []string{"java", "keytool"} {
		if _, err := exec.LookPath(javaTool(tool)); err != nil {
			return "", fmt.Errorf("found no %s; install a JDK, 17 or later, or set JAVA_HOME", tool)
		}
	}
	var said strings.Builder
	cmd := exec.CommandContext(ctx, "local/measure/peers/connect.sh", "dir")
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, strings.TrimSpace(said.String()))
	}
	return strings.TrimSpace(string(out)), nil
}

func javaTool(name string) string {
	if home := os.Getenv("JAVA_HOME"); home != "" {
		return filepath.Join(home, "bin", name)
	}
	return name
}

func connectorName(c *scene) string { return strings.NewReplacer(" ", "", ",", "-").Replace(c.name) }

// connectGroup is the group that Kafka Connect makes for a connector.
func connectGroup(c *scene) string { return "connect-" + connectorName(c) }

// prepareConnect configures Kafka Connect standalone with the connector, in its mode of load jobs from GCS or in that of
// streaming inserts, and plays Google for it.
func prepareConnect(dir string, batch bool) func(context.Context, *scene) (prepared, error) {
	return func(ctx context.Context, c *scene) (p prepared, err error) {
		key, err := writeKeyFile(c.dir, stack.Project)
		if err != nil {
			return p, err
		}
		authority, err := newAuthority()
		if err != nil {
			return p, err
		}
		trust, err := authority.writeTrustStore(ctx, c.dir)
		if err != nil {
			return p, err
		}
		api, err := newAPI(ctx, c.stack)
		if err != nil {
			return p, err
		}
		google, err := startGoogle(ctx, authority, api)
		if err != nil {
			return p, err
		}
		worker, connector := filepath.Join(c.dir, "worker.properties"), filepath.Join(c.dir, "connector.properties")
		err = errors.Join(os.WriteFile(worker, []byte(workerProperties(c, dir)), 0o600),
			os.WriteFile(connector, []byte(connectorProperties(c, key, batch)), 0o600))
		args := append(jvmArguments(google.addr, trust), "-Dpeers.keyfile="+key, "-Dpeers.project="+stack.Project,
			"-cp", dir+"/runtime/*", "org.apache.kafka.connect.cli.ConnectStandalone", worker, connector)
		return prepared{close: google.Close, left: api.leftOut, command: func(ctx context.Context) *exec.Cmd {
			return command(ctx, nil, javaTool("java"), args...)
		}}, err
	}
}

// jvmArguments has the heap and collector of Kafka's own connect-standalone.sh.
func jvmArguments(proxy, trust string) []string {
	host, port, _ := strings.Cut(proxy, ":")
	return []string{"-Xms256M", "-Xmx2G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=info", "-Dorg.slf4j.simpleLogger.showDateTime=true",
		"-Dhttps.proxyHost=" + host, "-Dhttps.proxyPort=" + port,
		"-Djavax.net.ssl.trustStore=" + trust, "-Djavax.net.ssl.trustStoreType=PKCS12", "-Djavax.net.ssl.trustStorePassword=" + storePassword}
}

// workerProperties leaves everything at its default that does not have to do with addresses and the common period. Members
// that were killed are noticed as soon as tidemark's; by default, one that is killed during a rebalance holds the next one
// up for five minutes (max.poll.interval.ms).
func workerProperties(c *scene, dir string) string {
	return fmt.Sprintf(`bootstrap.servers=%s
key.converter=org.apache.kafka.connect.converters.ByteArrayConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
value.converter.schemas.enable=false
offset.storage.file.filename=%s
offset.flush.interval.ms=%d
plugin.path=%s
listeners=http://127.0.0.1:0
consumer.auto.offset.reset=earliest
consumer.session.timeout.ms=6000
consumer.heartbeat.interval.ms=2000
consumer.max.poll.interval.ms=30000
`, c.broker.Addrs()[0], filepath.Join(c.dir, "offsets"), period.Milliseconds(), filepath.Join(dir, "plugin"))
}

// connectorProperties selects the members that are columns: the connector knows no others to ignore.
func connectorProperties(c *scene, key string, batch bool) string {
	class := "tidemark.peers.CachingConnector"
	if c.opts.published {
		class = "com.wepay.kafka.connect.bigquery.BigQuerySinkConnector"
	}
	p := fmt.Sprintf(`name=%s
connector.class=%s
tasks.max=2
topics=%s
project=%s
defaultDataset=%s
keyfile=%s
autoCreateTables=false
sanitizeTopics=false
bigQueryPartitionDecorator=false
transforms=columns
transforms.columns.type=org.apache.kafka.connect.transforms.ReplaceField$Value
transforms.columns.include=uuid,event,properties,timestamp,team_id,distinct_id,elements_chain,created_at,person_id,person_properties,person_mode,historical_migration
`, connectorName(c), class, topic, stack.Project, stack.Dataset, key)
	if batch {
		p += fmt.Sprintf("enableBatchLoad=%s\ngcsBucketName=%s\nautoCreateBucket=false\nbatchLoadIntervalSec=%d\n", topic, stack.Bucket, int(period.Seconds()))
	}
	return p
}
