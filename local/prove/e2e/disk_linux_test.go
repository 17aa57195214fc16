package e2e

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/local/emulate/stack"
)

// zeros never ends.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// A full disk below local mode's servers: uploads and jobs fail, offsets wait, and with space again all goes on.
func TestDisk_AFullOneLosesNothing(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=96m"); err != nil {
		t.Skipf("a small file system can only be mounted by root: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	w := newWorld(t, withPersons, func(c *stack.Config) { c.Dir, c.Memory = dir, false })
	first := w.start(nil)
	w.produce(500)
	w.waitExported()
	first.HandOver()
	w.produce(1500)
	before := w.committed()

	filler, err := os.Create(filepath.Join(dir, "filler"))
	require.NoError(t, err)
	_, err = io.Copy(filler, zeros{})
	require.True(t, errors.Is(err, syscall.ENOSPC), "%v", err)
	require.NoError(t, filler.Close())
	r := w.start(nil)
	w.eventually("the log names the cause", func() bool { // in the words of Go or of the engine
		return strings.Contains(strings.ToLower(r.Log.String()), "no space left on device")
	})
	for tp, o := range w.committed() {
		require.Equal(t, before[tp].Offset, o.Offset, tp)
	}
	require.NoError(t, os.Remove(filler.Name()))
	w.waitExported()
	r.HandOver()
	w.requireExact()
}
