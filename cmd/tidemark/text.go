package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"tidemark/operate"
)

// table writes lines of columns, aligned.
func table(w io.Writer, header string, rows func(line func(format string, args ...any))) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, header)
	rows(func(format string, args ...any) { fmt.Fprintf(t, format+"\n", args...) })
	_ = t.Flush() // nobody reads on
}

func printBatches(w io.Writer, list []operate.Batch) {
	if len(list) == 0 {
		fmt.Fprintln(w, "No batch is on its way: everything that is decided is committed.")
		return
	}
	for i, b := range list {
		if i > 0 {
			fmt.Fprintln(w)
		}
		printBatch(w, b)
	}
}

func printBatch(w io.Writer, b operate.Batch) {
	fmt.Fprintf(w, "batch %s\n", b.ID)
	if b.Stream != "" {
		fmt.Fprintf(w, "stream %s of group %s, sealed at %s (%s)\n", b.Stream, b.Group, b.SealedAt.Format(time.RFC3339), b.Reason)
	}
	fmt.Fprintf(w, "the next replica %s\n", b.Next)
	if b.Problem != "" {
		fmt.Fprintf(w, "problem: %s\n", b.Problem)
	}
	for _, tp := range b.Named {
		fmt.Fprintf(w, "named by %s\n", tp)
	}
	if len(b.Tables) > 0 {
		table(w, "  TABLE\tROWS\tPARTS\tJOBS SAY\tATTEMPTS\tLAST JOB", func(line func(string, ...any)) {
			for _, t := range b.Tables {
				line("  %s\t%d\t%d\t%s\t%d\t%s", t.Name, t.Rows, t.Parts, t.State, t.Attempts, t.JobID)
			}
		})
	}
	for _, t := range b.Tables {
		if t.Error != "" {
			fmt.Fprintf(w, "  job %s: %s\n", t.JobID, t.Error)
		}
	}
	if len(b.Partitions) > 0 {
		table(w, "  PARTITION\tFROM\tTO\tCOMMITTED\tTHE GROUP'S OFFSET", func(line func(string, ...any)) {
			for _, p := range b.Partitions {
				line("  %s\t%d\t%d\t%d\t%s", p.TopicPartition, p.Start, p.End, p.Committed, p.Standing)
			}
		})
	}
}

func printOffsets(w io.Writer, list []operate.Partition) {
	table(w, "PARTITION\tCOMMITTED\tBEHIND\tSTART\tEND\tCOMPLETE THROUGH\tBATCHES\tPROBLEM", func(line func(string, ...any)) {
		for _, p := range list {
			through := "unknown"
			if !p.Clock.IsZero() {
				through = p.Clock.Format(time.RFC3339)
			}
			committed := "none"
			if p.Committed >= 0 {
				committed = fmt.Sprint(p.Committed)
			}
			line("%s\t%s\t%d\t%d\t%d\t%s\t%d\t%s", p.TopicPartition, committed, p.Behind, p.Start, p.End, through, len(p.Chain), p.Problem)
		}
	})
}

func printSets(w io.Writer, list []operate.Set) {
	table(w, "PARTITION\tFROM\tTO\tSKIPPED\tREPEATED", func(line func(string, ...any)) {
		for _, s := range list {
			from := "none"
			if s.From >= 0 {
				from = fmt.Sprint(s.From)
			}
			line("%s\t%s\t%d\t%d\t%d", s.TopicPartition, from, s.To, s.Skipped, s.Repeated)
		}
	})
}
