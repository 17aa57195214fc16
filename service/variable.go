package service

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"tidemark/warehouse"
)

// Variable documents one environment variable.
type Variable struct {
	Name, Kind, Default, Description string
	Required                         bool
}

// Variables lists every environment variable, in the order of the documentation.
func Variables() (list []Variable) {
	for _, part := range new(Config).parts() {
		t := reflect.TypeOf(part).Elem()
		for i := range t.NumField() {
			f := t.Field(i)
			list = append(list, Variable{
				Name: Prefix + "_" + f.Tag.Get("envconfig"), Kind: kindOf(f.Type), Default: f.Tag.Get("default"),
				Description: f.Tag.Get("desc"), Required: f.Tag.Get("required") == "true",
			})
		}
	}
	return list
}

func kindOf(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "a duration like 10s, 5m, 1h"
	case t.Name() == "Size", t == reflect.TypeFor[warehouse.Limit]():
		return "a size like 64MiB, 1GiB"
	case t.Name() == "Date":
		return "a date like 2010-01-01"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Int64:
		return "numbers separated by commas"
	case t.Kind() == reflect.Slice:
		return "a list separated by commas"
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64:
		return "a number"
	default:
		return "text"
	}
}

// WriteHelp prints every variable with default, kind and meaning, for a terminal.
func WriteHelp(w io.Writer) error {
	for _, v := range Variables() {
		fallback := "default " + v.Default
		switch {
		case v.Required:
			fallback = "required"
		case v.Default == "":
			fallback = "default empty"
		}
		if _, err := fmt.Fprintf(w, "  %s\n      %s; %s.\n%s\n", v.Name, v.Kind, fallback, wrap(v.Description, "      ", 100)); err != nil {
			return err
		}
	}
	return nil
}

// WriteMarkdown prints the same as a table: docs/configuration.md.
func WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# Configuration\n\ntidemark is configured by environment variables. This page is generated from the code (`make docs`).\n\n")
	b.WriteString("| Variable | Kind | Default | Meaning |\n|---|---|---|---|\n")
	for _, v := range Variables() {
		fallback := "`" + v.Default + "`"
		switch {
		case v.Required:
			fallback = "**required**"
		case v.Default == "":
			fallback = "empty"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", v.Name, v.Kind, fallback, v.Description)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func wrap(text, indent string, width int) string {
	var b strings.Builder
	line := indent
	for _, word := range strings.Fields(text) {
		if len(line)+len(word)+1 > width && line != indent {
			b.WriteString(line + "\n")
			line = indent
		}
		if line != indent {
			line += " "
		}
		line += word
	}
	return b.String() + line + "\n"
}

// unknownVariables names variables of the environment that carry our prefix and are not ours, each with the nearest
// name that is.
func unknownVariables(environ []string) (warnings []string) {
	known := make(map[string]bool)
	for _, v := range Variables() {
		known[v.Name] = true
	}
	for _, e := range environ {
		name, _, _ := strings.Cut(e, "=")
		if strings.HasPrefix(name, Prefix+"_") && !known[name] {
			warnings = append(warnings, fmt.Sprintf("%s is not a variable of tidemark; the nearest name is %s", name, nearest(name, known)))
		}
	}
	return warnings
}

func nearest(name string, known map[string]bool) string {
	best, distance := "", 1<<30
	for k := range known {
		if d := editDistance(name, k); d < distance || d == distance && k < best {
			best, distance = k, d
		}
	}
	return best
}

func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
