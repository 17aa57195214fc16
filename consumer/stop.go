package consumer

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/batch"
)

// needsPerson says whether a partition is not consumed until a person has done something: decided where to go on or what
// becomes of a batch, made a topic again, or repaired it.
func needsPerson(err error) bool {
	if batch.NeedsPerson(err) {
		return true
	}
	for _, final := range []error{ErrRecreated, ErrTruncated, kerr.OffsetOutOfRange, kerr.UnknownTopicID, kerr.InconsistentTopicID,
		kerr.UnknownTopicOrPartition, kerr.CorruptMessage} {
		if errors.Is(err, final) {
			return true
		}
	}
	var loss *kgo.ErrDataLoss
	return errors.As(err, &loss)
}

// unreadable says whether a fetch failed by what was fetched rather than by Kafka's word: a batch that cannot be decoded.
func unreadable(err error) bool {
	var kafka *kerr.Error
	return !errors.As(err, &kafka)
}

// troubled notes why partitions are not consumed, and tells it once for all that have one cause. s.mu is held.
func (s *Session) troubled(problems map[batch.TopicPartition]error) {
	type cause struct {
		stream, hint string
		final        bool
	}
	first := make(map[cause]batch.TopicPartition)
	number := make(map[cause]int)
	paused := make(map[string][]int32)
	for tp, err := range problems {
		p := s.partitions[tp]
		c := cause{p.stream.Name, s.hint(tp, err), needsPerson(err) || p.held && unreadable(err)}
		p.problem, p.phase = err, pending
		if c.final {
			p.phase = stopped
			paused[tp.Topic] = append(paused[tp.Topic], tp.Partition)
		}
		s.metrics.stopped(tp, c.final)
		if at, ok := first[c]; !ok || tp.Compare(at) < 0 {
			first[c] = tp
		}
		number[c]++
	}
	s.client.PauseFetchPartitions(paused)
	for c, tp := range first {
		if !s.mayTell(c.stream + c.hint) {
			continue // it is tried again and again
		}
		level, message := slog.LevelWarn, "partitions not taken over yet; trying again"
		if c.final {
			level, message = slog.LevelError, "partitions stopped: nothing more is read from them"
		}
		s.log.Log(s.ended, level, message, "stream", c.stream, "partitions", number[c],
			"topic", tp.Topic, "partition", tp.Partition, "err", problems[tp], "hint", c.hint)
	}
	s.metrics.assigned(s.partitions)
}

// hint says what a person can do about a partition that is not consumed, by its cause.
func (s *Session) hint(tp batch.TopicPartition, err error) string {
	set := fmt.Sprintf("`tidemark offsets set %s:N WHERE`", tp.Topic)
	var loss *kgo.ErrDataLoss
	switch {
	case errors.Is(err, batch.ErrUndecided):
		return "see the evidence with `tidemark batches show ID`, stop all replicas, and decide with `tidemark batches apply ID` or `tidemark batches void ID`"
	case errors.Is(err, batch.ErrNoManifest):
		return fmt.Sprintf("the batch's manifest is not below TIDEMARK_PREFIX (%q) in the bucket: if the prefix or the bucket was changed, change it back; if the object was deleted, restore it from the bucket's soft delete or versions, or else give the batch up with `tidemark batches void ID`", s.scope.MarksPrefix)
	case errors.Is(err, batch.ErrMetadataVersion), errors.Is(err, batch.ErrManifestVersion):
		return "a newer tidemark wrote this; finish the rolling upgrade"
	case errors.Is(err, batch.ErrNoOffset), errors.Is(err, kerr.OffsetOutOfRange), errors.Is(err, ErrTruncated), errors.As(err, &loss):
		return "decide where to go on: stop all replicas, look with `tidemark offsets show`, and set the offset with " + set + "; what Kafka has deleted is lost to the export"
	case errors.Is(err, ErrRecreated), errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.InconsistentTopicID):
		return fmt.Sprintf("topic %s was deleted and made again: stop all replicas, and accept the new topic with `tidemark offsets set %s earliest`", tp.Topic, tp.Topic)
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return fmt.Sprintf("topic %s is not there: make it again, or leave its model out of TIDEMARK_MODELS; other streams go on", tp.Topic)
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		return fmt.Sprintf("grant the user Read and Describe on topic %s; this heals by itself then, and other streams go on", tp.Topic)
	case errors.Is(err, kerr.GroupAuthorizationFailed):
		return fmt.Sprintf("grant the user Read on group %s; this heals by itself then", s.cfg.Group)
	}
	if hint := batch.HintOf(err); hint != "" {
		return hint
	}
	return "see docs/runbook.md, partition stopped"
}
