package loader

import "encoding/binary"

// appendRuns appends values of width bits in Parquet's hybrid of runs and packed groups of eight,
// https://parquet.apache.org/docs/file-format/data-pages/encodings/#RLE, 2026-09.
func appendRuns(dst []byte, values []uint32, width int) []byte {
	packed := 0 // of values, whole groups that are still to be written
	for i := 0; i < len(values); {
		n := 1
		for i+n < len(values) && values[i+n] == values[i] {
			n++
		}
		if n < 8 {
			i = min(i+8, len(values))
			continue
		}
		dst = appendPacked(dst, values[packed:i], width)
		dst = appendRun(dst, n, values[i], width)
		i += n
		packed = i
	}
	return appendPacked(dst, values[packed:], width)
}

// appendRun appends n times the same value.
func appendRun(dst []byte, n int, value uint32, width int) []byte {
	dst = binary.AppendUvarint(dst, uint64(n)<<1)
	for ; width > 0; width -= 8 {
		dst = append(dst, byte(value))
		value >>= 8
	}
	return dst
}

// appendPacked appends values bit by bit. Only the last group of a page may be short; it is filled up with zeros.
func appendPacked(dst []byte, values []uint32, width int) []byte {
	if len(values) == 0 {
		return dst
	}
	groups := (len(values) + 7) / 8
	dst = binary.AppendUvarint(dst, uint64(groups)<<1|1)
	end := len(dst) + groups*width
	var word uint64
	filled := 0 // bits of word
	for _, v := range values {
		word |= uint64(v) << filled
		for filled += width; filled >= 8; filled -= 8 {
			dst = append(dst, byte(word))
			word >>= 8
		}
	}
	if filled > 0 {
		dst = append(dst, byte(word))
	}
	for len(dst) < end {
		dst = append(dst, 0)
	}
	return dst
}
