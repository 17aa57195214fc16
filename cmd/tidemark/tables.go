package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"tidemark/operate"
)

func tablesCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "tables", Short: "List the tables, and whether they are the ones that were filled", Args: cobra.NoArgs,
		Long: `Lists the tables of the configuration, and others that batches on their way are for: when each was made, how many rows it has, and whether it is the one that was filled. A
table of events that was deleted, or made again, is not written to before a person has accepted it. Nothing is changed.`,
		RunE: func(c *cobra.Command, _ []string) error {
			return operator(c, func(ctx context.Context, o *operate.Operator) error {
				list, err := o.ListTables(ctx)
				if err != nil {
					return err
				}
				return print(c, list, printTables)
			})
		},
	}
	c.PersistentFlags().Bool("json", false, "print one JSON document")
	c.AddCommand(acceptCommand())
	return c
}

func acceptCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "accept TABLE", Short: "Go on with a table that is not the one that was filled", Args: cobra.ExactArgs(1),
		Long: `Shows what is known of a table of events that was deleted or made again, asks for a confirmation, and goes on with the table as
it is. Rows that it lacks are not exported again: bring them back first, from the dataset's time travel or from PostHog.
Replicas may be running. It may be repeated.`,
	}
	yes := c.Flags().Bool("yes", false, "do not ask for a confirmation")
	create := c.Flags().Bool("create", false, "make an empty table where there is none")
	c.RunE = func(c *cobra.Command, args []string) error {
		return operator(c, func(ctx context.Context, o *operate.Operator) error {
			a, err := o.Accept(ctx, args[0], *create)
			if a != nil {
				printTables(c.ErrOrStderr(), []operate.TableView{a.TableView})
			}
			if err != nil {
				return err
			}
			if err := confirm(c, a.Name, "the table's full name", "go on with it", *yes); err != nil {
				return err
			}
			if err := a.Confirm(ctx); err != nil {
				return err
			}
			return print(c, []operate.TableView{a.TableView}, printTables)
		})
	}
	return c
}

func printTables(w io.Writer, list []operate.TableView) {
	instant := func(at time.Time) string { return at.UTC().Format(time.RFC3339) }
	table(w, "TABLE\tMODEL\tMADE\tROWS\tFILLED SINCE\tPROBLEM", func(line func(string, ...any)) {
		for _, t := range list {
			made, filled := "not there", "never"
			if t.Created != nil {
				made = instant(*t.Created)
			}
			if n := len(t.Filled); n > 0 {
				filled = instant(t.Filled[n-1])
			}
			line("%s\t%s\t%s\t%d\t%s\t%s", t.Name, t.Model, made, t.Rows, filled, t.Problem)
		}
	})
	for _, t := range list {
		if t.Hint != "" {
			fmt.Fprintf(w, "%s: %s\n", t.Name, t.Hint)
		}
	}
}
