package batch

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes. Its text form is a whole number with an optional unit: B, KiB, MiB, GiB, TiB (powers of
// 1,024) or KB, MB, GB, TB (powers of 1,000).
type Size int64

// unit is a suffix of a Size and its bytes. "B" comes last, because the others end in it.
type unit struct {
	suffix string
	bytes  int64
}

func units() []unit {
	return []unit{
		{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
		{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1},
	}
}

// Decode implements envconfig.Decoder.
func (s *Size) Decode(value string) error {
	number, factor := strings.TrimSpace(value), int64(1)
	for _, u := range units() {
		if rest, ok := strings.CutSuffix(number, u.suffix); ok {
			number, factor = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/factor {
		return fmt.Errorf("size %q; want a whole number with an optional unit, for example 64MiB, 1GiB or 500MB", value)
	}
	*s = Size(n * factor)
	return nil
}

// String returns the shortest exact form, in powers of 1,024 where possible.
func (s Size) String() string {
	for _, u := range units() {
		if s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.suffix
		}
	}
	return "0B"
}
