package bigquery

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/duckdb/duckdb-go/v2"
	"github.com/go-json-experiment/json/jsontext"
)

// parseJSON is BigQuery's PARSE_JSON, which refuses what DuckDB's JSON lets pass:
// unpaired surrogates, more than 500 levels, numbers that do not fit. It returns the
// normalized text: no white space, members sorted by name, of several with the same
// name the first
// (docs.cloud.google.com/bigquery/docs/reference/standard-sql/data-types#json_type,
// /json_functions#parse_json).
func parseJSON(text, wideNumberMode string) (string, error) {
	p := &jsonParser{round: wideNumberMode == "round"}
	if !p.round && wideNumberMode != "exact" {
		return "", fmt.Errorf("wide_number_mode is %q; want exact or round", wideNumberMode)
	}
	// Names are told apart here, because of several the first is kept.
	p.in = jsontext.NewDecoder(strings.NewReader(text), jsontext.AllowDuplicateNames(true))
	if err := p.value(); err != nil {
		return "", err
	}
	if _, err := p.in.ReadToken(); !errors.Is(err, io.EOF) {
		return "", errors.New("text follows the value")
	}
	value := jsontext.Value(p.out)
	if p.objects {
		// Sorts members and leaves the rest as it is.
		err := value.Format(jsontext.ReorderRawObjects(true), jsontext.PreserveRawStrings(true))
		if err != nil {
			return "", err
		}
	}
	return string(value), nil
}

// maxJSONDepth is the number of levels that a value may have
// (docs.cloud.google.com/bigquery/docs/reference/standard-sql/data-types#json_type).
const maxJSONDepth = 500

// jsonParser copies a value from in to out.
type jsonParser struct {
	in      *jsontext.Decoder
	out     []byte
	round   bool
	objects bool // with more than one member
}

func (p *jsonParser) value() error {
	kind := p.in.PeekKind()
	if (kind == '{' || kind == '[') && p.in.StackDepth() >= maxJSONDepth {
		return fmt.Errorf("more than %d levels", maxJSONDepth)
	}
	switch kind {
	case '{':
		return p.object()
	case '[':
		return p.array()
	}
	raw, err := p.in.ReadValue()
	if err != nil {
		return err
	}
	if raw.Kind() == '0' {
		return p.number(string(raw))
	}
	p.out = append(p.out, raw...)
	return nil
}

func (p *jsonParser) object() error {
	if _, err := p.in.ReadToken(); err != nil {
		return err
	}
	p.out = append(p.out, '{')
	seen := map[string]bool{}
	for p.in.PeekKind() != '}' {
		start := len(p.out)
		raw, err := p.in.ReadValue()
		if err != nil {
			return err
		}
		name, err := jsontext.AppendUnquote(nil, raw)
		if err != nil {
			return err
		}
		if len(seen) > 0 {
			p.out = append(p.out, ',')
		}
		p.out = append(append(p.out, raw...), ':')
		if err := p.value(); err != nil {
			return err
		}
		if seen[string(name)] {
			p.out = p.out[:start]
		}
		seen[string(name)] = true
	}
	p.objects = p.objects || len(seen) > 1
	p.out = append(p.out, '}')
	_, err := p.in.ReadToken()
	return err
}

func (p *jsonParser) array() error {
	if _, err := p.in.ReadToken(); err != nil {
		return err
	}
	p.out = append(p.out, '[')
	for first := true; p.in.PeekKind() != ']'; first = false {
		if !first {
			p.out = append(p.out, ',')
		}
		if err := p.value(); err != nil {
			return err
		}
	}
	p.out = append(p.out, ']')
	_, err := p.in.ReadToken()
	return err
}

// exactDigits always survive a conversion to floating point and back.
const exactDigits = 15

// number copies a number that is a signed or unsigned 64-bit integer, or that
// floating point holds, in one spelling. In the mode exact it must hold it without
// loss.
func (p *jsonParser) number(text string) error {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		p.out = strconv.AppendInt(p.out, n, 10)
		return nil
	}
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		p.out = strconv.AppendUint(p.out, n, 10)
		return nil
	}
	float, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(float, 0) {
		return fmt.Errorf("number %s is out of range", text)
	}
	shortest := spellFloat(float)
	vanished := float == 0 && strings.ContainsAny(strings.ToLower(text)[:strings.IndexAny(strings.ToLower(text)+"e", "e")], "123456789")
	if !p.round && (vanished || len(text) > exactDigits && !sameNumber(text, shortest)) {
		return fmt.Errorf("number %s cannot be stored without loss of precision", text)
	}
	p.out = append(p.out, shortest...)
	return nil
}

// maxFixed and minFixed are the exponents between which a floating-point number is
// spelt without one. The documentation's examples (9.007199254740992e+15, 2.1, 1e+100)
// are spelt so, as is usual where the JSON library of its analyzer is used; it promises
// nothing.
const minFixed, maxFixed = -4, 14

// spellFloat writes the shortest text that is read as the same number, and as no
// integer.
func spellFloat(f float64) string {
	scientific := strconv.FormatFloat(f, 'e', -1, 64)
	exponent, _ := strconv.Atoi(scientific[strings.IndexByte(scientific, 'e')+1:]) // strconv has written it
	if exponent < minFixed || exponent > maxFixed {
		return scientific
	}
	fixed := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(fixed, ".") {
		fixed += ".0"
	}
	return fixed
}

// sameNumber compares two decimal numbers whose exponents floating point has.
func sameNumber(a, b string) bool {
	x, okX := new(big.Rat).SetString(a)
	y, okY := new(big.Rat).SetString(b)
	return okX && okY && x.Cmp(y) == 0
}

// jsonFunction is parseJSON as a DuckDB function of two strings. If lenient it
// returns NULL for what parseJSON refuses.
type jsonFunction struct {
	text    duckdb.TypeInfo
	lenient bool
}

// registerJSON makes the functions known to all connections of the database.
func registerJSON(conn *sql.Conn) error {
	text, err := duckdb.NewTypeInfo(duckdb.TYPE_VARCHAR)
	if err != nil {
		return err
	}
	err = duckdb.RegisterScalarUDF(conn, "bq_parse_json_text", &jsonFunction{text: text})
	if err != nil {
		return err
	}
	return duckdb.RegisterScalarUDF(conn, "bq_safe_parse_json_text", &jsonFunction{text: text, lenient: true})
}

// Config implements duckdb.ScalarFunc.
func (f *jsonFunction) Config() duckdb.ScalarFuncConfig {
	return duckdb.ScalarFuncConfig{
		InputTypeInfos: []duckdb.TypeInfo{f.text, f.text},
		ResultTypeInfo: f.text,
	}
}

// Executor implements duckdb.ScalarFunc.
func (f *jsonFunction) Executor() duckdb.ScalarFuncExecutor {
	return duckdb.ScalarFuncExecutor{ChunkContextExecutor: f.run}
}

func (f *jsonFunction) run(_ context.Context, chunk *duckdb.ChunkIteratorState) error {
	for row, err := range chunk.Rows() {
		if err != nil {
			return err
		}
		text, _ := (*row.GetValuePtr(0)).(string) // of these types by Config, and
		mode, _ := (*row.GetValuePtr(1)).(string) // NULL is not passed
		parsed, err := parseJSON(text, mode)
		var result any = parsed
		switch {
		case err != nil && f.lenient:
			result = nil
		case err != nil:
			return fmt.Errorf("Invalid input to PARSE_JSON: %w", err) //nolint:staticcheck // BigQuery's words
		}
		if err := row.SetResult(result); err != nil {
			return err
		}
	}
	return nil
}
