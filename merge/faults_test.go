package merge

import (
	"math/rand/v2"
	"sync"
	"time"
)

// faults returns a step that crashes at the k-th call, from 0, before or after its effect.
func faults(k int, after bool) step {
	return func(_ string, effect func() error) error {
		if k--; k != -1 {
			return effect()
		}
		if after {
			if err := effect(); err != nil {
				return err
			}
		}
		return errFault
	}
}

// source is randomness that several processes draw from.
type source struct {
	mu   sync.Mutex
	rand *rand.Rand
}

func (s *source) intN(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rand.IntN(n)
}

// storm returns a step that delays calls by seconds, a sleeper's by up to days, and makes one in five fail.
func storm(r *source, sleeper bool) step {
	delay := func() {
		wait(time.Duration(1+r.intN(5000)) * time.Millisecond)
		if sleeper && r.intN(4) == 0 {
			wait(time.Duration(r.intN(60)) * time.Hour)
		}
	}
	return func(_ string, effect func() error) error {
		delay()
		if r.intN(10) == 0 {
			return errFault
		}
		err := effect()
		delay()
		if r.intN(10) == 0 {
			return errFault
		}
		return err
	}
}
