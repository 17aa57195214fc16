package generator

// damage is what is wrong with a message.
type damage int

const (
	intact damage = iota
	noJSON
	noObject
	binaryText
	cutOff
	trailing
	badTeam
	badID
	badVersion
	badDistinctID
	numDamages = iota
)

// malformed sends a message that must be refused. It is about somebody known,
// with a version above the latest, so that taking it changes a row.
func (s *Persons) malformed(u userKey) {
	user := s.gen.person(u.team, u.number)
	n := note{user: u, id: user.id, distinctID: distinctID{u, inEvents}, created: user.created, mapping: s.random.oneIn(2)}
	n.version, n.deleted = beyondFloat<<1, s.random.oneIn(2)
	n.damage = damage(1 + s.random.below(numDamages-1))
	n.mapping = n.mapping || n.damage == badDistinctID
	s.add(n)
}

// writeGarbage writes a value in which there is no message at all.
func (n *note) writeGarbage(w *writer) bool {
	r := n.random
	switch n.damage {
	case noJSON:
		w.buf = append(w.buf, pick(&r, []string{"connection reset by peer\n", "{,", "{]", `{"team_id":1,}`})...)
	case noObject:
		w.buf = append(w.buf, pick(&r, []string{"[]", "null", "42", `"a person"`, "[{}]"})...)
	case binaryText:
		w.buf = append(w.buf, 0xff, 0x00, 0x01, 'b', 'i', 'n', 0xc3, 0x28)
	default:
		return false
	}
	return true
}

// spoil cuts off or lengthens a message that begins at start.
func (n *note) spoil(w *writer, start int) {
	r := n.random
	switch n.damage {
	case cutOff:
		w.buf = w.buf[:start+1+r.below(len(w.buf)-start-1)]
	case trailing:
		w.buf = append(w.buf, "} trailing"...)
	default: // the damage is inside
	}
}
