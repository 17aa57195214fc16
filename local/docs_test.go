package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// docs/bigquery.md says of every assumption which tests hold it.
func TestDocs_EveryTestOfAnAssumptionExists(t *testing.T) {
	var tests strings.Builder
	require.NoError(t, filepath.WalkDir("..", func(path string, _ os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			tests.Write(text)
		}
		return err
	}))
	page, err := os.ReadFile("../docs/bigquery.md")
	require.NoError(t, err)
	named := regexp.MustCompile("`(Test[A-Za-z0-9_]+)`").FindAllStringSubmatch(string(page), -1)
	require.Greater(t, len(named), 40)
	for _, n := range named {
		require.Contains(t, tests.String(), "\nfunc "+n[1]+"(", "docs/bigquery.md names it")
	}
}
