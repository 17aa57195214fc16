package sqlcheck

import (
	"fmt"
	"testing"
	"time"

	"github.com/goccy/go-googlesql"
	"github.com/stretchr/testify/require"

	"tidemark/batch"
)

// analyzer is GoogleSQL as close to BigQuery as its options go.
type analyzer struct {
	t       *testing.T
	options *googlesql.AnalyzerOptions
	parser  *googlesql.ParserOptions
	types   *googlesql.TypeFactory
	lang    *googlesql.LanguageOptions
}

func newAnalyzer(t *testing.T) *analyzer {
	require.NoError(t, googlesql.Init())
	lang, err := googlesql.NewLanguageOptions()
	require.NoError(t, err)
	require.NoError(t, lang.EnableMaximumLanguageFeatures())
	require.NoError(t, lang.SetProductMode(googlesql.ProductModeProductExternal))
	require.NoError(t, lang.SetSupportsAllStatementKinds())
	require.NoError(t, lang.EnableReservableKeyword("QUALIFY", true))
	// BigQuery neither groups by JSON nor compares it.
	require.NoError(t, lang.DisableLanguageFeature(googlesql.LanguageFeatureFeatureJsonTypeComparison))
	options, err := googlesql.NewAnalyzerOptions2()
	require.NoError(t, err)
	require.NoError(t, options.SetLanguage(lang))
	// Not SetLanguageOptions, which takes lang's features away from it.
	parser, err := googlesql.NewParserOptions2(nil, nil, lang)
	require.NoError(t, err)
	types, err := googlesql.NewTypeFactory()
	require.NoError(t, err)
	return &analyzer{t: t, options: options, parser: parser, types: types, lang: lang}
}

// analyze parses a script and resolves each of its statements against the tables, with the parameters declared as the
// client declares them. A table, column or parameter that is not there is refused, as is a value of the wrong type.
//
// The parser alone knows scripts, and the analyzer knows single statements. That is enough for ours: a transaction
// gives later statements no names, and BEGIN and COMMIT TRANSACTION are statements like others.
func (a *analyzer) analyze(script string, tables schema, params []batch.Param) error {
	statements, err := a.split(script)
	if err != nil {
		return err
	}
	catalog := a.catalog(tables)
	require.NoError(a.t, a.options.ClearQueryParameters())
	for _, p := range params {
		require.NoError(a.t, a.options.AddQueryParameter(p.Name, a.typeOf(typeName(a.t, p))))
	}
	for i, sql := range statements {
		if _, err := googlesql.AnalyzeStatement(sql, a.options, catalog, a.types); err != nil {
			return fmt.Errorf("statement %d of %d: %w:\n%s", i+1, len(statements), err, sql)
		}
	}
	return nil
}

// split cuts a script where its parser says that statements begin and end: messages and comments have semicolons, too.
func (a *analyzer) split(script string) ([]string, error) {
	parsed, err := googlesql.ParseScript(script, a.parser, &googlesql.ErrorMessageOptions{
		Mode: googlesql.ErrorMessageModeErrorMessageOneLine, Stability: googlesql.ErrorMessageStabilityProduction,
	})
	if err != nil {
		return nil, err
	}
	root, err := parsed.Script()
	require.NoError(a.t, err)
	list, err := root.StatementListNode()
	require.NoError(a.t, err)
	n, err := list.NumChildren()
	require.NoError(a.t, err)
	require.Positive(a.t, n, script)
	statements := make([]string, n)
	for i := range statements {
		statement, err := list.StatementList(int32(i))
		require.NoError(a.t, err)
		location, err := statement.Location()
		require.NoError(a.t, err)
		statements[i], err = location.GetTextFrom(script)
		require.NoError(a.t, err)
	}
	return statements, nil
}

func (a *analyzer) catalog(tables schema) *googlesql.SimpleCatalog {
	catalog, err := googlesql.NewSimpleCatalog("bigquery", a.types)
	require.NoError(a.t, err)
	require.NoError(a.t, catalog.AddBuiltinFunctionsAndTypes(&googlesql.BuiltinFunctionOptions{LanguageOptions: a.lang}))
	for name, columns := range tables {
		table, err := googlesql.NewSimpleTable(name, 0)
		require.NoError(a.t, err)
		for _, c := range columns {
			column, err := googlesql.NewSimpleColumn(name, c.Name, a.typeOf(c.Type), false, true)
			require.NoError(a.t, err)
			require.NoError(a.t, table.AddColumn2(column, false))
		}
		require.NoError(a.t, catalog.AddTable(table))
	}
	return catalog
}

func (a *analyzer) typeOf(name string) googlesql.Googlesql_TypeNode {
	get, ok := map[string]func() (googlesql.Googlesql_TypeNode, error){
		"STRING": a.types.GetString, "INT64": a.types.GetInt64, "BOOL": a.types.GetBool,
		"TIMESTAMP": a.types.GetTimestamp, "BYTES": a.types.GetBytes, batch.JSONType: a.types.GetJson,
	}[name]
	require.True(a.t, ok, name)
	typ, err := get()
	require.NoError(a.t, err)
	return typ
}

// typeName is the type that BigQuery's client declares for a parameter's value.
func typeName(t *testing.T, p batch.Param) string {
	switch p.Value.(type) {
	case string:
		return "STRING"
	case int64:
		return "INT64"
	case time.Time:
		return "TIMESTAMP"
	}
	require.Fail(t, "parameter of an unknown type", "%s is a %T", p.Name, p.Value)
	return ""
}
