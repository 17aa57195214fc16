package verify

import (
	"context"
	"errors"
	"fmt"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/iterator"
)

// TeamEvents is how many events of a team a table holds.
type TeamEvents struct {
	Team   int64
	Events int64
}

// EventsPerTeam returns the teams with the most events, the busiest first, at
// most limit of them, as the table says.
func EventsPerTeam(ctx context.Context, client *bigquery.Client, project, dataset, table string, limit int) ([]TeamEvents, error) {
	name, err := quotedTable(project, dataset, table)
	if err != nil {
		return nil, err
	}
	it, err := client.Query(fmt.Sprintf("SELECT `team_id`, COUNT(*) AS `events` FROM %s GROUP BY `team_id` ORDER BY `events` DESC, `team_id` LIMIT %d", name, limit)).Read(ctx)
	if err != nil {
		return nil, fmt.Errorf("verify: count events of %s: %w", name, err)
	}
	var teams []TeamEvents
	for {
		var row struct {
			Team   bigquery.NullInt64 `bigquery:"team_id"`
			Events int64
		}
		err := it.Next(&row)
		if errors.Is(err, iterator.Done) {
			return teams, nil
		}
		if err != nil {
			return nil, fmt.Errorf("verify: count events of %s: %w", name, err)
		}
		teams = append(teams, TeamEvents{Team: row.Team.Int64, Events: row.Events})
	}
}
