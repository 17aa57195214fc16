package generator

import (
	"errors"
	"fmt"
	"time"
)

// Profile chooses the size of an event.
type Profile int

const (
	// ProfileSmall makes events of about 1 KB.
	ProfileSmall Profile = iota
	// ProfileLarge makes events of about 2.6 KB, as a site with many feature
	// flags and super properties sends them.
	ProfileLarge
	// ProfileProduction makes events of about 9 KB, as PostHog's own exporter sees them: many flags, long payloads, and as many
	// properties of the person again.
	ProfileProduction
)

// Config determines every message. Two generators of the same configuration
// make the same messages.
type Config struct {
	// Seed selects one of the streams.
	Seed uint64

	// Teams is the number of teams, whose IDs are 1 to Teams, the busiest
	// first; 0 means 20.
	Teams int

	// UsersPerTeam is the number of distinct IDs of each team; 0 means 500.
	UsersPerTeam int

	// Start is the time at which message 0 is captured; the zero time means
	// 2026-09-01 00:00 UTC. A live stream passes the present.
	Start time.Time

	// Interval is the time between the captures of consecutive messages; 0 means
	// 100µs. A paced producer wants the inverse of its rate, so that capture
	// times do not drift from the clock.
	Interval time.Duration

	// Profile is the size of events.
	Profile Profile

	// MaxBytes is the consumer's limit on a value: an oversized message is
	// larger, all others are smaller. 0 means 1,000,000, the limit of PostHog's
	// capture service.
	MaxBytes int

	// Late, Duplicate, Oversized and Malformed are the fractions of messages of
	// these kinds, from 0 to 1 together. Each negative value means none, and 0
	// the default: 0.01, 0.005, 0.00002 and 0.0005.
	Late, Duplicate, Oversized, Malformed float64

	// Persons is the number of messages about persons and distinct IDs per event;
	// a negative value means none, and 0 the default of 0.1. It takes a producer
	// that is given their topics. Malformed holds for them as well.
	Persons float64
}

// defaultPersons is about one message per 10 events.
const defaultPersons = 0.1

// minMaxBytes is above the largest ordinary event.
const minMaxBytes = 16 << 10

// withDefaults fills in what the zero value leaves open.
func (c Config) withDefaults() Config {
	if c.Teams == 0 {
		c.Teams = 20
	}
	if c.UsersPerTeam == 0 {
		c.UsersPerTeam = 500
	}
	if c.Start.IsZero() {
		c.Start = time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
	}
	if c.Interval == 0 {
		c.Interval = 100 * time.Microsecond
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = 1_000_000
	}
	c.Late = fraction(c.Late, 0.01)
	c.Duplicate = fraction(c.Duplicate, 0.005)
	c.Oversized = fraction(c.Oversized, 0.00002)
	c.Malformed = fraction(c.Malformed, 0.0005)
	c.Persons = fraction(c.Persons, defaultPersons)
	return c
}

// fraction is f, with 0 replaced by the default and a negative by none.
func fraction(f, byDefault float64) float64 {
	switch {
	case f == 0:
		return byDefault
	case f < 0:
		return 0
	}
	return f
}

// validate reports all faults together; defaults are filled in already.
func (c Config) validate() error {
	var errs []error
	if c.Teams < 1 {
		errs = append(errs, fmt.Errorf("generator: %d teams; want at least 1", c.Teams))
	}
	if c.UsersPerTeam < 1 {
		errs = append(errs, fmt.Errorf("generator: %d users per team; want at least 1", c.UsersPerTeam))
	}
	if c.Interval < 0 {
		errs = append(errs, fmt.Errorf("generator: interval is %v; want at least 0", c.Interval))
	}
	if c.MaxBytes < minMaxBytes {
		errs = append(errs, fmt.Errorf("generator: limit is %d bytes; want at least %d, above the largest ordinary event", c.MaxBytes, minMaxBytes))
	}
	if sum := c.Late + c.Duplicate + c.Oversized + c.Malformed; !(sum <= 1) {
		errs = append(errs, fmt.Errorf("generator: special kinds sum up to %g; want at most 1", sum))
	}
	if !(c.Persons <= 100) {
		errs = append(errs, fmt.Errorf("generator: %g messages about persons per event; want at most 100", c.Persons))
	}
	return errors.Join(errs...)
}
