package consumer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"path"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"golang.org/x/sync/errgroup"

	"tidemark/batch"
)

// ErrRecreated means that the topic was deleted and created again.
var ErrRecreated = errors.New("the topic was re-created")

// starter finds out where a partition without a committed offset begins.
//
// Kafka forgets the offsets of an empty group (after 7 days by default), and a forgotten offset looks like one that
// never was. So the group leaves two kinds of marks in the bucket: where it started, for all partitions at once (START
// is resolved once, even if a crash follows before anything is committed), and one per partition that has had a
// committed offset, written before its first fetch.
type starter struct {
	group   string
	prefix  string // of the marks' names
	name    string // START
	start   int64  // as Config.start returns it
	admin   *kadm.Client
	marks   Marks
	offsets *Offsets
	log     *slog.Logger
}

// startMark is where a group that had never run began on one topic. A partition added later is not in it and begins at
// its start.
type startMark struct {
	TopicID string          `json:"topic_id"`
	Start   string          `json:"start"`
	Offsets map[int32]int64 `json:"offsets"`
}

// partitionMark says that the group has had a committed offset for the partition of the topic with this ID.
type partitionMark struct {
	TopicID string `json:"topic_id"`
}

// begin completes what the group has committed: a partition without an offset gets the one it begins at, committed and
// marked. A partition that must not be consumed has its reason in stops. begin is safe to repeat.
func (s *starter) begin(ctx context.Context, topic string, offsets map[int32]batch.GroupOffset) (stops map[int32]error, err error) {
	detail, err := s.topic(ctx, topic)
	if err != nil {
		return nil, err
	}
	s.offsets.consumed(topic, detail.ID)
	id := detail.ID.String()
	marks, err := s.partitionMarks(ctx, topic, offsets)
	if err != nil {
		return nil, err
	}
	stops = make(map[int32]error)
	var unmarked, fresh []int32
	for p, o := range offsets {
		mark, marked := marks[p]
		switch {
		case marked && mark.TopicID != id && known(mark.TopicID) && known(id):
			stops[p] = fmt.Errorf("topic %s has ID %s and this group consumed it under ID %s: %w", topic, id, mark.TopicID, ErrRecreated)
		case marked && o.Offset < 0:
			stops[p] = batch.ErrNoOffset
		case !marked && o.Offset < 0:
			fresh = append(fresh, p)
			unmarked = append(unmarked, p)
		case !marked:
			unmarked = append(unmarked, p)
		}
	}
	if err := s.first(ctx, topic, id, fresh, offsets); err != nil {
		return nil, err
	}
	return stops, each(ctx, unmarked, func(ctx context.Context, p int32) error {
		return s.create(ctx, s.partitionName(topic, p), partitionMark{TopicID: id})
	})
}

// known says whether a topic ID says anything: brokers before Kafka 2.8 have none, and the group may be older than the
// upgrade.
func known(topicID string) bool { return topicID != kadm.TopicID{}.String() }

// first commits the offsets at which partitions begin, in one request.
func (s *starter) first(ctx context.Context, topic, topicID string, partitions []int32, offsets map[int32]batch.GroupOffset) error {
	if len(partitions) == 0 {
		return nil
	}
	start, err := s.startMark(ctx, topic, topicID)
	if err != nil {
		return err
	}
	beginning, err := s.list(ctx, topic, startEarliest)
	if err != nil {
		return err
	}
	commits := make([]batch.Commit, len(partitions))
	for i, p := range partitions {
		offset, ok := start.Offsets[p]
		if !ok { // added to the topic after the group had started
			if offset, ok = beginning[p]; !ok {
				return fmt.Errorf("list start offset of %s[%d]: not in Kafka's reply", topic, p)
			}
		}
		offsets[p] = batch.GroupOffset{Offset: offset, Metadata: batch.Metadata{}.String()}
		commits[i] = batch.Commit{TopicPartition: batch.TopicPartition{Topic: topic, Partition: p}, Offset: offset, Metadata: offsets[p].Metadata}
	}
	if err := s.offsets.Commit(ctx, commits); err != nil {
		return fmt.Errorf("commit start offsets of %s: %w: %w", topic, err, batch.ErrRejoin)
	}
	s.log.Info("partitions start", "topic", topic, "partitions", len(partitions), "from", start.Start)
	return nil
}

// each calls do for every partition, several at a time.
func each(ctx context.Context, partitions []int32, do func(context.Context, int32) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for _, p := range partitions {
		g.Go(func() error { return do(ctx, p) })
	}
	return g.Wait()
}

// startMark reads where the group started, or resolves START and writes it down. Of several replicas one wins, and all
// use its offsets.
func (s *starter) startMark(ctx context.Context, topic, topicID string) (startMark, error) {
	name := path.Join(s.prefix, "groups", url.PathEscape(s.group), "start", topic+".json")
	var m startMark
	if found, err := s.read(ctx, name, &m); found || err != nil {
		return m, err
	}
	offsets, err := s.list(ctx, topic, s.start)
	if err != nil {
		return m, err
	}
	m = startMark{TopicID: topicID, Start: s.name, Offsets: offsets}
	err = s.create(ctx, name, m)
	if errors.Is(err, ErrMarkExists) {
		_, err = s.read(ctx, name, &m)
	}
	return m, err
}

func (s *starter) partitionName(topic string, p int32) string {
	return path.Join(s.prefix, "groups", url.PathEscape(s.group), "partitions", topic, fmt.Sprintf("%d.json", p))
}

func (s *starter) partitionMarks(ctx context.Context, topic string, offsets map[int32]batch.GroupOffset) (map[int32]partitionMark, error) {
	var mu sync.Mutex
	marks := make(map[int32]partitionMark)
	err := each(ctx, slices.Collect(maps.Keys(offsets)), func(ctx context.Context, p int32) error {
		var m partitionMark
		found, err := s.read(ctx, s.partitionName(topic, p), &m)
		if found {
			mu.Lock()
			defer mu.Unlock()
			marks[p] = m
		}
		return err
	})
	return marks, err
}

func (s *starter) read(ctx context.Context, name string, into any) (found bool, err error) {
	b, err := s.marks.Get(ctx, name)
	if errors.Is(err, ErrNoMark) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return false, fmt.Errorf("read mark %s: %w", name, err)
	}
	return true, nil
}

func (s *starter) create(ctx context.Context, name string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write mark %s: %w", name, err)
	}
	return s.marks.Create(ctx, name, b)
}

func (s *starter) topic(ctx context.Context, topic string) (kadm.TopicDetail, error) {
	topics, err := s.admin.ListTopics(ctx, topic)
	if err != nil {
		return kadm.TopicDetail{}, fmt.Errorf("describe topic %s: %w", topic, err)
	}
	if err := topics[topic].Err; err != nil {
		return kadm.TopicDetail{}, fmt.Errorf("describe topic %s: %w", topic, err)
	}
	return topics[topic], nil
}

// list resolves START for every partition of the topic.
func (s *starter) list(ctx context.Context, topic string, start int64) (map[int32]int64, error) {
	var listed kadm.ListedOffsets
	var err error
	switch start {
	case startEarliest:
		listed, err = s.admin.ListStartOffsets(ctx, topic)
	case startLatest:
		listed, err = s.admin.ListEndOffsets(ctx, topic)
	default:
		listed, err = s.admin.ListOffsetsAfterMilli(ctx, start, topic)
	}
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list offsets of topic %s: %w", topic, err)
	}
	offsets := make(map[int32]int64)
	for p, l := range listed[topic] {
		offsets[p] = l.Offset
	}
	return offsets, nil
}
