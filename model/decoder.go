package model

import (
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"
)

// Decoder decodes messages. It holds the memory that decoded events point to,
// so each goroutine has its own.
type Decoder struct {
	maxBytes int
}

// NewDecoder returns a decoder that rejects messages longer than maxBytes.
func NewDecoder(maxBytes int) *Decoder { return &Decoder{maxBytes: maxBytes} }

// Decode decodes one message of the events topic into e. Its error is nil or a
// *Reject, in which case e holds nothing of use. What e pointed to before is
// overwritten.
func (d *Decoder) Decode(value []byte, e *Event) error {
	*e = Event{}
	if len(value) > d.maxBytes {
		return reject(ReasonTooLarge, "message has %d bytes; want at most %d", len(value), d.maxBytes)
	}
	var m struct {
		UUID, Event, Properties, Timestamp, Created_at, Distinct_id, Elements_chain, Person_id, Person_properties, Person_mode *string
		Team_id                                                                                                                int64
		Historical_migration                                                                                                   bool
	}
	if err := json.Unmarshal(value, &m); err != nil {
		return reject(ReasonJSON, "not a JSON object")
	}
	text := func(s *string) []byte {
		if s == nil {
			return nil
		}
		return []byte(*s)
	}
	e.TeamID = m.Team_id
	e.UUIDText, e.Event, e.DistinctID, e.ElementsChain = text(m.UUID), text(m.Event), text(m.Distinct_id), text(m.Elements_chain)
	e.Properties, e.PersonID, e.PersonProperties, e.PersonMode = text(m.Properties), text(m.Person_id), text(m.Person_properties), text(m.Person_mode)
	hex.Decode(e.UUID[:], []byte(strings.ReplaceAll(string(e.UUIDText), "-", "")))
	ts, err := time.Parse("2006-01-02 15:04:05", string(text(m.Timestamp)))
	if err != nil {
		return reject(ReasonTimestamp, "timestamp")
	}
	e.Timestamp = ts.UnixMicro()
	if m.Created_at != nil {
		ts, err := time.Parse("2006-01-02 15:04:05", *m.Created_at)
		e.CreatedAt, e.HasCreatedAt = ts.UnixMicro(), err == nil
	}
	e.HistoricalMigration = m.Historical_migration
	var p map[string]json.RawMessage
	if json.Unmarshal(e.Properties, &p) == nil {
		e.Set, e.SetOnce = p["$set"], p["$set_once"]
		var ip string
		if json.Unmarshal(p["$ip"], &ip) == nil && ip != "" {
			e.IP = []byte(ip)
		}
	}
	return nil
}
