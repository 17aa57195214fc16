package model

// parseTimestamp reads yyyy-MM-dd HH:mm:ss, with up to nine digits of a fraction,
// a T instead of the space, and Z or an offset ±hh:mm at the end; without one it
// is UTC. It returns microseconds since 1970 UTC, rounded down. Dates have to
// exist, and instants to be in the years 1 to 9999, as BigQuery demands.
func parseTimestamp(t []byte) (micros int64, ok bool) {
	const form = "yyyy-MM-dd HH:mm:ss"
	if len(t) < len(form) || t[4] != '-' || t[7] != '-' || (t[10] != ' ' && t[10] != 'T') || t[13] != ':' || t[16] != ':' {
		return 0, false
	}
	year, month, day := pair(t, 0)*100+pair(t, 2), pair(t, 5), pair(t, 8)
	hour, minute, second := pair(t, 11), pair(t, 14), pair(t, 17)
	if year > 9999 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) ||
		hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	fraction, rest, ok := parseFraction(t[len(form):])
	if !ok {
		return 0, false
	}
	offset, ok := parseOffset(rest)
	if !ok {
		return 0, false
	}
	seconds := int64(daysSince1970(year, month, day))*86400 + int64(hour*3600+minute*60+second) - int64(offset)
	micros = seconds*1e6 + int64(fraction)
	if micros < minTimestamp || micros > maxTimestamp {
		return 0, false
	}
	return micros, true
}

// The range of BigQuery's TIMESTAMP in microseconds since 1970 UTC, from
// 0001-01-01 00:00:00 to 9999-12-31 23:59:59.999999. Source:
// https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types, 2026-08.
const (
	minTimestamp = -62135596800 * 1e6
	maxTimestamp = 253402300800*1e6 - 1
)

// notDigits is what pair returns for anything but digits: more than any limit,
// even once multiplied and added, and no overflow.
const notDigits = 1 << 20

// pair returns the number of the two digits at i.
func pair(t []byte, i int) int {
	tens, units := t[i]-'0', t[i+1]-'0'
	if tens > 9 || units > 9 {
		return notDigits
	}
	return int(tens)*10 + int(units)
}

// parseFraction reads .f to .fffffffff, if t starts with a point, and returns it
// in microseconds with what follows.
func parseFraction(t []byte) (micros int, rest []byte, ok bool) {
	if len(t) == 0 || t[0] != '.' {
		return 0, t, true
	}
	end := digits(t, 1)
	if end == 1 || end > 10 {
		return 0, nil, false
	}
	for i := 1; i <= 6; i++ {
		micros *= 10
		if i < end {
			micros += int(t[i] - '0')
		}
	}
	return micros, t[end:], true
}

// parseOffset reads nothing, Z or ±hh:mm, and returns how far local time is
// ahead of UTC in seconds.
func parseOffset(t []byte) (seconds int, ok bool) {
	if len(t) == 0 || (len(t) == 1 && t[0] == 'Z') {
		return 0, true
	}
	if len(t) != len("+hh:mm") || (t[0] != '+' && t[0] != '-') || t[3] != ':' {
		return 0, false
	}
	hour, minute := pair(t, 1), pair(t, 4)
	if hour > 23 || minute > 59 {
		return 0, false
	}
	seconds = hour*3600 + minute*60
	if t[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}

// daysIn returns the number of days of a month from 1 to 12.
func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysSince1970 counts the days of the proleptic Gregorian calendar. Years start
// in March here, so that the leap day is the last and months have a fixed place.
func daysSince1970(year, month, day int) int {
	if month < 3 {
		year--
		month += 12
	}
	const daysTo1970 = 719469 // from 0000-02-29, day 0 of the count below
	return 365*year + year/4 - year/100 + year/400 + (153*(month-3)+2)/5 + day - daysTo1970
}
