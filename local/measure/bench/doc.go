// Command bench measures how fast tidemark gets events from Kafka into Parquet objects, and how far that is from what
// the machine could do at all.
//
//	go run ./local/measure/bench                        all variants
//	go run ./local/measure/bench --only 2.6KB/lz4/100   one of them
//	go run ./local/measure/bench --cores                with GOMAXPROCS of 1, 2, 4 and so on
//	go run ./local/measure/bench --idle 10s             with nothing to do
//	go run ./local/measure/bench --boundary out.svg     from a period's end to its load job
//	go run ./local/measure/bench --flamegraph out.svg   where CPU time goes, as a picture
//	go run ./local/measure/bench --merge                a merge of persons, and what it would cost
//
// A variant is a topic of events of one size, in batches of one codec, of a number of teams whose sizes follow Zipf's
// law. For every variant a broker is started in a process of its own, filled by the generator, and then read three
// times, each time by a new process:
//
//   - A, a ceiling: a Kafka client that polls and looks at nothing. No consumer is faster.
//   - B, a ceiling: the same, and compresses the very Parquet pages that tidemark compresses, with tidemark's codec, on
//     all cores. The pages are made before the clock starts, by tidemark's own buffers and encoder from the same
//     messages. Nothing that keeps these columns and this codec does less than B.
//   - tidemark: service.Run, configured by TIDEMARK_ variables, as the command does it. Its period does not end during
//     the run. When the last record was polled it is asked to hand over, as by SIGTERM: it uploads the tails, prepares
//     the batch in Kafka and leaves the group.
//
// What is measured begins with the first batch that a client reads, so that starting is left out, and ends when
// service.Run returns, or with a ceiling's last record. What follows the hand-over in production is a load job, which
// BigQuery does. Object store and BigQuery are emulated in this command's process: their CPU time is not counted as
// tidemark's, nor is the broker's, but they compete for the cores, so CPU time per record says more than records per
// second, and says it on a busy machine too.
//
// With --boundary tidemark runs as in production, and one volume is produced in each of its periods. The manifest says
// when a batch was sealed, the embedded BigQuery when the load job was submitted, both by this machine's clock. In
// between lie the tails: what had not been uploaded during the period.
//
// Variables of the environment (TIDEMARK_BUFFER_MEMORY, GOGC, GOMAXPROCS, ...) apply to the measured processes.
package main
