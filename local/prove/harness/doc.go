// Package harness is what the tests with whole replicas share: replicas of the production service, in the test's process
// or in one of their own that can be killed, the count of what they read, and the offsets of their group. It knows nothing
// of the Kafka, object store and BigQuery they talk to: the environment that a test passes names them.
//
// A test package that starts processes calls [RunReplica] first in its TestMain.
package harness
