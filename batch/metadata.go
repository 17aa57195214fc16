package batch

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ErrMetadataVersion means that a newer tidemark wrote the partition's commit metadata. The partition must be left
// alone (a rolling upgrade is under way) until this replica is upgraded, too.
var ErrMetadataVersion = errors.New("commit metadata of a version this tidemark does not know")

// ErrMetadata means that commit metadata begins as ours does and cannot be read: guessing could lose or double a batch.
var ErrMetadata = errors.New("commit metadata cannot be read")

const (
	metadataPrefix  = "tidemark/"
	metadataVersion = "1"
	// MaxMetadata is Kafka's default limit for the metadata string (offset.metadata.max.bytes, GroupCoordinatorConfig
	// of Apache Kafka 4). A link takes up to 57 bytes of it.
	MaxMetadata = 4096
)

// Metadata is what tidemark keeps in a partition's commit metadata: the partition's clock and the chain of batches that
// are prepared but not yet committed, in offset order. Its text form is
//
//	tidemark/1;<clock in Unix milliseconds>;<batch>:<end>,<batch>:<end>,…
type Metadata struct {
	// Clock is the instant up to which the partition is complete at the committed offset: every record that came to the
	// partition before it has a lower offset. Zero while nothing is known.
	Clock time.Time
	Chain []Link
	// Foreign says that the text is none of ours: another program has committed the offset.
	Foreign bool
}

// String returns the text form.
func (m Metadata) String() string {
	var b strings.Builder
	b.WriteString(metadataPrefix + metadataVersion + ";")
	if !m.Clock.IsZero() {
		b.WriteString(strconv.FormatInt(m.Clock.UnixMilli(), 10))
	}
	b.WriteByte(';')
	for i, l := range m.Chain {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%s:%d", l.Batch, l.End)
	}
	return b.String()
}

// ParseMetadata reads the text form. Text that tidemark did not write (empty, or another client's member ID, as after
// a reset of the offsets by hand) is [Metadata.Foreign], with no clock and no chain. A newer version is [ErrMetadataVersion]; anything else
// that cannot be read is [ErrMetadata]. Both must stop the partition.
func ParseMetadata(s string) (Metadata, error) {
	rest, ours := strings.CutPrefix(s, metadataPrefix)
	if !ours {
		return Metadata{Foreign: true}, nil
	}
	fields := strings.Split(rest, ";")
	if fields[0] != metadataVersion {
		return Metadata{}, fmt.Errorf("found version %q, know %q: %w", fields[0], metadataVersion, ErrMetadataVersion)
	}
	if len(fields) != 3 {
		return Metadata{}, fmt.Errorf("%w: %q has %d fields; want 3", ErrMetadata, s, len(fields))
	}
	var m Metadata
	if fields[1] != "" {
		ms, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			return Metadata{}, fmt.Errorf("%w: %q: clock: %w", ErrMetadata, s, err)
		}
		m.Clock = time.UnixMilli(ms).UTC()
	}
	if fields[2] == "" {
		return m, nil
	}
	for _, text := range strings.Split(fields[2], ",") {
		l, err := parseLink(text)
		if err != nil {
			return Metadata{}, fmt.Errorf("%w: %q: %w", ErrMetadata, s, err)
		}
		m.Chain = append(m.Chain, l)
	}
	return m, nil
}

func parseLink(s string) (Link, error) {
	name, end, ok := strings.Cut(s, ":")
	if !ok {
		return Link{}, fmt.Errorf("chain entry %q: want batch:end", s)
	}
	id, err := ParseID(name)
	if err != nil {
		return Link{}, err
	}
	n, err := strconv.ParseInt(end, 10, 64)
	if err != nil || n < 0 {
		return Link{}, fmt.Errorf("chain entry %q: want a non-negative end offset", s)
	}
	return Link{Batch: id, End: n}, nil
}
