package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"tidemark/batch"
	"tidemark/operate"
	"tidemark/service"
)

// operator connects and does something. Progress goes to the error stream, so that the output is the result alone.
func operator(c *cobra.Command, do func(context.Context, *operate.Operator) error) error {
	cfg, _, err := readConfig(service.ReadConfig)
	if err != nil {
		return failed(err)
	}
	cfg.Service.LogFormat = "text"
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	say := func(format string, args ...any) { fmt.Fprintf(c.ErrOrStderr(), format+"\n", args...) }
	o, err := service.NewOperator(ctx, cfg, service.NewLogger(c.ErrOrStderr(), cfg.Service), say)
	if err != nil {
		return failed(err)
	}
	err = batch.WithHint(do(ctx, o.Operator))
	return failed(errors.Join(err, o.Close()))
}

// print writes a result as one JSON document, or as text.
func print[T any](c *cobra.Command, v T, text func(io.Writer, T)) error {
	if asJSON, _ := c.Flags().GetBool("json"); asJSON {
		enc := json.NewEncoder(c.OutOrStdout())
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	}
	text(c.OutOrStdout(), v)
	return nil
}

func batchesCommand() *cobra.Command {
	batches := &cobra.Command{
		Use: "batches", Short: "List the batches on their way, with the evidence of BigQuery", Args: cobra.NoArgs,
		Long: `Lists the batches that the consumer group's commit metadata names: their offset ranges, their tables with what BigQuery
knows of their jobs, and what the next replica would do with them. Nothing is changed.`,
		RunE: func(c *cobra.Command, _ []string) error {
			return operator(c, func(ctx context.Context, o *operate.Operator) error {
				list, err := o.Batches(ctx)
				if err != nil {
					return err
				}
				return print(c, list, printBatches)
			})
		},
	}
	batches.PersistentFlags().Bool("json", false, "print one JSON document")
	batches.AddCommand(showCommand(), applyCommand(), voidCommand())
	return batches
}

// batchArgument wants one batch ID.
func batchArgument(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("found %d arguments; want the ID of one batch", len(args))
	}
	return nil
}

// ofBatch does something with the batch that the argument names.
func ofBatch(c *cobra.Command, args []string, do func(context.Context, *operate.Operator, batch.ID) (operate.Batch, error)) error {
	id, err := batch.ParseID(args[0])
	if err != nil {
		return failed(fmt.Errorf("batch ID is %q; want a UUID like 0198f0a3-1b2c-7f00-8d11-5a0d2f4e6c77", args[0]))
	}
	return operator(c, func(ctx context.Context, o *operate.Operator) error {
		b, err := do(ctx, o, id)
		if err != nil {
			return err
		}
		return print(c, b, printBatch)
	})
}

func showCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show one batch, whether or not it is still on its way", Args: batchArgument,
		RunE: func(c *cobra.Command, args []string) error {
			return ofBatch(c, args, func(ctx context.Context, o *operate.Operator, id batch.ID) (operate.Batch, error) {
				return o.Show(ctx, id)
			})
		},
	}
}

func applyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "apply ID", Short: "Apply a batch as a replica would, and commit its offsets", Args: batchArgument,
		Long: `Applies a batch as a replica would, with the same job IDs, so that its rows are in the tables exactly once, and sets every
partition of it that is not past it to the batch's end. Refuses while the group has members, where an earlier batch of a
partition comes first, and where the batch was voided. It may be repeated.`,
		RunE: func(c *cobra.Command, args []string) error {
			return ofBatch(c, args, func(ctx context.Context, o *operate.Operator, id batch.ID) (operate.Batch, error) {
				return o.Apply(ctx, id)
			})
		},
	}
}

func voidCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "void ID", Short: "Give a batch up: its records are read again", Args: batchArgument,
		Long: `Shows the evidence, asks for a confirmation, and gives a batch up: no replica can apply it any more, and its records are read
again. Refuses where a job of it runs or has succeeded, while the group has members, and where later batches follow it. It
may be repeated.`,
	}
	yes := c.Flags().Bool("yes", false, "do not ask for a confirmation")
	without := c.Flags().Bool("without-manifest", false, "go on although the manifest is gone for good, if BigQuery has no job of the batch")
	c.RunE = func(c *cobra.Command, args []string) error {
		return ofBatch(c, args, func(ctx context.Context, o *operate.Operator, id batch.ID) (operate.Batch, error) {
			v, err := o.Void(ctx, id, *without)
			if v != nil {
				printBatch(c.ErrOrStderr(), v.Batch)
			}
			if err != nil {
				return operate.Batch{}, err
			}
			if err := confirm(c, id.String(), "the batch's ID", "void it", *yes); err != nil {
				return operate.Batch{}, err
			}
			if err := v.Confirm(ctx); err != nil {
				return operate.Batch{}, err
			}
			return v.Batch, nil
		})
	}
	return c
}

// confirm wants a word typed.
func confirm(c *cobra.Command, word, what, purpose string, yes bool) error {
	if yes {
		return nil
	}
	fmt.Fprintf(c.ErrOrStderr(), "Type %s to %s: ", what, purpose)
	line, err := bufio.NewReader(c.InOrStdin()).ReadString('\n')
	if typed := strings.TrimSpace(line); typed != word {
		return fmt.Errorf("%w: found %q; want %s typed, or --yes (%w)", operate.ErrRefused, typed, what, errors.Join(err, errNotConfirmed))
	}
	return nil
}

var errNotConfirmed = errors.New("not confirmed")

func offsetsCommand() *cobra.Command {
	c := &cobra.Command{Use: "offsets", Short: "Show or set where the consumer group is", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return errors.New("want a command: show or set") }}
	c.PersistentFlags().Bool("json", false, "print one JSON document")
	c.AddCommand(offsetsShowCommand(), offsetsSetCommand())
	return c
}

func offsetsShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show [TOPIC[:PARTITION[,PARTITION…]]]", Short: "Show where the group is on each partition", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var of operate.Selection
			if len(args) > 0 {
				var err error
				if of, err = selection(args[0]); err != nil {
					return failed(err)
				}
			}
			return operator(c, func(ctx context.Context, o *operate.Operator) error {
				list, err := o.Offsets(ctx, of)
				if err != nil {
					return err
				}
				return print(c, list, printOffsets)
			})
		},
	}
}

func offsetsSetCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "set TOPIC[:PARTITION[,PARTITION…]] earliest|latest|OFFSET|TIME", Short: "Set where the group goes on", Args: cobra.ExactArgs(2),
		Long: `Sets where the group goes on, on all partitions of a topic or on some; TIME is an RFC 3339 instant. Refuses while the group has
members, where a batch on its way has offsets of the partition, and, unless a flag says that it is meant, where records
would be skipped or read again. A topic that was deleted and made again is consumed from there on. It may be repeated.`,
	}
	skip := c.Flags().Bool("skip-records", false, "allow records to be skipped: they are lost to the export")
	repeat := c.Flags().Bool("repeat-records", false, "allow records to be read again: events are doubled")
	c.RunE = func(c *cobra.Command, args []string) error {
		of, err := selection(args[0])
		if err != nil {
			return failed(err)
		}
		return operator(c, func(ctx context.Context, o *operate.Operator) error {
			sets, err := o.Set(ctx, operate.Setting{Of: of, Where: args[1], Skip: *skip, Repeat: *repeat})
			if err != nil {
				return err
			}
			return print(c, sets, printSets)
		})
	}
	return c
}

// selection reads TOPIC or TOPIC:1,2,3. A topic's name has no colon.
func selection(s string) (of operate.Selection, err error) {
	topic, numbers, some := strings.Cut(s, ":")
	of.Topic = topic
	if topic == "" || some && numbers == "" {
		return of, fmt.Errorf("found %q; want TOPIC or TOPIC:PARTITION,…", s)
	}
	if !some {
		return of, nil
	}
	for _, text := range strings.Split(numbers, ",") {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil || n < 0 {
			return of, fmt.Errorf("partition is %q; want a number from 0", text)
		}
		of.Numbers = append(of.Numbers, int32(n))
	}
	return of, nil
}
