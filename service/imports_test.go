package service

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// goList runs go list at the root of the module.
func goList(t *testing.T, args ...string) []string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Dir = ".."
	out, err := cmd.Output()
	require.NoError(t, err)
	return strings.Fields(string(out))
}

func TestCommand_LinksNoEmbeddedServer(t *testing.T) {
	deps := goList(t, "-deps", "./cmd/tidemark")
	for _, d := range deps {
		for _, server := range []string{"kfake", "fakestorage", "fake-gcs-server", "duckdb", "tidemark/local"} {
			require.NotContains(t, d, server)
		}
	}
	require.Contains(t, deps, "tidemark/service")
}

// A stage imports batch and model and nothing else of ours; an adapter also the stages whose ports it implements, and what the
// adapters to Google share (credentials); only service knows everybody.
func TestPackages_ImportOnlyWhatTheyMay(t *testing.T) {
	allowed := map[string][]string{
		"tidemark/batch":        {},
		"tidemark/model":        {},
		"tidemark/credentials":  {},
		"tidemark/operate":      {"tidemark/batch"},
		"tidemark/consumer":     {"tidemark/batch", "tidemark/operate"},
		"tidemark/buffer":       {"tidemark/batch", "tidemark/model"},
		"tidemark/loader":       {"tidemark/batch", "tidemark/model", "tidemark/credentials"},
		"tidemark/merge":        {"tidemark/batch", "tidemark/model"},
		"tidemark/destination":  {"tidemark/batch", "tidemark/model"},
		"tidemark/warehouse":    {"tidemark/batch", "tidemark/model", "tidemark/credentials", "tidemark/destination", "tidemark/merge", "tidemark/loader"},
		"tidemark/probe":        {"tidemark/model", "tidemark/loader"},
		"tidemark/cmd/tidemark": {"tidemark/batch", "tidemark/operate", "tidemark/probe", "tidemark/service"},
	}
	for pkg, may := range allowed {
		for _, dep := range goList(t, "-f", `{{join .Imports "\n"}}`, pkg) {
			if strings.HasPrefix(dep, "tidemark/") {
				require.True(t, slices.Contains(may, dep), "%s imports %s; it may import %v", pkg, dep, may)
			}
		}
	}
}
