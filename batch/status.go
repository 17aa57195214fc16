package batch

import "time"

// Status is one batch as /status shows it.
type Status struct {
	ID       ID        `json:"id"`
	State    string    `json:"state"`
	Since    time.Time `json:"since"`
	Reason   string    `json:"reason"`
	SealedAt time.Time `json:"sealed_at"`
	Tables   []string  `json:"tables,omitempty"`
	Attempts int       `json:"failed_attempts,omitempty"`
	Error    string    `json:"error,omitempty"`
	Hint     string    `json:"hint,omitempty"`
}

// Status lists the batches that are not yet committed, oldest first.
func (d *Driver) Status() []Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]Status, 0, len(d.batches))
	for _, e := range d.batches {
		s := Status{ID: e.manifest.ID, State: e.state.String(), Since: e.since, Reason: e.manifest.Reason,
			SealedAt: e.manifest.SealedAt, Attempts: e.attempts}
		if e.state != Sealed {
			for i := range e.manifest.Tables {
				s.Tables = append(s.Tables, e.manifest.Tables[i].Target.String())
			}
		}
		if e.err != nil {
			s.Error, s.Hint = e.err.Error(), HintOf(e.err)
		}
		list = append(list, s)
	}
	return list
}

// Clock returns the instant up to which the held partitions are committed: the minimum of their committed clocks. It is
// zero while a partition's clock is unknown, and ok is false when no partition is held.
func (d *Driver) Clock() (watermark time.Time, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, h := range d.ledger.held {
		if !ok || h.meta.Clock.Before(watermark) {
			watermark, ok = h.meta.Clock, true
		}
	}
	return watermark, ok
}
