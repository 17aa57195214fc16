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
	return slog.New(slog.NewJSONHandler(w, opts))
}
