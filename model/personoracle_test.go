package model

import (
	"regexp"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// oraclePerson is DecodePerson, made from other people's parts as oracle is.
func oraclePerson(message []byte, c *Change) error {
	fields, err := oracleChange(message, c, "id", ReasonUUID)
	if err != nil {
		return err
	}
	c.IsIdentified = oracleTruth(fields["is_identified"])
	if created, ok := oracleTimestamp(fields["created_at"]); ok {
		c.CreatedAt, c.HasCreatedAt = created, true
	}
	c.Properties = orNull(oracleText(fields["properties"]))
	c.Unloadable = c.Properties != nil && !oracleLoads(withoutControls(c.Properties))
	return nil
}

// oracleMapping is DecodeMapping.
func oracleMapping(message []byte, c *Change) error {
	fields, err := oracleChange(message, c, "person_id", ReasonPersonID)
	if err != nil {
		return err
	}
	if c.DistinctID = orNull(oracleText(fields["distinct_id"])); c.DistinctID == nil {
		return &Reject{Reason: ReasonDistinctID}
	}
	return nil
}

// oracleChange reads what both kinds have; id is the member with the UUID.
func oracleChange(message []byte, c *Change, id string, reason Reason) (map[string]jsontext.Value, error) {
	*c = Change{}
	if len(message) == 0 {
		return nil, &Reject{Reason: ReasonEmpty}
	}
	fields, ok := oracleObject(message)
	if !ok {
		return nil, &Reject{Reason: ReasonJSON}
	}
	if c.TeamID, ok = oracleTeam(fields["team_id"]); !ok {
		return nil, &Reject{Reason: ReasonTeam}
	}
	text, _, ok := oracleUUID(fields[id])
	if !ok {
		return nil, &Reject{Reason: reason}
	}
	c.PersonID = text
	if c.Version, ok = oracleVersion(fields["version"]); !ok {
		return nil, &Reject{Reason: ReasonVersion}
	}
	c.IsDeleted = oracleTruth(fields["is_deleted"])
	return fields, nil
}

func oracleVersion(v jsontext.Value) (int64, bool) {
	text := oracleText(v)
	if text == nil {
		return 0, true
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	return n, err == nil && regexp.MustCompile(`^[0-9]+$`).Match(text)
}

func oracleTruth(v jsontext.Value) bool {
	text := string(oracleText(v))
	return text == "1" || text == "true"
}
