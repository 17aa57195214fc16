package generator

import (
	"encoding/binary"
	"strconv"
	"strings"
)

// writeProperties writes the properties of the note's revision: those of one
// person and revision are the same in every message.
func (n *note) writeProperties(w *writer, g *Generator) {
	if n.revision == noProperties {
		w.str("properties", "{}")
		return
	}
	r := newRandom(g.cfg.Seed, purposeTraits, binary.LittleEndian.Uint64(n.id[8:]), uint64(n.revision))
	if r.oneIn(40) {
		w.str("properties", pick(&r, oddDocuments()))
		return
	}
	// By the revision, not by the program: a tombstone may come from another one,
	// with the same properties.
	ascii, spaced := w.ascii, w.spaced
	w.ascii, w.spaced = r.oneIn(8), r.oneIn(8)
	mark := w.nested("properties")
	n.writeTraits(w, g, &r)
	w.endNested(mark)
	w.ascii, w.spaced = ascii, spaced
}

// writeTraits writes what is known about the person.
func (n *note) writeTraits(w *writer, g *Generator, r *random) {
	user := g.person(n.user.team, n.user.number)
	if n.identified {
		user.writeEmail(w, "email")
		w.str("name", pick(r, g.words.names))
		w.str("plan", user.plan)
	}
	w.str("$initial_referring_domain", pick(r, g.words.sources).domain)
	w.str("$geoip_country_code", user.place.code)
	w.int("revision", n.revision)
	if r.oneIn(3) {
		w.raw("credits", pick(r, g.words.numbers))
	}
	if r.oneIn(4) {
		w.raw("odd_text", pick(r, g.words.hostile))
	}
	if r.oneIn(8) {
		w.str("note", "two\nlines\tand \"quotes\" \\ 🎉")
	}
	if r.oneIn(12) {
		depth := 2 + r.below(30)
		w.raw("nested", strings.Repeat(`{"in":[`, depth)+strconv.Itoa(depth)+strings.Repeat("]}", depth))
	}
	if g.cfg.Profile != ProfileSmall {
		w.str("$os", user.platform.os)
		w.str("$browser", user.platform.browser)
		w.str("$geoip_city_name", user.place.city)
		w.str("$initial_user_agent", user.platform.agent)
		w.str("bio", filler(r, 600))
	}
}

// oddDocuments are properties that are no object, or hold what only a lenient
// reader takes: a raw line end inside a string.
func oddDocuments() []string {
	return []string{
		"[]", `[1,"two",{"three":3}]`, "42", `"text"`, "true", "{}", "{ }",
		"{\"address\":\"1 High Street\nTown\"}", "{\"raw\":\"tab\tand\rreturn\"}", "{\n  \"pretty\": true\n}",
		`{"twice":1,"other":"\ud83d"}`, `{"wide":123456789012345678901234567890.5,"tiny":5e-324}`,
	}
}
