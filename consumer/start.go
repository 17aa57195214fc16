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

// begun is what follows for the partitions of a topic from what the group has committed.
type begun struct {
	topicID  string
	stops    map[int32]error // why a partition must not be consumed
	fresh    []int32         // that the group has never consumed
	commits  []batch.Commit  // where these begin
	total    int             // partitions that the topic has
	unmarked []int32         // those with an offset that have no mark yet
}

// begin finds out where partitions without an offset begin; offsets gets them. It writes the topic's start mark, if there
// is none, and commits nothing. It is safe to repeat.
func (s *starter) begin(ctx context.Context, topic string, offsets map[int32]batch.GroupOffset) (begun, error) {
	detail, err := s.topic(ctx, topic)
	if err != nil {
		return begun{}, err
	}
	s.offsets.consumed(topic, detail.ID)
	id := detail.ID.String()
	marks, err := s.partitionMarks(ctx, topic, id, offsets)
	if err != nil {
		return begun{}, err
	}
	b := judgeMarks(topic, id, marks, offsets)
	b.total = len(detail.Partitions)
	b.commits, err = s.first(ctx, topic, id, b.fresh, offsets)
	return b, err
}

// judgeMarks compares what the group has committed with the marks that it left.
func judgeMarks(topic, topicID string, marks map[int32]partitionMark, offsets map[int32]batch.GroupOffset) begun {
	b := begun{topicID: topicID, stops: make(map[int32]error)}
	for p, o := range offsets {
		mark, marked := marks[p]
		switch {
		case o.Err != nil:
			b.stops[p] = o.Err
		case marked && mark.TopicID != topicID && known(mark.TopicID) && known(topicID):
			b.stops[p] = fmt.Errorf("topic %s has ID %s and this group consumed it under ID %s: %w", topic, topicID, mark.TopicID, ErrRecreated)
		case marked && o.Offset < 0:
			b.stops[p] = fmt.Errorf("%s[%d]: %w", topic, p, batch.ErrNoOffset)
		case !marked && o.Offset < 0:
			b.fresh = append(b.fresh, p)
		case !marked:
			b.unmarked = append(b.unmarked, p)
		}
	}
	return b
}

// accept marks partitions as begun under the topic's present ID, whatever ID they were consumed under before.
func (s *starter) accept(ctx context.Context, topic, topicID string, partitions []int32) error {
	return each(ctx, partitions, func(ctx context.Context, p int32) error {
		mark := partitionMark{TopicID: topicID}
		err := s.create(ctx, s.partitionName(topic, p), mark)
		if errors.Is(err, ErrMarkExists) {
			err = s.create(ctx, s.acceptedName(topic, p, topicID), mark)
		}
		return err
	})
}

// mark writes that the group has had an offset for partitions. It follows the commit of their offset: the other way round,
// a crash between the two would look like an offset that Kafka has lost.
func (s *starter) mark(ctx context.Context, topic string, b begun) error {
	return each(ctx, b.unmarked, func(ctx context.Context, p int32) error {
		return s.create(ctx, s.partitionName(topic, p), partitionMark{TopicID: b.topicID})
	})
}

// known says whether a topic ID says anything: brokers before Kafka 2.8 have none, and the group may be older than the
// upgrade.
func known(topicID string) bool { return topicID != kadm.TopicID{}.String() }

// first returns the commits of the offsets at which partitions begin.
func (s *starter) first(ctx context.Context, topic, topicID string, partitions []int32, offsets map[int32]batch.GroupOffset) ([]batch.Commit, error) {
	if len(partitions) == 0 {
		return nil, nil
	}
	start, err := s.startMark(ctx, topic, topicID)
	if err != nil {
		return nil, err
	}
	beginning, err := s.list(ctx, topic, startEarliest)
	if err != nil {
		return nil, err
	}
	commits := make([]batch.Commit, len(partitions))
	for i, p := range partitions {
		offset, ok := start.Offsets[p]
		if !ok { // added to the topic after the group had started
			if offset, ok = beginning[p]; !ok {
				return nil, fmt.Errorf("start offset of %s[%d]: %w", topic, p, errNotAnswered)
			}
		}
		offsets[p] = batch.GroupOffset{Offset: offset, Epoch: -1, Metadata: batch.Metadata{}.String()}
		commits[i] = batch.Commit{TopicPartition: batch.TopicPartition{Topic: topic, Partition: p}, Offset: offset, Epoch: -1, Metadata: offsets[p].Metadata}
	}
	s.log.Info("partitions start", "topic", topic, "partitions", len(partitions), "from", start.Start)
	return commits, nil
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
	name := StartMark(s.prefix, s.group, topic)
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

// StartMark is the name of the mark that says where a group started on a topic: it has consumed it.
func StartMark(prefix, group, topic string) string {
	return path.Join(prefix, "groups", url.PathEscape(group), "start", topic+".json")
}

func (s *starter) partitionName(topic string, p int32) string {
	return path.Join(s.prefix, "groups", url.PathEscape(s.group), "partitions", topic, fmt.Sprintf("%d.json", p))
}

// acceptedName is the mark with which a person has taken a topic for the continuation of the one that it replaced.
func (s *starter) acceptedName(topic string, p int32, topicID string) string {
	return path.Join(s.prefix, "groups", url.PathEscape(s.group), "accepted", topic, fmt.Sprintf("%d.%s.json", p, topicID))
}

// partitionMarks reads the marks of partitions. One of another topic ID counts as one of this ID if a person has accepted
// the new topic.
func (s *starter) partitionMarks(ctx context.Context, topic, topicID string, offsets map[int32]batch.GroupOffset) (map[int32]partitionMark, error) {
	var mu sync.Mutex
	marks := make(map[int32]partitionMark)
	err := each(ctx, slices.Collect(maps.Keys(offsets)), func(ctx context.Context, p int32) error {
		var m partitionMark
		found, err := s.read(ctx, s.partitionName(topic, p), &m)
		if found && err == nil && m.TopicID != topicID {
			if _, err = s.read(ctx, s.acceptedName(topic, p, topicID), &m); err != nil {
				return err
			}
		}
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
