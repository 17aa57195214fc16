package probe

import (
	"fmt"
	"strconv"
)

// differing compares the rows of a table with those of the file, and describes what differs by row and column. Values are of
// this package's own making; they are described by their length, because some of them are no printable text.
func differing(found []map[string]any) (differences []string) {
	if len(found) != len(encoderRows()) {
		differences = append(differences, fmt.Sprintf("found %d rows; the file has %d", len(found), len(encoderRows())))
	}
	byUUID := map[any]map[string]any{}
	for _, row := range found {
		byUUID[row["uuid"]] = row
	}
	for i, want := range encoderRows() {
		got := byUUID[want.uuid]
		if got == nil {
			differences = append(differences, "row "+want.uuid+" is missing")
			continue
		}
		for column, value := range want.cells(i) {
			if got[column] != value {
				differences = append(differences, fmt.Sprintf("row %s, column %s: want %s, found %s", want.uuid, column, described(value), described(got[column])))
			}
		}
	}
	return differences
}

// cells are the row's values as the API writes them, by the table's columns.
func (row encoderRow) cells(team int) map[string]any {
	cells := map[string]any{
		"TEAM_ID": strconv.Itoa(team), "timestamp": strconv.FormatInt(row.timestamp, 10),
		"EVENT": nil, "properties": nil, "created_at": nil, "historical_migration": nil,
	}
	if !row.null {
		cells["EVENT"], cells["properties"] = row.event, row.properties
		cells["created_at"] = strconv.FormatInt(row.created, 10)
		cells["historical_migration"] = strconv.FormatBool(team%2 == 0)
	}
	return cells
}

func described(value any) string {
	text, ok := value.(string)
	switch {
	case !ok:
		return fmt.Sprint(value)
	case len(text) > 40:
		return fmt.Sprintf("a text of %d bytes", len(text))
	}
	return strconv.Quote(text)
}
