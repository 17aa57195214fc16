package e2e

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"tidemark/batch"
	"tidemark/local/emulate/stack"
)

// entries reads the runbook's commands by the heading that they stand under.
func entries(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../../../docs/runbook.md")
	require.NoError(t, err)
	commands := make(map[string][]string)
	heading, inside := "", false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```sh"
		case inside:
			commands[heading] = append(commands[heading], line)
		case strings.HasPrefix(line, "#"):
			heading = strings.TrimLeft(line, "# ")
		}
	}
	return commands
}

// loses are the entries for states in which records, or rows, are lost already.
var loses = map[string]bool{ //nolint:gochecknoglobals // a constant
	"The topic was made again": true, "The offset is gone, or out of range": true, "The table of events is gone, or was made again": true,
}

// trouble brings a state about that a runbook entry is for. It returns what its placeholders stand for.
type trouble func(*world) map[string]string

// Every entry of the runbook that has commands is followed to the letter, in the state that it is for. Afterwards everything goes
// on, and the table is what it should be.
func TestRunbook_EveryEntryDoesWhatItSays(t *testing.T) {
	troubles := map[string]trouble{
		"The offset is gone, or out of range": retentionOvertakes,
		"The topic was made again":            topicMadeAgain,
		"A batch waits for a person": func(w *world) map[string]string {
			b := w.decide(false)
			w.byHand(b.Partitions[0].TopicPartition, b.Partitions[0].End)
			return map[string]string{"BATCH": b.ID.String()}
		},
		"A batch is to be given up": func(w *world) map[string]string {
			return map[string]string{"BATCH": w.decide(true).ID.String()}
		},
		"The table of events is gone, or was made again": func(w *world) map[string]string {
			r := w.start(nil)
			w.produce(500)
			w.waitExported()
			r.HandOver()
			require.NoError(w, w.Client.Dataset(stack.Dataset).Table(stack.Table).Delete(w.Context()))
			return map[string]string{"TABLE": stack.Table}
		},
		"The manifest is gone": func(w *world) map[string]string {
			b := w.decide(false)
			name := batch.ManifestObject("tidemark", b.ID)
			require.NoError(w, w.Storage.Bucket(stack.Bucket).Object(name).Delete(w.Context()))
			return map[string]string{"BATCH": b.ID.String()}
		},
	}
	found := entries(t)
	for heading := range troubles {
		require.Contains(t, found, heading, "the runbook has lost an entry")
	}
	for heading, commands := range found {
		t.Run(heading, func(t *testing.T) {
			bring := troubles[heading]
			require.NotNil(t, bring, "the entry is not tried")
			w := newWorld(t)
			places := bring(w)
			for _, line := range commands {
				for name, value := range places {
					line = strings.ReplaceAll(line, name, value)
				}
				args := strings.Fields(line)
				require.Equal(t, "tidemark", args[0])
				w.do(args[1:]...)
			}
			w.produce(300)
			r := w.start(nil)
			w.waitExported()
			r.HandOver()
			require.Zero(t, r.Log.Stopped())
			if !loses[heading] {
				w.requireExact()
			}
		})
	}
}

func retentionOvertakes(w *world) map[string]string {
	r := w.start(nil)
	w.produce(500)
	w.waitExported()
	r.HandOver()
	w.produce(500)
	tp := batch.TopicPartition{Topic: stack.Topic, Partition: 2}
	var past kadm.Offsets
	past.AddOffset(tp.Topic, tp.Partition, w.ends()[tp], -1)
	_, err := w.admin.DeleteRecords(w.Context(), past)
	require.NoError(w, err)
	return map[string]string{"TOPIC": tp.Topic, "PARTITION": "2"}
}

func topicMadeAgain(w *world) map[string]string {
	r := w.start(nil)
	w.produce(500)
	w.waitExported()
	r.HandOver()
	w.recreate(stack.Topic)
	w.produce(500)
	return map[string]string{"TOPIC": stack.Topic}
}
