package verify

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"cloud.google.com/go/bigquery"
)

// Row is one row of the table, as the BigQuery client returns it.
type Row struct {
	Partition int32
	Offset    int64
	Values    []bigquery.Value // in the order of Columns.Names
}

// cells brings a row's values into the form in which they are compared.
func (c Columns) cells(values []bigquery.Value) cells {
	var out cells
	for i, col := range c.list {
		out[col] = c.cell(col, values[i])
	}
	return out
}

func (c Columns) cell(col column, value bigquery.Value) cell {
	var text string
	switch value := value.(type) {
	case nil:
		return cell{null: true}
	case string:
		text = value
	case int64:
		text = strconv.FormatInt(value, 10)
	case bool:
		text = strconv.FormatBool(value)
	case time.Time:
		return micros(value)
	default:
		return cell{text: fmt.Sprintf("a %T", value)} // equals no message's value
	}
	switch {
	case col == colElements:
		return unquoted(text)
	case col.document():
		return c.documentCell(col, text)
	}
	return cell{text: text}
}

// unquoted is the text of a JSON string, however it is escaped.
func unquoted(text string) cell {
	var chain string
	if err := json.Unmarshal([]byte(text), &chain); err != nil {
		return cell{text: "not a JSON string: " + text}
	}
	return cell{text: chain}
}
