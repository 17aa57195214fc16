package realkafka

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"

	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/local/prove/harness"
	"tidemark/service"
)

func (w *world) changed(change map[string]string) map[string]string {
	env := maps.Clone(w.env)
	maps.Copy(env, change)
	return env
}

// start runs a replica inside this process, with changes to the environment.
func (w *world) start(change map[string]string, kopts ...kgo.Opt) *harness.Replica {
	w.Helper()
	return harness.Start(w.T, w.changed(change), kopts...)
}

// startProcess runs a replica in a process of its own. Chaos stops some that have only just started, and starts so many
// that only the ends of their logs are readable.
func (w *world) startProcess(change map[string]string) *harness.Replica {
	w.Helper()
	return harness.Process{EarlyStop: true, LogBytes: 64 << 10}.Start(w.T, w.changed(change))
}

// read returns how many records of its open batches a replica has read; 0 while it does not answer.
func read(r *harness.Replica) (n int64) {
	s, err := statusOf(r)
	if err != nil {
		return 0
	}
	for _, p := range s.Consumer.Partitions {
		n += p.Next - p.Start
	}
	return n
}

// statusOf asks a replica for its status. An error may pass.
func statusOf(r *harness.Replica) (s service.Status, err error) {
	addr := r.Addr()
	if addr == "" {
		return s, errors.New("it does not serve yet")
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, fmt.Sprintf("http://%s/status", addr), http.NoBody)
	if err != nil {
		return s, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return s, err
	}
	defer resp.Body.Close()
	return s, json.NewDecoder(resp.Body).Decode(&s)
}
