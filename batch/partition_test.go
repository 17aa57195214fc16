package batch

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func micros(s string) int64 {
	at, err := time.Parse(time.DateTime, s)
	if err != nil {
		panic(err)
	}
	return at.UnixMicro()
}

// A3: partitions are counted in the table's own unit.
func TestA3_PartitionsCountInTheTablesOwnUnit(t *testing.T) {
	key := func(unit PartitionUnit, at string) int64 {
		return (&Partitioning{Unit: unit, Column: "timestamp"}).KeyOfTime(micros(at))
	}
	for _, c := range []struct {
		unit           PartitionUnit
		one, same, new string
	}{
		{Hour, "2026-09-01 10:00:00", "2026-09-01 10:59:59", "2026-09-01 11:00:00"},
		{Hour, "1969-12-31 23:00:00", "1969-12-31 23:59:59", "1970-01-01 00:00:00"},
		{Day, "2026-09-01 00:00:00", "2026-09-01 23:59:59", "2026-09-02 00:00:00"},
		{Month, "2026-12-01 00:00:00", "2026-12-31 23:59:59", "2027-01-01 00:00:00"},
		{Month, "2026-01-01 00:00:00", "2026-01-31 23:59:59", "2025-12-31 23:59:59"},
		{Year, "2026-01-01 00:00:00", "2026-12-31 23:59:59", "2027-01-01 00:00:00"},
		{Day, "0001-01-01 00:00:00", "1959-12-31 23:59:59", "1960-01-01 00:00:00"},
		{Hour, "2160-01-01 00:00:00", "9999-12-31 23:59:59", "2159-12-31 23:00:00"},
	} {
		require.Equal(t, key(c.unit, c.one), key(c.unit, c.same), "%+v", c)
		require.NotEqual(t, key(c.unit, c.one), key(c.unit, c.new), "%+v", c)
	}
	ranges := Partitioning{Unit: IntRange, Column: "team_id", Start: 10, End: 30, Interval: 10}
	require.Equal(t, ranges.KeyOfInt(10), ranges.KeyOfInt(19))
	require.NotEqual(t, ranges.KeyOfInt(19), ranges.KeyOfInt(20))
	require.EqualValues(t, Unpartitioned, ranges.KeyOfInt(30))
	require.EqualValues(t, Unpartitioned, ranges.KeyOfInt(9))
}

// A1: whatever is sent, and for years, plausible times never fill a table's partitions.
func TestA1_PlausibleTimesNeverFillATable(t *testing.T) {
	from := time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, p := range []Partitioning{{Unit: Day}, {Unit: Hour, Expiration: 300 * 24 * time.Hour}, {Unit: Hour, Expiration: 2000 * 24 * time.Hour}, {Unit: Month}, {Unit: Year}} {
		for now := time.Date(2026, 11, 28, 10, 30, 0, 0, time.UTC); now.Year() < 2034; now = now.AddDate(0, 7, 3) {
			first, end := p.Window(now, from)
			require.Less(t, p.KeyOfTime(end-1)-p.KeyOfTime(first), int64(plausiblePartitions+1), "%+v %s", p, now)
			require.GreaterOrEqual(t, now.Add(23*time.Hour).UnixMicro(), first)
			require.Less(t, now.Add(23*time.Hour).UnixMicro(), end, "%+v", p)
		}
	}
	first, _ := (&Partitioning{Unit: Day}).Window(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), from)
	require.Equal(t, from.UnixMicro(), first, "the window of days does not move, so what is in the table stays plausible")
}

func TestDayOf_RoundsDown(t *testing.T) {
	day := 24 * time.Hour.Microseconds()
	for micros, want := range map[int64]int64{0: 0, day - 1: 0, day: 1, -1: -1, -day: -1, -day - 1: -2} {
		require.Equal(t, want, DayOf(micros))
	}
}
