package consumer

import (
	"maps"
	"slices"
	"time"

	"tidemark/batch"
)

// View is what a session shows of itself on /status. It is published by the poll loop, so readers never wait for it.
type View struct {
	// Joined says that the group has given this member its assignment.
	Joined     bool            `json:"joined"`
	Partitions []PartitionView `json:"partitions"`
	Open       []OpenView      `json:"open"`
	// Absent are the topics that are not there, or not to be seen, with what to do about it. They hold the watermark.
	Absent []AbsentView `json:"absent_topics,omitempty"`
	// Oldest is an instant before which nothing has come to Kafka that is not committed yet, as far as this replica knows:
	// that of the open batches' oldest records, and of partitions that are not consumed. Zero if there is nothing.
	Oldest time.Time `json:"oldest"`
	// Pending, Stopped: so many partitions are assigned and not consumed, because they are still being taken over, or
	// because a person has to do something.
	Pending int `json:"pending"`
	Stopped int `json:"stopped"`
	// Full names the streams of which nothing is fetched, since as many of their batches are prepared and not applied as may
	// be.
	Full []string `json:"full,omitempty"`
	// PolledAt is when the poll loop last went round.
	PolledAt time.Time `json:"polled_at"`
}

// PartitionView is one partition that is assigned to this replica.
type PartitionView struct {
	batch.TopicPartition
	Stream string    `json:"stream"`
	Phase  string    `json:"phase"` // pending, consuming or stopped
	Start  int64     `json:"start"` // first offset of the open batch
	Next   int64     `json:"next"`  // next offset to consume
	End    int64     `json:"end"`   // high watermark
	Clock  time.Time `json:"clock"` // everything that came before is below Next
	// OpenTransaction is since when a transaction that does not end keeps the next records from being read.
	OpenTransaction *time.Time `json:"open_transaction,omitempty"`
	Problem         string     `json:"problem,omitempty"`
	Hint            string     `json:"hint,omitempty"`
}

// OpenView is a batch that still takes records.
type OpenView struct {
	ID     batch.ID     `json:"id"`
	Stream string       `json:"stream"`
	Period batch.Period `json:"period"`
	Oldest time.Time    `json:"oldest"`
}

// AbsentView is a topic that is not there, or not to be seen.
type AbsentView struct {
	Topic   string `json:"topic"`
	Problem string `json:"problem"`
	Hint    string `json:"hint"`
}

// String returns the phase as /status shows it.
func (p phase) String() string {
	switch p {
	case pending:
		return "pending"
	case stopped:
		return "stopped"
	default:
		return "consuming"
	}
}

// View returns the newest published view and those of the streams' drivers. It never blocks.
func (s *Session) View() (View, map[string]batch.View) {
	drivers := make(map[string]batch.View, len(s.streams))
	for _, st := range s.streams {
		drivers[st.Name] = st.driver.View()
	}
	return *s.view.Load(), drivers
}

// refresh makes the present state visible; s.mu is held.
func (s *Session) refresh(now time.Time) {
	v := View{PolledAt: now, Joined: s.joined}
	for _, tp := range s.sorted(nil) {
		p := s.partitions[tp]
		v.Partitions = append(v.Partitions, s.partitionView(tp, p, now))
		switch p.phase {
		case pending:
			v.Pending++
		case stopped:
			v.Stopped++
		default:
			continue
		}
		if !p.clock.IsZero() {
			v.Oldest = earliest(v.Oldest, p.clock)
		} else {
			v.Oldest = earliest(v.Oldest, p.since)
		}
	}
	for _, topic := range slices.Sorted(maps.Keys(s.absent)) {
		err := s.absent[topic]
		v.Absent = append(v.Absent, AbsentView{topic, err.Error(), s.hint(batch.TopicPartition{Topic: topic}, err)})
	}
	for _, st := range s.streams {
		if st.full {
			v.Full = append(v.Full, st.Name)
		}
		for _, b := range []*open{st.current, st.next} {
			if b != nil {
				v.Open = append(v.Open, OpenView{ID: b.id, Stream: st.Name, Period: b.period, Oldest: b.oldest})
				v.Oldest = earliest(v.Oldest, b.oldest)
			}
		}
	}
	s.view.Store(&v)
}

// openTransactionHint says what to do about a transaction that does not end.
const openTransactionHint = "a producer's transaction does not end; find it with `kafka-transactions.sh find-hanging` and abort it, if its producer is gone (brokers abort transactions of more than transaction.max.timeout.ms by themselves)"

// transactionPatience is how long a transaction may be open before anybody is told of it: most end within seconds.
const transactionPatience = 10 * time.Second

func (s *Session) partitionView(tp batch.TopicPartition, p *partition, now time.Time) PartitionView {
	v := PartitionView{TopicPartition: tp, Stream: p.stream.Name, Phase: p.phase.String(), Start: p.start, Next: p.pos, End: p.end, Clock: p.clock}
	switch {
	case p.problem != nil:
		v.Problem, v.Hint = p.problem.Error(), s.hint(tp, p.problem)
	case !p.blocked.IsZero() && now.Sub(p.blocked) >= transactionPatience:
		since := p.blocked
		v.OpenTransaction, v.Hint = &since, openTransactionHint
	}
	return v
}
