package consumer

import (
	"context"
	"log/slog"
)

// levelHandler drops records below min, whatever the handler behind it accepts.
type levelHandler struct {
	slog.Handler
	min slog.Level
}

// Enabled implements slog.Handler.
func (h *levelHandler) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= h.min && h.Handler.Enabled(ctx, l)
}

// WithAttrs implements slog.Handler.
func (h *levelHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &levelHandler{h.Handler.WithAttrs(attrs), h.min}
}

// WithGroup implements slog.Handler.
func (h *levelHandler) WithGroup(name string) slog.Handler {
	return &levelHandler{h.Handler.WithGroup(name), h.min}
}
