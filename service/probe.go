package service

import (
	"errors"
	"os"
	"strings"

	"tidemark/probe"
)

// ReadProbeConfig reads from the environment what "tidemark probe" needs of the configuration, which is nothing of Kafka, and
// reports all faults of that together. Variables of other parts may be missing or wrong.
func ReadProbeConfig() (probe.Config, []string, error) {
	var c Config
	var errs []error
	for _, part := range []validator{&c.Loader, &c.Warehouse, &c.Destination} {
		faults := readPart(part)
		errs = append(errs, faults...)
		if len(faults) == 0 {
			errs = append(errs, part.Validate())
		}
	}
	return probe.Config{
		Project: c.Warehouse.Project, Dataset: c.Destination.Dataset, Loader: c.Loader,
		BigQueryEndpoint: strings.TrimSuffix(c.Warehouse.BigQueryEndpoint, "/"),
		MaxCost:          probe.DefaultMaxCost, MergeBytes: probe.DefaultMergeBytes, Overlap: probe.DefaultOverlap,
	}, unknownVariables(os.Environ()), errors.Join(errs...)
}
