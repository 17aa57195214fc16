package service

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLog_DurationsCarryTheirUnit(t *testing.T) {
	for format, want := range map[string]string{"json": `"took":1.5}`, "text": "took=1.5s\n"} {
		var b strings.Builder
		NewLogger(&b, Options{LogFormat: format, LogLevel: "info"}).Info("batch committed", "took", 1500*time.Millisecond)
		require.Contains(t, b.String(), want)
	}
}
