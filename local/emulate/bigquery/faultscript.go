package bigquery

import (
	"slices"
	"strings"
	"sync"
)

// FaultScript is a Faults that follows rules. The zero value is not usable; see
// NewFaultScript. Its methods are safe for concurrent use.
type FaultScript struct {
	mu    sync.Mutex
	rules []*Rule
}

var _ Faults = (*FaultScript)(nil)

// NewFaultScript returns a script without rules, under which nothing goes wrong.
func NewFaultScript() *FaultScript { return &FaultScript{} }

// RequestRule says which requests misbehave, and how. Empty strings match all.
type RequestRule struct {
	Op    string // as in Call
	Path  string // a part of the URL's path
	Table string // exact
	JobID string // a prefix
	Phase Phase

	// When, if not nil, must agree, too. It must not block.
	When func(Call) bool

	// Skip is how many matching requests pass before the rule applies.
	Skip int

	// Count is to how many requests it applies; 0 means one, and a negative number
	// all until Remove.
	Count int

	Fault Fault
}

// JobRule says which jobs misbehave, and how. Empty strings match all; Skip and
// Count are as in RequestRule.
type JobRule struct {
	Kind  string // "load" or "query"
	Table string // exact, one that the job writes
	JobID string // a prefix

	// When, if not nil, must agree, too. It must not block.
	When func(JobCall) bool

	Skip, Count int

	Fault JobFault
}

// OnRequest adds a rule for requests. Of several that match, the oldest that is
// not used up applies.
func (s *FaultScript) OnRequest(rule RequestRule) *Rule {
	return s.add(&Rule{request: &rule, skip: rule.Skip, count: rule.Count})
}

// OnJob adds a rule for jobs, likewise.
func (s *FaultScript) OnJob(rule JobRule) *Rule {
	return s.add(&Rule{job: &rule, skip: rule.Skip, count: rule.Count})
}

func (s *FaultScript) add(rule *Rule) *Rule {
	rule.mu, rule.hit = &s.mu, make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = append(s.rules, rule)
	return rule
}

// Request implements Faults.
func (s *FaultScript) Request(phase Phase, call Call) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rule := range s.rules {
		if rule.wantsRequest(phase, call) && rule.apply() {
			return rule.request.Fault
		}
	}
	return Fault{}
}

// Job implements Faults.
func (s *FaultScript) Job(call JobCall) JobFault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rule := range s.rules {
		if rule.wantsJob(call) && rule.apply() {
			return rule.job.Fault
		}
	}
	return JobFault{}
}

// Rule is a rule in force.
type Rule struct {
	request *RequestRule // or
	job     *JobRule

	mu          *sync.Mutex // the script's; guards what follows
	skip, count int
	matched     int // those skipped included
	removed     bool
	hit         chan struct{} // closed and replaced at every hit
}

// Hits returns how often the rule has been applied so far.
func (r *Rule) Hits() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return max(r.matched-r.skip, 0)
}

// Hit returns a channel that is closed when the rule is next applied.
func (r *Rule) Hit() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.hit
}

// Remove ends the rule. It may be called more than once.
func (r *Rule) Remove() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.removed = true
}

func (r *Rule) wantsRequest(phase Phase, call Call) bool {
	want := r.request
	return want != nil && want.Phase == phase &&
		(want.Op == "" || want.Op == call.Op) &&
		strings.Contains(call.Path, want.Path) &&
		(want.Table == "" || want.Table == call.Table) &&
		strings.HasPrefix(call.JobID, want.JobID) &&
		(want.When == nil || want.When(call))
}

func (r *Rule) wantsJob(call JobCall) bool {
	want := r.job
	return want != nil &&
		(want.Kind == "" || want.Kind == call.Kind) &&
		(want.Table == "" || slices.Contains(call.Tables, want.Table)) &&
		strings.HasPrefix(call.JobID, want.JobID) &&
		(want.When == nil || want.When(call))
}

// apply counts a match and tells whether the rule is in force for it. A used-up
// rule counts no more, so that a later one gets its turn.
func (r *Rule) apply() bool {
	if r.removed || r.count >= 0 && r.matched >= r.skip+max(r.count, 1) {
		return false
	}
	r.matched++
	if r.matched <= r.skip {
		return false
	}
	close(r.hit)
	r.hit = make(chan struct{})
	return true
}
