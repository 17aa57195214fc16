package service

import (
	"io"
	"log/slog"
)

// NewLogger returns the logger that the options describe. o is validated.
func NewLogger(w io.Writer, o Options) *slog.Logger {
	level := new(slog.LevelVar)
	_ = level.UnmarshalText([]byte(o.LogLevel)) // validated
	opts := &slog.HandlerOptions{Level: level}
	if o.LogFormat == "text" {
		return slog.New(slog.NewTextHandler(w, opts))
	}
	opts.ReplaceAttr = inSeconds
	return slog.New(slog.NewJSONHandler(w, opts))
}

// inSeconds writes durations as seconds, as metrics have them; slog's JSON has nanoseconds.
func inSeconds(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		return slog.Float64(a.Key, a.Value.Duration().Seconds())
	}
	return a
}
