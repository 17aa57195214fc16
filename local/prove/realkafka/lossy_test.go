package realkafka

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/local/prove/harness"
)

// loss breaks the connection that carries a prepare: before the broker has the request, or after it has answered. It
// does so a given number of times.
type loss struct {
	before bool
	left   atomic.Int32
	hit    chan struct{} // closed when nothing is left
}

func newLoss(before bool, times int32) *loss {
	l := &loss{before: before, hit: make(chan struct{})}
	l.left.Store(times)
	return l
}

// prepare matches the metadata of a partition whose chain is not empty.
var prepare = regexp.MustCompile(`tidemark/1;\d*;[0-9a-f]{8}-`)

const keyOffsetCommit = 8

func (l *loss) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &lossyConn{Conn: conn, loss: l}, nil
}

type lossyConn struct {
	net.Conn
	loss *loss
	lost atomic.Bool // the next reply is not for the client
}

// Write gets one request at a time: the client writes each in one go.
func (c *lossyConn) Write(p []byte) (int, error) {
	if len(p) < 6 || binary.BigEndian.Uint16(p[4:]) != keyOffsetCommit || !prepare.Match(p) || !c.take() {
		return c.Conn.Write(p)
	}
	if c.loss.before {
		_ = c.Close() // and writing fails
		return c.Conn.Write(p)
	}
	c.lost.Store(true)
	return c.Conn.Write(p)
}

func (c *lossyConn) take() bool {
	left := c.loss.left.Add(-1)
	if left == 0 {
		close(c.loss.hit)
	}
	return left >= 0
}

// Read loses the reply once it has come: Kafka has done what it was asked.
func (c *lossyConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == nil && c.lost.Load() {
		_ = c.Close() // the client sees the end of the stream
		return 0, io.EOF
	}
	return n, err
}

// Invariant 2: a prepare whose outcome is unknown is read back, or the session ends and a new member joins.
func TestPrepare_WithAConnectionLost(t *testing.T) {
	for name, l := range map[string]*loss{
		"before the broker has it":           newLoss(true, 1),
		"after it was accepted":              newLoss(false, 1),
		"before, again and again":            newLoss(true, 6),
		"after it was accepted, many a time": newLoss(false, 6),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			other := w.start(nil)
			r := w.start(nil, kgo.Dialer(l.dial))
			for exported := false; !exported; {
				w.produce(300)
				w.waitExported()
				select {
				case <-l.hit:
					exported = true
				default:
				}
			}
			r.HandOver()
			other.HandOver()
			w.requireExact()
		})
	}
}

// slowJoin delays what the broker answers to a join, so that the group is a generation ahead of its member for a while.
func slowJoin(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &slowConn{Conn: conn}, nil
}

type slowConn struct {
	net.Conn
	joins atomic.Bool
}

const (
	keyJoinGroup = 11
	joinDelay    = 700 * time.Millisecond
)

func (c *slowConn) Write(p []byte) (int, error) {
	if len(p) >= 6 {
		c.joins.Store(binary.BigEndian.Uint16(p[4:]) == keyJoinGroup)
	}
	return c.Conn.Write(p)
}

func (c *slowConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == nil && c.joins.Swap(false) {
		<-time.After(joinDelay)
	}
	return n, err
}

// A member that commits before it has heard that its join is complete is refused for its generation, and is a member all
// the same: it commits again under the new one. Its session goes on, and nothing is read again.
func TestHandOver_ACommitThatMeetsACompletedJoin(t *testing.T) {
	w := newWorld(t)
	seen := harness.NewReads()
	slow := w.start(nil, kgo.WithHooks(seen), kgo.Dialer(slowJoin))
	w.produce(500)
	w.waitExported()
	for range 4 {
		other := w.start(nil, kgo.WithHooks(seen)) // two joins, and two more when it leaves
		produced := w.produceAtRate(1000, 3000)
		w.eventually("all is read", seen.AtLeast(w.next))
		if err := <-produced; err != nil {
			t.Fatal(err)
		}
		other.HandOver()
	}
	w.waitExported()
	slow.HandOver()
	_, again := seen.Total()
	require.Zero(t, again, "records read more than once")
	require.NotContains(t, slow.Log.String(), "session ended in doubt")
	w.requireExact()
}
