package model

import "math"

// DecodePerson decodes one message of the topic of persons into c. Its error is
// nil or a *Reject, in which case c holds nothing of use. What Decode says about
// memory, allocations and JSON holds here too. Required are team_id, a positive
// integer, also as a string, and id, a UUID, which becomes PersonID. Everything
// else can be missing or null:
//
//   - version is then 0, as in ClickHouse. Else it has to be an integer from 0 to
//     2^63-1, also as a string; it is never rounded, as merges compare it.
//   - is_deleted and is_identified are then false, and so are they unless they are
//     1 or true, also as a string;
//   - created_at and properties are then NULL. So is a created_at that cannot be
//     read, because the rest of the row is worth keeping, and so are properties of
//     an empty text, which tombstones may have.
func (d *Decoder) DecodePerson(value []byte, c *Change) error {
	*c = Change{}
	to := sink{person: c}
	if err := d.decode(value, &to); err != nil {
		return err
	}
	if err := d.finishChange(&to.head, c, ReasonUUID, "id"); err != nil {
		return err
	}
	if to.createdAt.kind == '"' {
		c.CreatedAt, c.HasCreatedAt = parseTimestamp(to.createdAt.text)
	}
	c.IsIdentified = truth(to.identified)
	return nil
}

// DecodeMapping decodes one message of the topic of distinct ids into c. It is
// like DecodePerson, but required are team_id; person_id, a UUID; and distinct_id,
// a text that is not empty. Members that only persons have are unknown here.
func (d *Decoder) DecodeMapping(value []byte, c *Change) error {
	*c = Change{}
	var to sink
	if err := d.decode(value, &to); err != nil {
		return err
	}
	if err := d.finishChange(&to.head, c, ReasonPersonID, "person_id"); err != nil {
		return err
	}
	if c.DistinctID = to.distinctID.content(); len(c.DistinctID) == 0 {
		return reject(ReasonDistinctID, "distinct_id is missing, null or empty; want a text")
	}
	return nil
}

// personMember takes the value at pos, which belongs to the member called name.
func (d *Decoder) personMember(name []byte, c *Change, h *head) bool {
	switch string(name) {
	case "id":
		return d.take(&h.uuid)
	case "properties":
		doc, ok := d.document(&h.properties)
		if doc.text != nil {
			c.Properties, c.Unloadable, c.mend = doc.text, doc.unloadable, doc.mend
		}
		return ok
	case "created_at":
		return d.take(&h.createdAt)
	case "is_identified":
		return d.take(&h.identified)
	}
	return d.changeMember(name, h)
}

// mappingMember takes the value at pos, which belongs to the member called name.
func (d *Decoder) mappingMember(name []byte, h *head) bool {
	switch string(name) {
	case "person_id":
		return d.take(&h.uuid)
	case "distinct_id":
		return d.take(&h.distinctID)
	}
	return d.changeMember(name, h)
}

// changeMember takes the members that both kinds of changes have.
func (d *Decoder) changeMember(name []byte, h *head) bool {
	switch string(name) {
	case "team_id":
		return d.take(&h.team)
	case "version":
		return d.take(&h.version)
	case "is_deleted":
		return d.take(&h.deleted)
	}
	return d.in.value()
}

// finishChange turns the part of the head that both kinds have into fields of c.
// reason and name are those of the person's UUID.
func (d *Decoder) finishChange(h *head, c *Change, reason Reason, name string) error {
	var ok bool
	if c.TeamID, ok = teamID(h.team); !ok {
		return h.team.reject(ReasonTeam, "team_id", "a positive integer")
	}
	var id [16]byte
	if h.uuid.kind != '"' || !parseUUID(h.uuid.text, &id) {
		return h.uuid.reject(reason, name, "36 characters of a UUID")
	}
	c.PersonID = lowerUUID(h.uuid.text, &d.person)
	if c.Version, ok = version(h.version); !ok {
		return h.version.reject(ReasonVersion, "version", "an integer from 0 to 9223372036854775807")
	}
	c.IsDeleted = truth(h.deleted)
	return nil
}

// version reads an integer, from a number or from a string of digits.
func version(v value) (n int64, ok bool) {
	if v.kind == 0 || v.kind == 'n' {
		return 0, true
	}
	for _, c := range v.text {
		digit := int64(c) - '0'
		if digit < 0 || digit > 9 || n > (math.MaxInt64-digit)/10 {
			return 0, false
		}
		n = n*10 + digit
	}
	return n, len(v.text) > 0
}
