// Package probe asks BigQuery and Cloud Storage themselves what tidemark's code has to assume about them, and compares the
// answers with the assumptions. It is what "tidemark probe" runs; nothing of a replica depends on it.
//
// Every probe (P0 to P8) has questions. A [question] says what the code assumes and what each answer means for the user; a
// probe answers it CONFIRMED or DIFFERENT, and what it leaves unanswered COULD NOT RUN, with the reason. docs/probe.md lists all.
//
// Probes work on scratch tables, objects and datasets whose names hold the run and the time, so that runs never meet and a
// later run can tell what an earlier one left behind ([run.cleanUp], [run.sweep]). No query starts before its cost was
// estimated by a dry run and found to fit into what is left of the cost cap ([budget]).
//
// What comes back is kept as raw job resources ([Record]), without who asked. They hold statements and values that this
// package made up, and nothing of a user's tables.
package probe
