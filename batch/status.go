package batch

import "time"

// View is what a driver shows of itself. It is published after every change, so that metrics and /status never wait
// for the ownership lock, which is held across requests to Kafka.
type View struct {
	// Batches that are not yet committed, oldest first.
	Batches []Status `json:"batches"`
	// Held is the number of partitions held.
	Held int `json:"held"`
	// Oldest is the timestamp of the oldest record of the batches; zero if there are none.
	Oldest time.Time `json:"oldest"`
}

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

// View returns the newest published view. It never blocks.
func (d *Driver) View() View { return *d.view.Load() }

// refresh makes the present state visible; d.mu is held.
func (d *Driver) refresh() {
	v := View{Batches: make([]Status, 0, len(d.batches)), Held: len(d.ledger.held)}
	for _, e := range d.batches {
		v.Batches = append(v.Batches, e.status())
		if o := e.manifest.Oldest; !o.IsZero() && (v.Oldest.IsZero() || o.Before(v.Oldest)) {
			v.Oldest = o
		}
	}
	d.view.Store(&v)
}

func (e *entry) status() Status {
	m := e.manifest
	s := Status{ID: m.ID, State: e.state.String(), Since: e.since, Reason: m.Reason, SealedAt: m.SealedAt, Attempts: e.attempts}
	if e.state != Sealed { // until then the contents are being written
		for i := range m.Tables {
			s.Tables = append(s.Tables, m.Tables[i].Target.String())
		}
	}
	if e.err != nil {
		s.Error, s.Hint = e.err.Error(), HintOf(e.err)
	}
	return s
}
