package generator

import (
	"bytes"
	"strconv"
)

// appendMalformed writes a value that no consumer may take for an event.
func (g *Generator) appendMalformed(w *writer, e *event, i uint64) {
	r := newRandom(g.cfg.Seed, purposeMalformed, i)
	start := len(w.buf)
	switch n := r.below(12); n {
	case 0:
		w.buf = append(w.buf, "connection reset by peer\n"...)
	case 1:
		w.buf = append(w.buf, pick(&r, []string{"[]", "null", "42", `"an event"`, "[{}]"})...)
	case 2:
		w.buf = append(w.buf, 0xff, 0x00, 0x01, 'b', 'i', 'n', 0xc3, 0x28)
	case 3:
		g.appendEvent(w, e)
		w.buf = w.buf[:start+r.below(len(w.buf)-start)/2+1] // cut off
	case 4:
		g.appendEvent(w, e)
		w.buf = append(w.buf, "} trailing"...)
	default:
		e.quoted, e.origin = false, node
		g.appendEvent(w, e)
		w.damage(start, e, n, &r)
	}
}

// damage replaces one member of the event by something that it cannot be.
func (w *writer) damage(start int, e *event, n int, r *random) {
	team := `"team_id":` + strconv.Itoa(e.team) + ","
	id := `"uuid":"` + string(e.id.appendTo(nil)) + `"`
	at := `"timestamp":"` + e.timestamp().UTC().Format(layoutMillis) + `"`
	replace := func(old, with string) {
		value := bytes.Replace(bytes.Clone(w.buf[start:]), []byte(old), []byte(with), 1)
		w.buf = append(w.buf[:start], value...)
	}
	switch n {
	case 5:
		replace(team, "")
	case 6:
		replace(team, pick(r, []string{`"team_id":null,`, `"team_id":"",`, `"team_id":"two",`, `"team_id":{},`, `"team_id":1.5,`, `"team_id":true,`}))
	case 7:
		replace(at+",", "")
	case 8:
		replace(at, pick(r, []string{`"timestamp":"yesterday"`, `"timestamp":""`, `"timestamp":"2026-13-01 00:00:00"`, `"timestamp":"2026-02-30 00:00:00.000"`, `"timestamp":null`}))
	case 9:
		replace(id, pick(r, []string{`"uuid":"not-a-uuid"`, `"uuid":""`, `"uuid":null`, `"uuid":"0198f0a3-1b2c-7f00-8d11-5a0d2f4e6c7"`, `"uuid":"0198f0a3-1b2c-7f00-8d11-5a0d2f4e6c7g"`}))
	case 10:
		replace(id+",", "")
	case 11:
		replace(`{`, "{,")
	}
}
