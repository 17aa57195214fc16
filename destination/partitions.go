package destination

import (
	"errors"
	"fmt"
	"time"

	"tidemark/batch"
)

// Date is a UTC day. Its text form is yyyy-mm-dd.
type Date struct{ time.Time }

// Decode implements envconfig.Decoder.
func (d *Date) Decode(value string) error {
	at, err := time.Parse(time.DateOnly, value)
	if err != nil {
		return fmt.Errorf("date %q; want yyyy-mm-dd, for example 2010-01-01", value)
	}
	d.Time = at
	return nil
}

// String is the form that Decode reads.
func (d Date) String() string { return d.Format(time.DateOnly) }

// noPartitions is a value of [Config.EventsPartitions].
const noPartitions = "none"

// units are the other values of [Config.EventsPartitions].
var units = map[string]batch.PartitionUnit{"day": batch.Day, "month": batch.Month, "hour": batch.Hour} //nolint:gochecknoglobals // a constant

// longestHours is for how many days a table may keep partitions of hours: with those ahead of now, and those that have
// expired and are not deleted yet, they stay below BigQuery's limit.
const longestHours = 350

func (c Config) validatePartitions() error {
	if !c.Exports(EventsModel) {
		return nil
	}
	var errs []error
	hours := units[c.EventsPartitions] == batch.Hour
	if units[c.EventsPartitions] == "" && c.EventsPartitions != noPartitions {
		errs = append(errs, fmt.Errorf("TIDEMARK_EVENTS_PARTITIONS is %q; want day, month, hour or none", c.EventsPartitions))
	}
	if d := c.EventsPartitionDays; d < 0 || hours && (d == 0 || d > longestHours) || c.EventsPartitions == noPartitions && d > 0 {
		errs = append(errs, fmt.Errorf("TIDEMARK_EVENTS_PARTITION_DAYS is %d and TIDEMARK_EVENTS_PARTITIONS is %q; want 1 to %d with hour, 0 with none, otherwise 0 (for ever) or more", d, c.EventsPartitions, longestHours))
	}
	if c.EventsFrom.After(time.Now()) {
		errs = append(errs, fmt.Errorf("TIDEMARK_EVENTS_FROM is %s; want a day in the past", c.EventsFrom))
	}
	if c.StageAbove < 1 || c.StageAbove > batch.JobPartitions {
		errs = append(errs, fmt.Errorf("TIDEMARK_STAGE_ABOVE_PARTITIONS is %d; want 1 to %d", c.StageAbove, batch.JobPartitions))
	}
	return errors.Join(errs...)
}

// partitions are those of an events table that is created; nil for none.
func (c Config) partitions() *batch.Partitioning {
	if c.EventsPartitions == noPartitions {
		return nil
	}
	return &batch.Partitioning{Unit: units[c.EventsPartitions], Column: "timestamp", Expiration: time.Duration(c.EventsPartitionDays) * 24 * time.Hour}
}
