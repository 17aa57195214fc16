package batch

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// ID names a batch: a UUIDv7, so that names sort by the instant the batch was opened. The zero ID names no batch.
type ID uuid.UUID

// NewID returns a fresh ID for a batch opened at now. IDs of one millisecond are distinct but in no order.
func NewID(now time.Time) ID {
	id := FirstID(now)
	random := uuid.New() // 122 random bits; version and variant stand where UUIDv7 has them, too
	copy(id[6:], random[6:])
	id[6] = id[6]&0x0f | 0x70
	return id
}

// FirstID returns the smallest ID a batch opened at now can have: the lower bound of a listing by time.
func FirstID(now time.Time) ID {
	var id ID
	binary.BigEndian.PutUint64(id[:8], uint64(now.UnixMilli())<<16)
	return id
}

// ParseID reads the canonical text form.
func ParseID(s string) (ID, error) {
	u, err := uuid.Parse(s)
	if err != nil {
		return ID{}, fmt.Errorf("batch ID %q: %w", s, err)
	}
	return ID(u), nil
}

// Time returns the millisecond at which the batch was opened.
func (id ID) Time() time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(id[:8]) >> 16)).UTC()
}

// String returns the canonical 36-character form.
func (id ID) String() string { return uuid.UUID(id).String() }

// MarshalText implements encoding.TextMarshaler.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (id *ID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseID(string(b))
	return err
}
