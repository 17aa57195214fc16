package model

// parseUUID reads the 36 characters of the canonical form, in either case.
func parseUUID(text []byte, id *[16]byte) bool {
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return false
	}
	i := 0
	for n := range id {
		switch n {
		case 4, 6, 8, 10:
			i++ // a dash that was looked at above
		}
		high, ok := hexDigit(text[i])
		low, ok2 := hexDigit(text[i+1])
		if !ok || !ok2 {
			return false
		}
		id[n] = high<<4 | low
		i += 2
	}
	return true
}

// lowerUUID returns a UUID in the one form in which UUIDs are written: in lower
// case, as ClickHouse writes them, so that tables can be joined by the text. It is
// text itself unless that holds an upper-case letter, which is rare; then it is a
// copy in buf. text is one that parseUUID accepts.
func lowerUUID(text []byte, buf *[36]byte) []byte {
	if !upperUUID(text) {
		return text
	}
	for i, c := range text {
		buf[i] = c | 0x20
	}
	return buf[:]
}

// upperUUID says whether a UUID holds an upper-case letter. Of the characters of a
// UUID only these lack the bit 0x20. text has 36 characters.
func upperUUID(text []byte) bool {
	const lower = 0x20 * ones
	return word(text, 0)&word(text, 8)&word(text, 16)&word(text, 24)&word(text, 28)&lower != lower
}

// lowerIfUUID is lowerUUID of a UUID, and any other text as it is: a person_id
// that is no UUID is kept.
func lowerIfUUID(text []byte, buf *[36]byte) []byte {
	var id [16]byte
	if len(text) == len(buf) && upperUUID(text) && parseUUID(text, &id) {
		return lowerUUID(text, buf)
	}
	return text
}
