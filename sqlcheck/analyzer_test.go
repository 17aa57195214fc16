package sqlcheck

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-googlesql"
	"github.com/stretchr/testify/require"

	"tidemark/batch"
	"tidemark/model"
)

// analyzer is GoogleSQL as close to BigQuery as its options go.
type analyzer struct {
	t       *testing.T
	options *googlesql.AnalyzerOptions
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
	types, err := googlesql.NewTypeFactory()
	require.NoError(t, err)
	return &analyzer{t: t, options: options, types: types, lang: lang}
}

// analyze resolves one statement against the tables it names: stage tables have STRING where others have JSON.
func (a *analyzer) analyze(sql string) error {
	catalog, err := googlesql.NewSimpleCatalog("bigquery", a.types)
	require.NoError(a.t, err)
	require.NoError(a.t, catalog.AddBuiltinFunctionsAndTypes(&googlesql.BuiltinFunctionOptions{LanguageOptions: a.lang}))
	seen := make(map[string]bool)
	for _, name := range regexp.MustCompile("`([^`]+\\.[^`]+\\.[^`]+)`").FindAllStringSubmatch(sql, -1) {
		if !seen[name[1]] {
			require.NoError(a.t, catalog.AddTable(a.table(name[1])))
		}
		seen[name[1]] = true
	}
	_, err = googlesql.AnalyzeStatement(sql, a.options, catalog, a.types)
	return err
}

// table has all columns of events.
func (a *analyzer) table(name string) *googlesql.SimpleTable {
	table, err := googlesql.NewSimpleTable(name, 0)
	require.NoError(a.t, err)
	for _, c := range model.EventColumns() {
		typ := c.Type.String()
		if c.JSON && !strings.Contains(name, ".tidemark_stage_") {
			typ = batch.JSONType
		}
		column, err := googlesql.NewSimpleColumn(name, c.Name, a.typeOf(typ), false, true)
		require.NoError(a.t, err)
		require.NoError(a.t, table.AddColumn2(column, false))
	}
	return table
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

// The golden files hold every statement that package merge can send.
func TestStatements_AreGoogleSQL(t *testing.T) {
	a := newAnalyzer(t)
	golden, err := filepath.Glob("../merge/testdata/*.sql")
	require.NoError(t, err)
	require.NotEmpty(t, golden)
	for _, file := range golden {
		sql, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, a.analyze(string(sql)), file)
	}
}

// The README shows analysts queries; they are GoogleSQL, too.
func TestReadme_QueriesAreGoogleSQL(t *testing.T) {
	a := newAnalyzer(t)
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	require.NotEmpty(t, blocks)
	for _, block := range blocks {
		for _, sql := range strings.Split(block[1], ";") {
			if strings.TrimSpace(sql) != "" {
				require.NoError(t, a.analyze(sql), sql)
			}
		}
	}
}

// Without these refusals the test above would prove nothing.
func TestAnalyzer_RefusesWhatBigQueryRefuses(t *testing.T) {
	a := newAnalyzer(t)
	for sql, want := range map[string]string{
		"INSERT INTO `p.d.events` (properties) SELECT properties FROM `p.d.tidemark_stage_x`": "type STRING",
		"INSERT INTO `p.d.events` (nothing) SELECT uuid FROM `p.d.tidemark_stage_x`":          "nothing",
		"INSERT INTO `p.d.events` (uuid, event) SELECT uuid FROM `p.d.tidemark_stage_x`":      "column",
		"INSERT INTO `p.d.events` (set) SELECT PARSE_JSON(`set`) FROM `p.d.tidemark_stage_x`": "SET",
		"SELECT PARSE_JSON(properties, wide_number => 'round') FROM `p.d.tidemark_stage_x`":   "wide_number",
		"SELECT properties FROM `p.d.events` GROUP BY properties":                             "JSON",
		"SELECT DISTINCT properties FROM `p.d.events`":                                        "JSON",
		"DELETE FROM `p.d.events`":                                                   "WHERE",
		"SELECT uuid::INT64 FROM `p.d.events`":                                       "Syntax error",
		"INSERT INTO `p.d.events` (team_id) SELECT uuid FROM `p.d.tidemark_stage_x`": "INT64",
	} {
		err := a.analyze(sql)
		require.Error(t, err, sql)
		require.Contains(t, fmt.Sprint(err), want, sql)
	}
}
