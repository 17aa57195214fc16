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
