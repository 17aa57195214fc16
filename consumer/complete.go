package consumer

import (
	"context"
	"fmt"
	"time"

	"tidemark/batch"
)

// Complete returns for each topic the instant before which the group has committed every record of it: the earliest of
// its partitions' committed clocks, whoever holds them. Topics of which that is not known are left out: one with a
// partition that the group has not begun, or that a newer tidemark wrote.
func (s *Session) Complete(ctx context.Context) (map[string]time.Time, error) {
	<-s.built
	offsets, err := s.starter.admin.FetchOffsets(ctx, s.cfg.Group)
	if err != nil {
		return nil, fmt.Errorf("fetch offsets of group %s: %w", s.cfg.Group, err)
	}
	complete := make(map[string]time.Time)
	for _, topic := range s.scope.Topics {
		detail, err := s.starter.topic(ctx, topic)
		if err != nil {
			return nil, err
		}
		var through time.Time
		for p := range detail.Partitions {
			clock := time.Time{}
			if o, ok := offsets.Lookup(topic, p); ok && o.Err == nil {
				if meta, err := batch.ParseMetadata(o.Metadata); err == nil {
					clock = meta.Clock
				}
			}
			if clock.IsZero() {
				through = clock
				break
			}
			through = earliest(through, clock)
		}
		if !through.IsZero() {
			complete[topic] = through
		}
	}
	return complete, nil
}
