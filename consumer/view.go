package consumer

import (
	"time"

	"tidemark/batch"
)

// View is what a session shows of itself on /status. It is published by the poll loop, so readers never wait for it.
type View struct {
	Partitions []PartitionView `json:"partitions"`
	Open       []OpenView      `json:"open"`
	// Oldest is the age of the open batches' oldest records, as an instant; zero if there are none.
	Oldest time.Time `json:"oldest"`
	// PolledAt is when the poll loop last went round.
	PolledAt time.Time `json:"polled_at"`
}

// PartitionView is one partition of this replica.
type PartitionView struct {
	batch.TopicPartition
	Start   int64     `json:"start"` // first offset of the open batch
	Next    int64     `json:"next"`  // next offset to consume
	Clock   time.Time `json:"clock"` // largest record timestamp, never ahead of now
	Stopped string    `json:"stopped,omitempty"`
	Hint    string    `json:"hint,omitempty"`
}

// OpenView is a batch that still takes records.
type OpenView struct {
	ID     batch.ID     `json:"id"`
	Period batch.Period `json:"period"`
	Oldest time.Time    `json:"oldest"`
}

// View returns the newest published view and that of the driver. It never blocks.
func (s *Session) View() (View, batch.View) { return *s.view.Load(), s.driver.View() }

// refresh makes the present state visible; s.mu is held.
func (s *Session) refresh(now time.Time) {
	v := View{PolledAt: now}
	for _, tp := range sortedPartitions(s.partitions) {
		p := s.partitions[tp]
		pv := PartitionView{TopicPartition: tp, Start: p.start, Next: p.pos, Clock: p.clock}
		if p.stopped != nil {
			pv.Stopped, pv.Hint = p.stopped.Error(), stopHint(p.stopped)
		}
		v.Partitions = append(v.Partitions, pv)
	}
	for _, b := range []*open{s.current, s.next} {
		if b == nil {
			continue
		}
		v.Open = append(v.Open, OpenView{ID: b.id, Period: b.period, Oldest: b.oldest})
		v.Oldest = earliest(v.Oldest, b.oldest)
	}
	s.view.Store(&v)
}
