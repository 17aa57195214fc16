package service

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever stands in a variable, the configuration is either valid or its error names a variable of ours, and a secret
// never shows.
func FuzzReadConfig(f *testing.F) {
	names := Variables()
	for i, value := range []string{"", "1h", "1GiB", "a:9092", "true", "-1", "7m", "2026-09-01T00:00:00Z", "http://127.0.0.1:9050", "1,2,x"} {
		f.Add(uint8(i*3), value)
	}
	f.Fuzz(func(t *testing.T, index uint8, value string) {
		if strings.ContainsRune(value, 0) {
			t.Skip("no environment holds it")
		}
		v := names[int(index)%len(names)]
		for name, text := range map[string]string{"BROKERS": "a:9092", "BUCKET": "bucket", "PROJECT": "acme", "DATASET": "posthog"} {
			t.Setenv(Prefix+"_"+name, text)
		}
		t.Setenv(v.Name, value)
		defer func() { require.NoError(t, os.Unsetenv(v.Name)) }()
		_, _, err := ReadConfig()
		if err == nil {
			return
		}
		require.Contains(t, err.Error(), Prefix+"_")
		if strings.HasSuffix(v.Name, "_PASSWORD") && len(value) > 8 {
			require.NotContains(t, err.Error(), value)
		}
	})
}
