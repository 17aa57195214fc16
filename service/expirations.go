package service

import (
	"context"

	"tidemark/batch"
	"tidemark/destination"
	"tidemark/merge"
)

// warnOfExpirations tells of tables of tidemark's own that will vanish: made by an older version under a dataset's default, or given
// an end by a person. Those that people asked for are told of when they are resolved. What there is not yet gets no end when it is
// made.
//
// A table that cannot be read here is no reason not to start: it is read when it is needed.
func (s *service) warnOfExpirations(ctx context.Context) {
	told := make(map[string]bool)
	for _, t := range s.targets() {
		for _, own := range merge.OwnTables(t) {
			name := own.String()
			if told[name] {
				continue
			}
			told[name] = true
			found, there, err := s.house.Table(ctx, own.Project, own.Dataset, own.Table)
			switch {
			case err != nil:
				s.log.Warn("whether a table expires is not known", "table", name, "err", err, "hint", batch.HintOf(err))
			case there:
				for _, warning := range destination.Expirations(name, found) {
					s.log.Warn(warning)
				}
			}
		}
	}
}
