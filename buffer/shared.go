package buffer

// sharedBelow is the size below which bins that memory pressure hands over share a part. A part costs about a
// millisecond and an upload however small it is, and a load job takes 10,000 of them; with very many teams, one part
// each would seal a batch every few seconds. All rows of a sheet go into one table, so its parts may mix teams.
const sharedBelow = 1 << 20

// shared gathers the rows of several bins of one sheet into parts of team 0.
type shared struct {
	batch  *Batch
	sheet  *sheet
	target int64 // size of a part
	cause  cause
	rows   []*rows
	size   int64
}

func (s *shared) add(n *bin) {
	n.mu.Lock()
	r := n.take()
	n.mu.Unlock()
	if r == nil {
		return
	}
	s.rows = append(s.rows, r)
	if s.size += r.size; s.size >= s.target {
		s.flush()
	}
}

// flush hands over what was gathered; it must be called at the end.
func (s *shared) flush() {
	if len(s.rows) == 0 {
		return
	}
	number := int(s.sheet.shared.Add(1)) - 1
	s.batch.enqueue(&job{batch: s.batch, sheet: s.sheet, number: number, rows: s.rows, cause: s.cause})
	s.rows, s.size = nil, 0
}
