package batch

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// mutation breaks one rule of the protocol in the real source. The test it names must fail, and say so in these words.
type mutation struct {
	name  string
	edits []edit
	run   string // the test
	flags string // its bounds, if not the default ones
	says  string
}

// An edit's file is that of a package of ours, relative to this one.
type edit struct{ file, old, new string }

// dir is the package that is broken, and whose test must notice.
func (m mutation) dir() string { return filepath.Dir(m.edits[0].file) }

const (
	torn    = "-explore=2,1,2,2,1,0,0,0,0,true"
	handing = "-explore=2,1,2,2,0,0,1,0,0,false"
	moving  = "-explore=2,2,2,2,0,0,1,0,0,false"
	losing  = "-explore=2,1,2,2,0,1,0,0,1,false"
)

func mutations() []mutation {
	return slices.Concat(decisions(), commitOrder(), evidence(), watermark(), names())
}

// decisions are mutations of what decides a batch.
func decisions() []mutation {
	return []mutation{
		{"released partitions are kept in the ledger", []edit{{"ledger.go",
			`func (l *Ledger) Release(tp TopicPartition) { delete(l.held, tp) }`, `func (l *Ledger) Release(tp TopicPartition) {}`,
		}}, "TestExplore", handing, "believes"},
		{"partitions that are not held are left out of a prepare", []edit{{"ledger.go",
			"			return nil, fmt.Errorf(\"prepare batch %s: %s: %w\", m.ID, r.TopicPartition, ErrNotHeld)", `			continue`,
		}}, "TestLedger_RefusesToPrepareAPartitionItDoesNotHold", "", "Expected error with"},
		{"a batch in the metadata is taken for decided", []edit{{"adopt.go",
			`j.verdict, j.err = what.Verdict, what.Err`, `j.verdict, j.err = Prepared, what.Err`,
		}}, "TestExplore", torn, "visible 2 times"},
		{"already past is taken for a decision", []edit{{"judge.go",
			`	s.Standing = Past`, `	s.Standing = Names`,
		}}, "TestExplore", torn, "visible 2 times"},
		{"a prepare taken in part is taken for a decision", []edit{{"prepare.go",
			`if !happened {`, `if !happened && false {`,
		}}, "TestExplore", torn, "believes"},
		{"a missing manifest is taken for void", []edit{{"adopt.go",
			`Get(ctx, id); j.err != nil {`, `Get(ctx, id); j.err != nil {
		if errors.Is(j.err, ErrNoManifest) {
			return judged{verdict: Void}
		}`,
		}}, "TestDriver_AMissingManifestStopsThePartition", "", "Expected error with"},
		{"a void batch stays in the metadata", []edit{{"adopt.go",
			`if keep < len(meta.Chain) {`, `if keep < len(meta.Chain) && false {`,
		}}, "TestExplore", torn, "offsets are not contiguous"},
		{"prepare moves the offset", []edit{{"ledger.go",
			`commits = append(commits, Commit{r.TopicPartition, h.committed, h.epoch, text})`, `commits = append(commits, Commit{r.TopicPartition, r.End, h.epoch, text})`,
		}}, "TestExplore", handing, "committed and not visible"},
		{"a found batch's records are read again", []edit{{"adopt.go",
			`pos = Position{Offset: r.End, Epoch: r.Epoch, Clock: r.Clock}`, `pos = Position{Offset: o.Offset, Epoch: r.Epoch, Clock: r.Clock}`,
		}}, "TestExplore", moving, "offsets are not contiguous"},
		{"the next batch is prepared although this one was not", []edit{{"prepare.go",
			`				return fmt.Errorf("prepare batch %s: %w: %w", e.manifest.ID, err, ErrRejoin)`, `				d.log.Warn("prepare", "err", err)`,
		}, {"ledger.go",
			`if h.end() != r.Start {`, `if h.end() > r.Start {`,
		}}, "TestCrash", "", "repeat with"},
	}
}

// commitOrder are mutations of when batches are applied and committed.
func commitOrder() []mutation {
	return []mutation{
		{"the chain is wiped at commit", []edit{{"ledger.go",
			`r.Epoch, Metadata{Clock: r.Clock, Chain: meta.Chain[1:]}.String()}`, `r.Epoch, Metadata{Clock: r.Clock}.String()}`,
		}}, "TestExplore", moving, "believes"},
		{"a batch is committed before it is applied", []edit{{"apply.go",
			`err := d.step("apply", func() error { return d.applyTables(ctx, e.manifest) })`, `var err error`,
		}}, "TestExplore", handing, "committed and not visible"},
		{"a batch does not wait for the one before it", []edit{{"ledger.go",
			`		default:
			more = true`, `		default:`,
		}}, "TestExplore", moving, "stuck"},
		{"being fenced is taken for success", []edit{{"prepare.go",
			`		return fmt.Errorf("%w: %w", err, ErrRejoin)
	}
	happened,`, `		return nil
	}
	happened,`,
		}}, "TestExplore", "-explore=2,1,2,2,0,1,0,0,0,false", "visible 2 times"},
		{"a batch that waits is not looked at again when its turn comes elsewhere", []edit{{"apply.go",
			`if e.state == Applied || e.state == Prepared && !e.driven {`, `if !e.driven && (e.state == Applied || e.state == Prepared) {`,
		}}, "TestExplore", moving, "stuck"},
		{"a partition that is taken away meanwhile is held all the same", []edit{{"adopt.go",
			`if !still(tp) {`, `if !still(tp) && false {`,
		}}, "TestDriver_DoesNotHoldWhatIsNoLongerAssigned", "", "Should be empty"},
	}
}

// evidence are mutations of what a person or a deleted topic leaves behind.
func evidence() []mutation {
	const judge = "TestJudge_VoidRestsOnBigQuery"
	return []mutation{
		{"a job is no proof of the decision", []edit{{"judge.go",
			`started = started || e.State.Decided()`, `started = started && e.State.Decided()`,
		}}, judge, "", "Not equal"},
		{"an offset that another program wrote counts as ours", []edit{{"judge.go",
			`case meta.Foreign:`, `case meta.Foreign && false:`,
		}}, judge, "", "Not equal"},
		{"an offset that is gone means void", []edit{{"judge.go",
			`case unclear != nil:
		return 0,`, `case unclear != nil && false:
		return 0,`,
		}}, "TestExplore", losing, "visible 2 times"},
		{"voided tables are applied", []edit{{"judge.go",
			`	case voided:
		return Void, nil
`, ``,
		}, {"judge.go", `applied, started, voided := true`, `applied, started, _ := true`}, {"judge.go", `		voided = voided || e.State == Voided
`, ``,
		}, {"judge.go", `case voided && started:`, `case false:`}, {"evidence.go", `s != NoJob && s != Voided`, `s != NoJob`}}, judge, "", "Not equal"},
	}
}

// watermark are mutations of what says how far a partition is complete.
func watermark() []mutation {
	return []mutation{
		{"a clock is committed behind a batch that is on its way", []edit{{"ledger.go",
			`h != nil && h.committed == c.Offset && len(h.meta.Chain) == 0 &&`, `h != nil &&`,
		}}, "TestLedger_ClocksStandStillWhileABatchIsOnItsWay", "", "Should be empty"},
		{"the size of a prepare is not looked at", []edit{{"driver.go",
			`d.ledger.prepareBytes(d.cfg.Group, waiting+spareLinks) > d.cfg.MaxCommit`, `false`,
		}}, "TestDriver_IsFullWhenThePrepareOfAllPartitionsWouldBeTooLarge", "", "is not less than"},
		{"an end counts before it is reached", []edit{{"../consumer/partition.go",
			`!p.first.at.IsZero() && p.first.offset <= p.pos`, `!p.first.at.IsZero()`,
		}}, "TestPartition_NoClockPassesARecordThatIsNotCommitted", "", "is complete up to"},
		{"a marker that comes alone behind a boundary opens no batch", []edit{{"../consumer/poll.go",
			`behind = behind || n < len(f.Records)`, `behind = behind || len(data(f.Records[n:])) > 0`,
		}}, "TestSession_AMarkerBehindTheBoundaryOpensTheNextBatch", "", "Expected value not to be nil"},
		{"a boundary cuts off what is in the batch already", []edit{{"../consumer/partition.go",
			`offset: max(e.offset, p.pos)`, `offset: e.offset`,
		}}, "TestPartition_ABoundaryCutsWhereThePartitionEndedThen", "", "Not equal"},
		{"a range that ends before the boundary has the boundary's clock", []edit{{"../consumer/partition.go",
			`c != nil && c.reached {
		r.End,`, `c != nil {
		r.Clock = c.at.UTC()
	}
	if c := p.cut; c != nil && c.reached {
		r.End,`,
		}}, "TestPartition_NoClockPassesARecordThatIsNotCommitted", "", "is complete up to"},
	}
}

// names are mutations of what keeps jobs and stage tables apart.
func names() []mutation {
	return []mutation{
		{"the job ID leaves out the dataset", []edit{{"names.go",
			`t.Project + "\x00" + t.Dataset + "\x00" + t.Table`, `t.Project + "\x00" + t.Table`,
		}}, "TestNames_DifferByDestination", "", "Should not be"},
		{"the attempt number is counted locally", []edit{{"../warehouse/run.go",
			`a, err := c.submit(ctx, j, 1)`, `a, err := c.submit(ctx, j, 2)`, // as if this process had made one before
		}}, "TestLoad_SubmitsOneJobWithEverythingSaid", "", "Error Trace"},
		{"an expired stage is created again, empty", []edit{{"../merge/staged.go",
			`	if !found {
		job :=`, `	if found = false; !found {
		job :=`,
		}, {"../merge/staged.go",
			`return exists && !created.After(load.Ended)`, `return exists || !created.After(load.Ended)`,
		}}, "TestInserter_ExpiredStageIsReplacedUnderANewName", "", "Error Trace"},
	}
}

// TestMutations_AreCaught builds the package's tests around each broken source, and wants them to fail: tests that pass
// whatever the code does are worth nothing.
func TestMutations_AreCaught(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the package once for every mutation")
	}
	for _, m := range mutations() {
		t.Run(m.name, func(t *testing.T) {
			binary := m.build(t)
			args := []string{"-test.run=^" + m.run + "$", "-test.timeout=60s", "-test.short"}
			if m.flags != "" {
				args = append(args, m.flags)
			}
			cmd := exec.CommandContext(t.Context(), binary, args...)
			cmd.Dir = m.dir() // where its testdata are
			out, err := cmd.CombinedOutput()
			require.Error(t, err, "nothing noticed: %s", out)
			require.Contains(t, string(out), "--- FAIL: "+m.run)
			require.Contains(t, string(out), m.says)
			if testing.Verbose() {
				t.Logf("%s", out)
			}
		})
	}
}

// build compiles the tests with the edits laid over the source.
func (m mutation) build(t *testing.T) string {
	dir := t.TempDir()
	source, err := os.Getwd()
	require.NoError(t, err)
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for _, e := range m.edits {
		file, patched := filepath.Join(source, e.file), filepath.Join(dir, filepath.Base(e.file))
		read := file
		if overlay.Replace[file] != "" {
			read = patched // a second edit of it
		}
		text, err := os.ReadFile(read)
		require.NoError(t, err)
		require.Equal(t, 1, strings.Count(string(text), e.old), "%s has changed: %q must occur once", e.file, e.old)
		require.NoError(t, os.WriteFile(patched, []byte(strings.Replace(string(text), e.old, e.new, 1)), 0o600))
		overlay.Replace[file] = patched
	}
	text, err := json.Marshal(overlay)
	require.NoError(t, err)
	file, binary := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "batch.test")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", file, "-ldflags=-s -w", "-o", binary, "./"+m.dir()).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return binary
}
