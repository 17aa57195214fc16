package generator

import (
	"math"
	"math/bits"
)

// random is splitmix64: one word of state, so every message, user and session
// can have a generator of its own, seeded by what it is.
type random uint64

// newRandom derives a generator from a path of numbers: the seed, what is being
// made, and its index.
func newRandom(path ...uint64) random {
	h := uint64(0x9e3779b97f4a7c15)
	for _, p := range path {
		h = mix(h ^ mix(p+0x9e3779b97f4a7c15))
	}
	return random(h)
}

// mix is the finalizer of splitmix64.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (r *random) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	return mix(uint64(*r))
}

// below returns a number in [0, n).
func (r *random) below(n int) int {
	hi, _ := bits.Mul64(r.next(), uint64(n))
	return int(hi)
}

// unit returns a number in [0, 1).
func (r *random) unit() float64 { return float64(r.next()>>11) / (1 << 53) }

// oneIn is true once in n calls on average.
func (r *random) oneIn(n int) bool { return r.below(n) == 0 }

// pick returns one of the options.
func pick[T any](r *random, options []T) T { return options[r.below(len(options))] }

// alias samples a discrete distribution in constant time (Walker, Vose).
type alias struct {
	keep  []float64
	other []int
}

// newZipf makes the distribution in which rank k (from 0) has weight (k+1)^-s.
func newZipf(n int, s float64) alias {
	weights, sum := make([]float64, n), 0.0
	for k := range weights {
		weights[k] = math.Pow(float64(k+1), -s)
		sum += weights[k]
	}
	a := alias{keep: make([]float64, n), other: make([]int, n)}
	var small, large []int
	for k := range weights {
		weights[k] *= float64(n) / sum
		if weights[k] < 1 {
			small = append(small, k)
		} else {
			large = append(large, k)
		}
	}
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		a.keep[s], a.other[s] = weights[s], l
		weights[l] -= 1 - weights[s]
		if weights[l] < 1 {
			large = large[:len(large)-1]
			small = append(small, l)
		}
	}
	for _, k := range append(small, large...) {
		a.keep[k] = 1 // rounding leaves some of either over
	}
	return a
}

func (a alias) sample(r *random) int {
	k := r.below(len(a.keep))
	if r.unit() < a.keep[k] {
		return k
	}
	return a.other[k]
}
