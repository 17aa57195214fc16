package service

import (
	"context"
	"fmt"

	"tidemark/batch"
	"tidemark/destination"
	"tidemark/warehouse"
)

// warnOfBilling tells what merges cost in storage. Every merge rewrites the blocks of the tables that it touches. That costs
// nothing where logical bytes are billed, since time travel and fail-safe are included; where physical bytes are, each version
// of a block is billed until the fail-safe ends: 10 GiB that are rewritten every hour come to terabytes
// (docs.cloud.google.com/bigquery/docs/time-travel#billing, 2026-08-22).
//
// A dataset that cannot be read here is no reason not to start: its tables have been.
func (s *service) warnOfBilling(ctx context.Context) {
	if !s.cfg.Destination.Exports(destination.PersonsModel) {
		return
	}
	project, dataset := s.cfg.Warehouse.Project, s.cfg.Destination.Dataset
	storage, err := s.house.Storage(ctx, project, dataset)
	switch {
	case err != nil:
		s.log.Warn("how the dataset's storage is billed is not known", "dataset", dataset, "err", err, "hint", batch.HintOf(err))
	case storage.Physical:
		s.log.Warn(billingWarning(storage), "dataset", dataset, "time_travel", storage.TimeTravel, "hint", billingHint(project, dataset))
	}
}

func billingWarning(s warehouse.Storage) string {
	return fmt.Sprintf("the dataset's storage is billed by physical bytes: every merge of persons rewrites blocks, and each version of them is billed for %.0f days of time travel and 7 more of fail-safe", s.TimeTravel.Hours()/24)
}

func billingHint(project, dataset string) string {
	name := fmt.Sprintf("`%s.%s`", project, dataset)
	return "ALTER SCHEMA " + name + " SET OPTIONS (storage_billing_model = 'LOGICAL'), which can be changed once in 14 days, or (max_time_travel_hours = 48); TIDEMARK_PERSONS_PERIOD makes merges rarer"
}
