package bigquery

import (
	"fmt"
	"strings"
)

// function is the DuckDB function that does what a GoogleSQL function does; ok is
// false for one that is not covered. Functions of the same name in DuckDB are listed
// too, because others of DuckDB's are no GoogleSQL, and some of the same name do
// something else.
func function(upper string) (duck string, ok bool) {
	switch upper {
	case "ABS", "ANY_VALUE", "APPROX_COUNT_DISTINCT", "ARRAY_AGG", "AVG", "CEIL", "CEILING", "COALESCE", "COUNT",
		"DENSE_RANK", "FIRST_VALUE", "FLOOR", "IF", "IFNULL", "LAG", "LAST_VALUE", "LEAD", "LENGTH", "CHAR_LENGTH",
		"LOWER", "LTRIM", "MAX", "MIN", "NULLIF", "RANK", "REPLACE", "REVERSE", "ROW_NUMBER", "ROUND", "RTRIM",
		"SQRT", "STARTS_WITH", "STRING_AGG", "STRPOS", "SUBSTR", "SUM", "TRIM", "UPPER", "NTILE", "PERCENT_RANK":
		return strings.ToLower(upper), true
	case "COUNTIF":
		return "count_if", true
	case "LOGICAL_AND":
		return "bool_and", true
	case "LOGICAL_OR":
		return "bool_or", true
	case "MAX_BY":
		return "arg_max_null", true
	case "MIN_BY":
		return "arg_min_null", true
	case "ENDS_WITH":
		return "suffix", true
	case "SUBSTRING":
		return "substr", true
	case "BYTE_LENGTH":
		return "strlen", true
	case "ARRAY_LENGTH":
		return "len", true
	case "ARRAY_REVERSE":
		return "list_reverse", true
	case "REGEXP_CONTAINS":
		return "regexp_matches", true
	case "ARRAY_CONCAT", "ARRAY_TO_STRING", "CONCAT", "DATE", "DATE_ADD", "DATE_DIFF", "DATE_SUB", "DATE_TRUNC", "DIV",
		"GENERATE_UUID", "GREATEST", "JSON_EXTRACT_SCALAR", "JSON_QUERY", "JSON_VALUE", "LAX_BOOL", "LAX_FLOAT64",
		"LAX_INT64", "LAX_STRING", "LEAST", "MOD", "PARSE_JSON", "SAFE_DIVIDE", "SHA256", "TIMESTAMP", "TIMESTAMP_ADD", "TIMESTAMP_DIFF",
		"TIMESTAMP_MICROS", "TIMESTAMP_MILLIS", "TIMESTAMP_SECONDS", "TIMESTAMP_SUB", "TIMESTAMP_TRUNC",
		"TO_JSON", "TO_JSON_STRING", "UNIX_MICROS", "UNIX_MILLIS", "UNIX_SECONDS":
		return "bq_" + strings.ToLower(upper), true
	}
	return "", false
}

// variadic is up to how many arguments functions of any number of them have here.
const variadic = 8

// macros are the DuckDB definitions of the functions called bq_….
func macros() []string {
	definitions := [][2]string{ // in this order, because DuckDB looks up what they call
		{"parse_json(x, wide_number_mode := 'exact')", "CAST(bq_parse_json_text(x, wide_number_mode) AS JSON)"},
		{"safe_parse_json(x, wide_number_mode := 'exact')", "CAST(bq_safe_parse_json_text(x, wide_number_mode) AS JSON)"},
		{"json_value(j, path := '$')", "CASE WHEN json_type(json_extract(j, path)) IN ('OBJECT', 'ARRAY', 'NULL') THEN NULL" +
			" ELSE json_extract_string(j, path) END"},
		{"json_extract_scalar(j, path := '$')", "bq_json_value(j, path)"},
		{"json_query(j, path := '$')", "json_extract(j, path)"},
		{"to_json(x)", "CAST(coalesce(to_json(x), 'null') AS JSON)"},
		{"to_json_string(x)", "coalesce(CAST(to_json(x) AS VARCHAR), 'null')"},
		{"lax_int64(j)", "TRY_CAST(bq_json_value(j) AS BIGINT)"},
		{"lax_float64(j)", "TRY_CAST(bq_json_value(j) AS DOUBLE)"},
		{"lax_bool(j)", "TRY_CAST(bq_json_value(j) AS BOOLEAN)"},
		{"lax_string(j)", "bq_json_value(j)"},
		{"safe_divide(a, b)", "CASE WHEN b = 0 THEN NULL ELSE a / b END"},
		{"div(a, b)", "CASE WHEN b = 0 THEN error('division by zero: ' || a || ' / 0') ELSE a // b END"},
		{"mod(a, b)", "CASE WHEN b = 0 THEN error('division by zero: MOD') ELSE a % b END"},
		{"sha256(x)", "unhex(sha256(x))"},
		{"generate_uuid()", "CAST(uuid() AS VARCHAR)"},
		{"array_concat(a, b)", "CASE WHEN a IS NULL OR b IS NULL THEN NULL ELSE list_concat(a, b) END"},
		{"array_to_string(a, separator)", "array_to_string(a, separator)"},
		{"date(x)", "CAST(x AS DATE)"},
		{"timestamp(x)", "CAST(x AS TIMESTAMPTZ)"},
		{"timestamp_micros(x)", "make_timestamptz(x)"},
		{"timestamp_millis(x)", "make_timestamptz(x * 1000)"},
		{"timestamp_seconds(x)", "make_timestamptz(x * 1000000)"},
		{"unix_micros(x)", "epoch_us(x)"},
		{"unix_millis(x)", "CAST(floor(epoch_us(x) / 1000) AS BIGINT)"},
		{"unix_seconds(x)", "CAST(floor(epoch_us(x) / 1000000) AS BIGINT)"},
		{"timestamp_trunc(x, part)", "date_trunc(part, x)"},
		{"timestamp_diff(a, b, part)", "date_sub(part, b, a)"},
		{"timestamp_add(x, i)", "x + i"},
		{"timestamp_sub(x, i)", "x - i"},
		{"date_trunc(x, part)", "CAST(date_trunc(part, x) AS DATE)"},
		{"date_diff(a, b, part)", "date_diff(part, b, a)"},
		{"date_add(x, i)", "CAST(x + i AS DATE)"},
		{"date_sub(x, i)", "CAST(x - i AS DATE)"},
	}
	var all []string
	for _, d := range definitions {
		all = append(all, "CREATE OR REPLACE MACRO bq_"+d[0]+" AS "+d[1])
	}
	// In GoogleSQL these are NULL if any argument is; in DuckDB they skip NULL.
	return append(all, variadicMacro("greatest", "greatest(%s)", ", "), variadicMacro("least", "least(%s)", ", "),
		variadicMacro("concat", "%s", " || "))
}

// variadicMacro overloads a function by its number of arguments.
func variadicMacro(name, body, separator string) string {
	var overloads []string
	for n := 1; n <= variadic; n++ {
		var args, nulls []string
		for i := range n {
			args = append(args, fmt.Sprintf("a%d", i))
			nulls = append(nulls, fmt.Sprintf("a%d IS NULL", i))
		}
		value := fmt.Sprintf(body, strings.Join(args, separator))
		overloads = append(overloads, fmt.Sprintf("(%s) AS CASE WHEN %s THEN NULL ELSE %s END",
			strings.Join(args, ", "), strings.Join(nulls, " OR "), value))
	}
	return "CREATE OR REPLACE MACRO bq_" + name + strings.Join(overloads, ", ")
}

// partFunction tells whether the function's last argument is a bare part of a date.
func partFunction(upper string) bool {
	switch upper {
	case "TIMESTAMP_TRUNC", "TIMESTAMP_DIFF", "DATE_TRUNC", "DATE_DIFF":
		return true
	}
	return false
}

// datePart is DuckDB's name of a part of a date or time that means the same in
// GoogleSQL. WEEK does not: there it begins on Sundays.
func datePart(upper string) (duck string, ok bool) {
	switch upper {
	case "MICROSECOND", "MILLISECOND", "SECOND", "MINUTE", "HOUR", "DAY", "MONTH", "QUARTER", "YEAR":
		return strings.ToLower(upper), true
	case "ISOWEEK":
		return "week", true
	}
	return "", false
}
