package batch

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

type hinting struct {
	error
	hint string
}

func (h hinting) Hint() string  { return h.hint }
func (h hinting) Unwrap() error { return h.error }

func TestHint_EveryCauseSaysWhatToDo(t *testing.T) {
	refused, gone := hinting{errors.New("403"), "grant the role"}, hinting{errors.New("404"), "create the table"}
	plain := errors.New("EOF")
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{plain, ""},
		{fmt.Errorf("apply: %w", refused), "grant the role"},
		{errors.Join(plain, fmt.Errorf("apply: %w", gone), refused), "create the table; grant the role"},
		{fmt.Errorf("%w: %w", errors.Join(refused, refused), plain), "grant the role"},
		{hinting{gone, "look at the table"}, "look at the table"},
	} {
		require.Equal(t, c.want, HintOf(c.err), "%v", c.err)
	}
}
