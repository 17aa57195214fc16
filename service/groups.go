package service

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"tidemark/batch"
	"tidemark/consumer"
)

// secondGroup means that another consumer group fills a table, too.
type secondGroup struct{ table, group, own string }

func (e *secondGroup) Error() string {
	return fmt.Sprintf("TIDEMARK_GROUP is %q, and %s is filled by consumer group %q", e.own, e.table, e.group)
}

// Hint says what an operator can do.
func (e *secondGroup) Hint() string {
	return fmt.Sprintf("set TIDEMARK_GROUP=%s to go on with that group; a second one exports everything again and doubles events, unless the two export different topics or teams, or the other one is retired: then set TIDEMARK_ALLOW_SECOND_GROUP=true", e.group)
}

// checkGroups refuses tables that another group fills, and only when it has looked at all of them marks them as filled by this
// one: a group that is refused leaves nothing behind. Marks in the bucket tell, and the rows of the status table, which also
// know of groups with another bucket or prefix.
func (s *service) checkGroups(ctx context.Context) error {
	var errs []error
	for _, t := range s.targets() {
		errs = append(errs, s.checkGroupsOf(ctx, t))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	own := s.cfg.Consumer.Group
	for _, t := range s.targets() {
		err := marks{s.store}.Create(ctx, s.groupMarks(t)+url.PathEscape(own)+".json", []byte("{}"))
		if err != nil && !errors.Is(err, consumer.ErrMarkExists) {
			return fmt.Errorf("mark %s as filled by group %s: %w", t, own, err)
		}
	}
	return nil
}

func (s *service) checkGroupsOf(ctx context.Context, t batch.Target) error {
	ctx, cancel := context.WithTimeout(ctx, findLimit)
	defer cancel()
	groups, err := s.groupsOf(ctx, t)
	if err != nil {
		return err
	}
	own := s.cfg.Consumer.Group
	for _, group := range groups {
		switch {
		case group == own:
		case !s.cfg.Service.AllowSecondGroup:
			return &secondGroup{t.String(), group, own}
		default:
			s.log.Warn("two consumer groups fill one table, as TIDEMARK_ALLOW_SECOND_GROUP allows", "table", t.String(), "group", own, "other_group", group)
		}
	}
	return nil
}

// groupMarks is where the marks of the groups that fill a table begin.
func (s *service) groupMarks(t batch.Target) string {
	return path.Join(s.cfg.Loader.Prefix, "tables", url.PathEscape(t.String())) + "/"
}

// groupsOf returns the groups that have filled a table, as far as is known.
func (s *service) groupsOf(ctx context.Context, t batch.Target) ([]string, error) {
	prefix := s.groupMarks(t)
	marks, err := s.store.List(ctx, prefix, prefix)
	if err != nil {
		return nil, fmt.Errorf("list the groups of %s: %w", t, err)
	}
	var groups []string
	for _, mark := range marks {
		if group, err := url.PathUnescape(strings.TrimSuffix(path.Base(mark.Name), ".json")); err == nil {
			groups = append(groups, group)
		}
	}
	if t.StatusTable != "" {
		told, err := s.house.Groups(ctx, t)
		if err != nil {
			return nil, err
		}
		groups = append(groups, told...)
	}
	slices.Sort(groups)
	return slices.Compact(groups), nil
}
